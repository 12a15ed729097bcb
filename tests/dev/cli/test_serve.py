"""What ``bridge serve`` does for those who just want to see their application."""

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
from bridge.dev.gateway import SOURCES
from tests.dev.cli.serve_process import ASGI, BRIDGE, WSGI, Served, environment
from tests.dev.cli.test_serve_robustness import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Served]


def curl(*arguments: str) -> bytes:
    return subprocess.run(["curl", "-sS", "-m", "20", *arguments], check=True, capture_output=True).stdout


def test_httpx_gets_the_page(server: Served) -> None:
    answer = server.client.get("/tea/caf%C3%A9", params={"cup": "2"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "date" in answer.headers
    assert "server" not in answer.headers
    assert answer.json()["query"] == "cup=2"


def test_curl_gets_the_page(server: Served) -> None:
    body = curl("-d", "@-", "--data-binary", "tea", f"{server.url}/tea")
    assert json.loads(body)["size"] == len("&tea")


def test_each_request_has_one_line_with_method_path_status_time_size_and_encoding(server: Served) -> None:
    server.client.get("/line?cup=1")
    server.client.post("/line/error")
    assert server.printed(r"^GET /line\?cup=1 200 \d+ ms \d+ B text$")
    assert server.printed(r"^POST /line/error 500 \d+ ms \d+ B text$")
    assert len(re.findall("/line", server.out)) == 2


def test_a_very_long_path_is_cut_in_its_line(serve: Serve) -> None:
    served = serve(WSGI, "--no-reload", "--source", "lattice")
    served.client.get("/" + "x" * 9000)
    line = served.printed(r"^GET /x+… \(9001 characters\) 200 .*$")[0]
    assert len(line) < 300


def test_the_context_is_a_real_one(server: Served) -> None:
    first, second = (server.client.get("/context").json() for _ in range(2))
    assert first["request_id"] != second["request_id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first["request_id"])
    assert first["arn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{first['name']}"
    assert 3000 < first["left"] <= 4000  # the front door's 3 seconds and one more


def test_the_deadline_counts_down(server: Served) -> None:
    assert server.client.get("/context/slow").json()["left"] <= 3500
    assert server.client.get("/context").json()["left"] > 3500


def test_an_exception_without_the_debugger_is_a_plain_500_and_a_logged_traceback(server: Served) -> None:
    answer = server.client.get("/error")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    server.said("RuntimeError: This error is on purpose")


def test_the_application_knows_that_it_is_offline(server: Served) -> None:
    assert server.client.get("/environment?name=IS_OFFLINE").json() == {"IS_OFFLINE": "True"}


def test_what_the_child_was_told_is_not_in_the_applications_environment(serve: Serve) -> None:
    served = serve(WSGI)
    names = "name=BRIDGE_SERVE&name=BRIDGE_DESCRIPTORS&name=PYTHONPATH"
    assert set(served.client.get(f"/environment?{names}").json().values()) == {None}


@pytest.mark.parametrize("source", sorted(SOURCES.keys() - ANSWERS.keys()))
def test_every_front_door_serves(serve: Serve, source: str) -> None:
    """Those that are not served in another test, too."""
    served = serve(ASGI, "--no-reload", "--source", source)
    assert f"behind {source} at" in served.err
    page = json.loads(curl("--data-binary", "tea", f"{served.url}/tea/x?y=z"))
    assert page == {"path": "/tea/x", "query": "y=z", "size": 3, "sha256": hashlib.sha256(b"tea").hexdigest()}
    assert served.printed(r"^POST /tea/x\?y=z 200 ")


def test_a_stage_is_what_urls_begin_with(serve: Serve) -> None:
    served = serve(WSGI, "--no-reload", "--source", "rest-api", "--stage", "prod")
    assert served.client.get("/prod/tea").json()["path"] == "/tea"
    assert served.client.get("/tea").status_code == 403
    served.said("the path does not begin with the stage; ask for /prod/…")
    served.said(r"^Serving .* at http://localhost:\d+/prod/  \(Ctrl-C ends\)$")
    served.said("^--stage prod: URLs begin with /prod; the application sees its path without it")


def test_a_base_path_is_what_urls_begin_with(serve: Serve) -> None:
    served = serve(WSGI, "--no-reload", "--base-path", "shop/")
    assert served.client.get("/shop/tea").json()["path"] == "/tea"
    assert served.client.get("/tea").status_code == 404
    served.said(r"^Serving .* at http://localhost:\d+/shop/  \(Ctrl-C ends\)$")
    served.said("^--base-path /shop: URLs begin with it; the application sees its path without it")


def test_verbose_prints_event_and_payload(serve: Serve) -> None:
    served = serve(WSGI, "--no-reload", "-v")
    served.client.get("/tea?cup=é")
    printed = served.printed(r"^GET /tea\S+ 200")
    before = served.out[: printed.start()]
    event, payload = re.fullmatch(r"event (\{.*\n\})\npayload (\{.*\n\})\n", before, re.DOTALL).groups()  # type: ignore[union-attr]
    assert json.loads(event)["rawPath"] == "/tea"
    assert json.loads(payload)["statusCode"] == 200


def test_verbose_is_coloured_when_a_person_looks(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    command = [BRIDGE, "serve", WSGI, "--no-reload", "-v", "--port", "0"]
    env = environment(TERM="xterm-256color", COLUMNS="100")
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        try:
            assert process.stderr is not None
            greeting = process.stderr.readline().decode()
            httpx.get(re.findall(r"http://\S+", greeting)[0] + "/tea", trust_env=False)
            shown = b""
            while b" ms " not in shown:
                shown += os.read(ours, 65536)
        finally:
            process.kill()
            os.close(ours)
    assert re.search(rb"\x1b\[[\d;]+m", shown)
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown.decode())
    assert re.search(r'"rawPath": "/tea"', plain)


def test_verbose_cuts_what_nobody_reads(serve: Serve) -> None:
    served = serve(WSGI, "--no-reload", "-v")
    served.client.get("/large")
    served.printed(r"^GET /large 200 .* 5000002 B text$")
    assert len(served.out) < 20_000
    assert "… (5000002 characters)" in served.out


def test_plain_serves_the_application_itself(serve: Serve) -> None:
    for app in (WSGI, ASGI):
        served = serve(app, "--plain", "--no-reload")
        answer = served.client.get("/tea?cup=1")
        assert answer.json()["query"] == "cup=1"
        assert "date" in answer.headers
        assert served.printed(r"^GET /tea\?cup=1 200 \d+ ms \d+ B -$")
        assert " itself at " in served.err


def test_plain_runs_the_lifespan(serve: Serve) -> None:
    served = serve(ASGI, "--plain", "--no-reload")
    served.ctrl_c()
    assert served.status() == 0
    assert served.out == "lifespan.startup\nlifespan.shutdown\n"


@pytest.mark.parametrize(
    ("threads", "most"), [(["--threads", "3"], 3), (["--threads", "3", "--plain"], 3), (["--disable-threading"], 1)]
)
async def test_threads_are_how_many_requests_wsgi_answers_at_once(serve: Serve, threads: list[str], most: int) -> None:
    served = serve(WSGI, "--no-reload", *threads)
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=30) as client:
        await asyncio.gather(*(client.get("/nap") for _ in range(8)))
    assert served.client.get("/most").json() == most


@pytest.mark.parametrize(("options", "several"), [([], b"True"), (["--disable-threading"], b"False")])
def test_wsgi_is_told_whether_several_threads_answer(
    serve: Serve, tmp_path: Path, options: list[str], several: bytes
) -> None:
    (tmp_path / "app.py").write_text(
        "import bridge\n"
        "def app(environ, start):\n    start('200 OK', [])\n    return [repr(environ['wsgi.multithread']).encode()]\n"
        "handler = bridge.handler(app)\n"
    )
    for name in ("app:app", "app:handler"):
        assert serve(name, "--no-reload", *options).client.get("/").content == several


def test_what_the_application_logs_as_information_is_shown(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import logging\n"
        "def app(environ, start):\n    logging.getLogger('shop').info('tea is ready')\n"
        "    start('200 OK', [])\n    return []\n"
    )
    for options in ([], ["-v"]):
        served = serve("app:app", "--no-reload", *options)
        served.client.get("/")
        served.said("^INFO shop: tea is ready$")


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_bridge_handler_is_served_with_its_own_settings(serve: Serve, tmp_path: Path, kind: str) -> None:
    (tmp_path / "app.py").write_text(
        f"import bridge\nfrom tests.dev.cli.applications import {kind}_app\n"
        f"handler = bridge.handler({kind}_app, base_path='/shop', request_id_header='x-id')\n"
    )
    root = str(Path(__file__).parents[3])
    served = serve("app:handler", "--no-reload", PYTHONPATH=root)
    page = served.client.get("/shop/tea").json()
    assert page["path"] == ("/tea" if kind == "wsgi" else "/shop/tea")  # as their specifications have it
    served = serve("app:handler", "--no-reload", "--base-path", "shop", PYTHONPATH=root)
    assert served.client.get("/shop/tea").json() == page


def test_modules_of_the_project_do_not_stand_in_the_servers_way(serve: Serve, tmp_path: Path) -> None:
    for name in ("yaml", "uvicorn", "watchfiles", "bridge"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('This is no part of the server.')")
    (tmp_path / "app.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'mine']\n")
    (tmp_path / "serverless.yml").write_text("provider: {environment: {COLOUR: red}}\n")
    assert serve("app:app").client.get("/").text == "mine"
    assert serve("app:app", "--no-reload").client.get("/").text == "mine"


@pytest.mark.parametrize(("written", "host"), [("[::1]", "::1"), ("::1", "::1"), ("localhost", "localhost")])
def test_an_address_of_ipv6_may_be_in_brackets(monkeypatch: pytest.MonkeyPatch, written: str, host: str) -> None:
    hosts = []

    def listen(host: str, port: int) -> socket.socket:
        hosts.append(host)
        raise UsageError("No more is asked here.")

    monkeypatch.setattr(serve_module, "_listen", listen)
    with pytest.raises(SystemExit):
        main(["serve", WSGI, "--host", written])
    assert hosts == [host]


def test_an_answer_does_not_wait_for_the_clients_acknowledgement() -> None:
    """asyncio turns Nagle's algorithm off only for sockets that say they are TCP."""
    with _listen("localhost", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
