"""``bridge serve``: requests, the access log, and the options of the server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from bridge.dev.cli import main
from bridge.dev.cli.commands import serve as serve_module
from bridge.dev.cli.commands.serve import _listen
from bridge.dev.errors import UsageError
from bridge.dev.gateway import FRONT_DOORS
from tests.dev.cli.serve_process import ASGI, BRIDGE, WSGI, ServeProcess, environment
from tests.dev.cli.test_serve_robustness import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., ServeProcess]


def test_a_request_is_answered(server: ServeProcess) -> None:
    answer = server.client.post("/tea/caf%C3%A9", params={"cup": "2"}, content=b"milk")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "date" in answer.headers
    assert "server" not in answer.headers
    page = answer.json()
    assert (page["query"], page["size"]) == ("cup=2", 4)


def test_the_access_log_has_method_path_status_time_size_and_encoding(server: ServeProcess) -> None:
    server.client.get("/line?cup=1")
    server.client.post("/line/error")
    assert server.wait_for_stdout(r"^GET /line\?cup=1 200 \d+ ms \d+ B text$")
    assert server.wait_for_stdout(r"^POST /line/error 500 \d+ ms \d+ B text$")
    assert len(re.findall("/line", server.stdout)) == 2


def test_the_access_log_cuts_long_paths(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload", "--source", "lattice")
    server.client.get("/" + "x" * 9000)
    line = server.wait_for_stdout(r"^GET /x+… \(9001 characters\) 200 .*$")[0]
    assert len(line) < 300


def test_the_application_gets_the_context_of_an_invocation(server: ServeProcess) -> None:
    first, second = (server.client.get("/context").json() for _ in range(2))
    assert first["request_id"] != second["request_id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first["request_id"])
    assert first["arn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{first['name']}"
    assert 3000 < first["left"] <= 4000  # the front door waits 3 seconds; the function has one more


def test_the_remaining_time_decreases(server: ServeProcess) -> None:
    assert server.client.get("/context/slow").json()["left"] <= 3500
    assert server.client.get("/context").json()["left"] > 3500


def test_an_exception_without_the_debugger_is_a_plain_500_and_a_traceback_in_the_log(server: ServeProcess) -> None:
    answer = server.client.get("/error")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    server.wait_for_stderr("RuntimeError: This error is on purpose")


def test_the_application_has_the_variable_is_offline(server: ServeProcess) -> None:
    assert server.client.get("/environment?name=IS_OFFLINE").json() == {"IS_OFFLINE": "True"}


def test_the_reloaders_variables_are_not_in_the_applications_environment(serve: Serve) -> None:
    server = serve(WSGI)
    assert server.client.get("/environment?name=BRIDGE_SERVE").json() == {"BRIDGE_SERVE": None}


@pytest.mark.parametrize("source", sorted(FRONT_DOORS.keys() - ANSWERS.keys()))
def test_every_front_door_is_served(serve: Serve, source: str) -> None:
    """Only those that no other test covers."""
    server = serve(ASGI, "--no-reload", "--source", source)
    assert f"behind {source} at" in server.stderr
    assert server.client.post("/tea/x?y=z", content=b"tea").json() == {
        "path": "/tea/x",
        "query": "y=z",
        "size": 3,
        "sha256": hashlib.sha256(b"tea").hexdigest(),
    }
    assert server.wait_for_stdout(r"^POST /tea/x\?y=z 200 ")


def test_urls_begin_with_the_stage(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload", "--source", "rest-api", "--stage", "prod")
    assert server.client.get("/prod/tea").json()["path"] == "/tea"
    assert server.client.get("/tea").status_code == 403
    server.wait_for_stderr("GET /tea: .* /prod/")
    server.wait_for_stderr(r"^Serving .* at http://localhost:\d+/prod/  \(press Ctrl-C to stop\)$")
    server.wait_for_stderr("^URLs begin with /prod, because of --stage. The application gets the rest as its path")


def test_urls_begin_with_the_base_path(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload", "--base-path", "shop/")
    assert server.client.get("/shop/tea").json()["path"] == "/tea"
    assert server.client.get("/tea").status_code == 404
    server.wait_for_stderr(r"^Serving .* at http://localhost:\d+/shop/  \(press Ctrl-C to stop\)$")
    server.wait_for_stderr("^URLs begin with /shop, because of --base-path. The application gets the rest as its path")


def test_verbose_prints_event_and_payload(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload", "-v")
    server.client.get("/tea?cup=é")
    line = server.wait_for_stdout(r"^GET /tea\S+ 200")
    before = server.stdout[: line.start()]
    event, payload = re.fullmatch(r"event (\{.*\n\})\npayload (\{.*\n\})\n", before, re.DOTALL).groups()  # type: ignore[union-attr]
    assert json.loads(event)["rawPath"] == "/tea"
    assert json.loads(payload)["statusCode"] == 200


def test_verbose_is_coloured_on_a_terminal(tmp_path: Path) -> None:
    terminal, stdout = os.openpty()
    command = [BRIDGE, "serve", WSGI, "--no-reload", "-v", "--port", "0"]
    env = environment(TERM="xterm-256color", COLUMNS="100")
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=stdout, stderr=subprocess.PIPE) as process:
        os.close(stdout)
        try:
            assert process.stderr is not None
            greeting = process.stderr.readline().decode()
            httpx.get(re.findall(r"http://\S+", greeting)[0] + "/tea", trust_env=False)
            output = b""
            while b" ms " not in output:
                output += os.read(terminal, 65536)
        finally:
            process.kill()
            os.close(terminal)
    assert re.search(rb"\x1b\[[\d;]+m", output)
    plain = re.sub(r"\x1b\[[\d;]*m", "", output.decode())
    assert re.search(r'"rawPath": "/tea"', plain)


def test_verbose_cuts_long_strings(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload", "-v")
    server.client.get("/large")
    server.wait_for_stdout(r"^GET /large 200 .* 5000002 B text$")
    assert len(server.stdout) < 20_000
    assert "… (5000002 characters)" in server.stdout


@pytest.mark.parametrize(
    ("app", "lifespan"), [(WSGI, []), (ASGI, ["lifespan.startup", "lifespan.shutdown"])], ids=["wsgi", "asgi"]
)
def test_plain_serves_the_application_itself(serve: Serve, app: str, lifespan: list[str]) -> None:
    server = serve(app, "--plain", "--no-reload")
    assert " itself at " in server.stderr
    answer = server.client.get("/tea?cup=1")
    assert answer.json()["query"] == "cup=1"
    assert "date" in answer.headers
    assert server.wait_for_stdout(r"^GET /tea\?cup=1 200 \d+ ms \d+ B -$")
    server.press_ctrl_c()
    assert server.wait() == 0
    assert [line for line in server.stdout.splitlines() if line.startswith("lifespan.")] == lifespan


@pytest.mark.parametrize(
    ("threads", "most"), [(["--threads", "3"], 3), (["--threads", "3", "--plain"], 3), (["--disable-threading"], 1)]
)
async def test_wsgi_answers_one_request_per_thread_at_once(serve: Serve, threads: list[str], most: int) -> None:
    server = serve(WSGI, "--no-reload", *threads)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as client:
        await asyncio.gather(*(client.get("/nap") for _ in range(8)))
    assert server.client.get("/most").json() == most


@pytest.mark.parametrize(("options", "multithread"), [([], b"True"), (["--disable-threading"], b"False")])
def test_wsgi_multithread_follows_the_number_of_threads(
    serve: Serve, tmp_path: Path, options: list[str], multithread: bytes
) -> None:
    (tmp_path / "app.py").write_text(
        "import bridge\n"
        "def app(environ, start):\n    start('200 OK', [])\n    return [repr(environ['wsgi.multithread']).encode()]\n"
        "handler = bridge.handler(app)\n"
    )
    for name in ("app:app", "app:handler"):
        assert serve(name, "--no-reload", *options).client.get("/").content == multithread


def test_the_application_logs_on_the_level_info(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import logging\n"
        "def app(environ, start):\n    logging.getLogger('shop').info('tea is ready')\n"
        "    start('200 OK', [])\n    return []\n"
    )
    for options in ([], ["-v"]):
        server = serve("app:app", "--no-reload", *options)
        server.client.get("/")
        server.wait_for_stderr("^INFO shop: tea is ready$")


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_bridge_handler_is_served_with_its_own_settings(serve: Serve, tmp_path: Path, kind: str) -> None:
    (tmp_path / "app.py").write_text(
        f"import bridge\nfrom tests.dev.cli.applications import {kind}_app\n"
        f"handler = bridge.handler({kind}_app, base_path='/shop', request_id_header='x-id')\n"
    )
    root = str(Path(__file__).parents[3])
    server = serve("app:handler", "--no-reload", PYTHONPATH=root)
    page = server.client.get("/shop/tea").json()
    assert page["path"] == ("/tea" if kind == "wsgi" else "/shop/tea")  # as their specifications have it
    server = serve("app:handler", "--no-reload", "--base-path", "shop", PYTHONPATH=root)
    assert server.client.get("/shop/tea").json() == page


def test_modules_of_the_project_do_not_shadow_those_of_the_server(serve: Serve, tmp_path: Path) -> None:
    for name in ("yaml", "uvicorn", "watchfiles", "bridge"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('shadowed')")
    (tmp_path / "app.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'mine']\n")
    (tmp_path / "serverless.yml").write_text("provider: {environment: {COLOUR: red}}\n")
    assert serve("app:app").client.get("/").text == "mine"
    assert serve("app:app", "--no-reload").client.get("/").text == "mine"


@pytest.mark.parametrize(("written", "host"), [("[::1]", "::1"), ("::1", "::1"), ("localhost", "localhost")])
def test_an_ipv6_address_may_have_brackets(monkeypatch: pytest.MonkeyPatch, written: str, host: str) -> None:
    hosts = []

    def listen(host: str, port: int) -> socket.socket:
        hosts.append(host)
        raise UsageError("enough")

    monkeypatch.setattr(serve_module, "_listen", listen)
    with pytest.raises(SystemExit):
        main(["serve", WSGI, "--host", written])
    assert hosts == [host]


def test_responses_do_not_wait_for_the_clients_acknowledgement() -> None:
    """asyncio sets TCP_NODELAY only on sockets with an explicit protocol."""
    with _listen("localhost", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
