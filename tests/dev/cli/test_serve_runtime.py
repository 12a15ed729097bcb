"""``bridge serve --runtime``: functions in separate processes, streams, and other runtimes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bridge.dev.gateway import FRONT_DOORS
from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess, run
from tests.dev.gateway.processes import is_alive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., ServeProcess]

APPLICATION = """
import asyncio, json, os, time
from pathlib import Path
from urllib.parse import unquote

NAMES = ("BRIDGE_RESPONSE_MODE", "BRIDGE_BASE_PATH", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_MAX_CONCURRENCY",
         "_HANDLER", "FROM_FILE", "FROM_PROJECT")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                print("shut down", flush=True)
                return
    path, query = scope["path"], unquote(scope["query_string"].decode()).rstrip("=")
    if path.endswith("/exit"):
        print("leaving", flush=True)
        os._exit(3)
    if path.endswith("/block"):
        time.sleep(60)
    if path.endswith("/slow"):
        await asyncio.sleep(0.7)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    if path.endswith("/events"):
        for n in range(10):
            await send({"type": "http.response.body", "body": b"data: %f\\n\\n" % time.time(), "more_body": True})
            await asyncio.sleep(0.2)
    elif path.endswith("/gated"):
        await send({"type": "http.response.body", "body": b"data: first\\n\\n", "more_body": True})
        while not Path(query).exists():
            await asyncio.sleep(0.005)
        await send({"type": "http.response.body", "body": b"data: second\\n\\n", "more_body": True})
    else:
        page = {"pid": os.getpid(), "path": path, "root": scope["root_path"]}
        page |= {name: os.environ.get(name) for name in NAMES}
        await send({"type": "http.response.body", "body": json.dumps(page).encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
"""
STREAM = ("--runtime", "--response-mode", "stream", "--source", "function-url", "--no-reload")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an application."""
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("the condition did not become true")


def test_a_chunk_arrives_before_the_next_is_sent(serve: Serve, project: Path) -> None:
    server = serve("app:app", *STREAM)
    gate = project / "gate"
    with server.client.stream("GET", f"/gated?{gate}") as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"data: first\n\n"
        assert "/gated" not in server.stdout
        gate.touch()
        assert next(parts) == b"data: second\n\n"
        assert list(parts) == []
    server.wait_for_stdout(r"^GET /gated\?.* 200 \d+ ms 27 B stream$")


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run on Windows")
def test_server_and_function_may_run_on_uvloop(serve: Serve, project: Path) -> None:
    gate = project / "gate"
    gate.touch()
    with (project / "app.py").open("a") as file:
        file.write("import uvloop\nuvloop.install()\n")
    server = serve("app:app", *STREAM, PYTHONPATH="")
    assert server.client.get(f"/gated?{gate}").text == "data: first\n\ndata: second\n\n"
    assert server.client.get("/").json()["path"] == "/"


@pytest.mark.slow
def test_events_arrive_one_by_one(serve: Serve, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve("app:app", *STREAM)
    assert server.client.get("/").status_code == 200  # starts the process
    delays = []
    with server.client.stream("GET", "/events") as answer:
        for part in answer.iter_raw():
            (sent,) = re.findall(rb"^data: ([0-9.]+)\n\n\Z", part)  # one event for each chunk
            delays.append(time.time() - float(sent))
            assert "/events" not in server.stdout
    assert len(delays) == 10
    server.wait_for_stdout(r"^GET /events 200 \d+ ms \d+ B stream$")
    with capsys.disabled():
        print(f" [{1000 * delays[0]:.1f} ms for the first event, {1000 * max(delays):.1f} ms for the slowest]", end="")


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_every_front_door_calls_the_function(serve: Serve, project: Path, source: str) -> None:
    server = serve("app:app", "--runtime", "--no-reload", "--source", source)
    for path in ("/", "/tea%20room"):
        assert server.client.get(path).status_code == 200
    assert server.wait_for_stdout(r"^GET /tea%20room 200 \d+ ms \d+ B (text|base64)$")


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_both_interfaces_are_served(serve: Serve, app: str) -> None:
    server = serve(app, "--runtime", "--no-reload")
    page = server.client.post("/tea?cup=1", content=b"x" * 1000).json()
    assert (page["path"], page["query"], page["size"]) == ("/tea", "cup=1", 1000)
    assert server.client.get("/error").status_code == 500
    server.wait_for_stdout("This error is on purpose")


def test_the_environment_comes_from_the_project_the_env_file_and_the_options(serve: Serve, project: Path) -> None:
    (project / "serverless.yml").write_text(
        "provider:\n  name: aws\n  runtime: python3.13\n  environment: {FROM_PROJECT: yes, FROM_FILE: no}\n"
        "functions:\n  shop:\n    handler: bridge.entrypoint.handler\n    environment: {BRIDGE_APP: 'app:app'}\n"
    )
    (project / "vars").write_text("FROM_FILE=file\n")
    options = ("--env-file", "vars", "--response-mode", "stream", "--base-path", "shop", "--concurrency", "3")
    server = serve("--runtime", "--no-reload", *options, "--source", "rest-api")
    page = server.client.get("/shop/tea").json()
    del page["pid"]
    assert page == {
        "path": "/shop/tea",
        "root": "/shop",
        "BRIDGE_RESPONSE_MODE": "stream",
        "BRIDGE_BASE_PATH": "/shop",
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "_HANDLER": "app:app",
        "AWS_LAMBDA_MAX_CONCURRENCY": "3",
        "FROM_FILE": "file",
        "FROM_PROJECT": "true",
    }


def test_the_response_mode_may_come_from_the_environment(serve: Serve, project: Path) -> None:
    server = serve("app:app", "--runtime", "--no-reload", "--source", "function-url", BRIDGE_RESPONSE_MODE="stream")
    server.client.get("/")
    server.wait_for_stdout(r"^GET / 200 \d+ ms \d+ B stream$")


def test_a_front_door_that_buffers_responses_is_reported_at_the_start(serve: Serve, project: Path) -> None:
    server = serve("app:app", "--runtime", "--no-reload", "--response-mode", "stream")
    server.wait_for_stderr("^http-api buffers responses, so they are not streamed. Use --source function-url")
    server.client.get("/")
    server.wait_for_stdout(r"^GET / 200 \d+ ms \d+ B text$")


def test_functions_have_separate_processes(serve: Serve, project: Path) -> None:
    (project / "cats").mkdir()
    for name in ("dogs.py", "cats/app.py"):
        (project / name).write_text(
            "import os\ndef handler(event, context):\n"
            "    return {'statusCode': 200, 'body': f'{context.function_name} {os.getpid()} {os.environ[\"KIND\"]}'}\n"
        )
    (project / "serverless.yml").write_text(
        textwrap.dedent("""
            provider: {name: aws, runtime: python3.13}
            functions:
              dogs:
                handler: dogs.handler
                environment: {KIND: dog}
                events: [{httpApi: GET /dogs}]
              cats:
                handler: cats/app.handler
                environment: {KIND: cat}
                events: [{httpApi: GET /cats}]
        """)
    )
    server = serve("--runtime", "--no-reload")
    dogs, cats = (server.client.get(path).text.split() for path in ("/dogs", "/cats"))
    assert (dogs[0], dogs[2], cats[0], cats[2]) == ("dogs", "dog", "cats", "cat")
    assert dogs[1] != cats[1]
    assert server.client.get("/birds").status_code == 404


@pytest.mark.aws
def test_another_runtime_runs_as_the_command(serve: Serve, project: Path) -> None:
    (project / "other.py").write_text(
        "def handler(event, context):\n"
        "    return {'statusCode': 200, 'body': event['rawPath'] + context.function_name}\n"
    )
    command = ("--", sys.executable, "-m", "awslambdaric", "other.handler")
    server = serve("--runtime", "--no-reload", command=command)
    assert server.client.get("/tea").text == "/teabridge"


def test_a_process_that_exits_is_a_failed_function_and_is_replaced(serve: Serve, project: Path) -> None:
    server = serve("app:app", "--runtime", "--no-reload")
    first = server.client.get("/").json()["pid"]
    answer = server.client.get("/exit")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    server.wait_for_stderr(r"The process of the function bridge ended with 1 invocations in flight \(exit status 3\)")
    server.wait_for_stdout("^leaving$")
    assert server.client.get("/").json()["pid"] != first


def test_a_timeout_ends_the_process_of_the_function(serve: Serve, project: Path) -> None:
    (project / "serverless.yml").write_text(
        "provider: {name: aws, runtime: python3.13, timeout: 1}\nfunctions:\n  shop:\n"
        "    handler: bridge.entrypoint.handler\n    environment: {BRIDGE_APP: 'app:app', BRIDGE_LIFESPAN: 'off'}\n"
    )
    server = serve("--runtime", "--no-reload", "--sandboxes", "1")
    assert server.client.get("/block").status_code in (500, 504)
    assert server.client.get("/").status_code == 200


def test_each_request_starts_a_function_again_that_did_not_start(serve: Serve, project: Path) -> None:
    (project / "app.py").write_text("raise RuntimeError('no tea')\n")
    server = serve("app:app", "--runtime", "--no-reload")
    assert server.client.get("/").status_code == 500
    server.wait_for_stderr(r"^ERROR bridge: The function bridge does not start: RuntimeError: no tea\n.*app\.py")
    assert (server.stdout + server.stderr).count("raise RuntimeError('no tea')") == 1
    (project / "app.py").write_text(APPLICATION)
    assert server.client.get("/").status_code == 200


@pytest.mark.slow
def test_a_change_replaces_the_processes(serve: Serve, project: Path) -> None:
    server = serve("app:app", "--runtime")
    first = server.client.get("/").json()["pid"]
    (project / "app.py").write_text(APPLICATION.replace('"path": path', '"path": "changed"'))
    server.wait_for_stderr("^Serving ", times=2)
    page = server.client.get("/").json()
    assert page["path"] == "changed"
    assert page["pid"] != first
    assert not is_alive(first)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--no-reload"], ["--reload"]], ids=["no-reload", "reload"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_requests_in_flight_are_answered_before_the_processes_end(
    serve: Serve, project: Path, options: list[str], number: signal.Signals
) -> None:
    server = serve("app:app", "--runtime", *options)
    process = server.client.get("/").json()["pid"]
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as client:
        request = asyncio.create_task(client.get("/slow"))
        await asyncio.sleep(0.3)
        if number == signal.SIGINT:
            server.press_ctrl_c()
        else:
            server.process.terminate()
        assert (await request).json()["pid"] == process
    assert await asyncio.to_thread(server.wait) == 0
    assert not is_alive(process)
    assert "shut down" in server.stdout
    assert "Traceback" not in server.stderr


@pytest.mark.parametrize("options", [["--no-reload"], ["--reload"]], ids=["no-reload", "reload"])
def test_the_processes_end_when_the_server_is_killed(serve: Serve, project: Path, options: list[str]) -> None:
    server = serve("app:app", "--runtime", *options)
    process = server.client.get("/").json()["pid"]
    server.process.kill()
    wait_until(lambda: not is_alive(process))


@pytest.mark.slow
def test_pyproject_toml_sets_all_options(serve: Serve, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.bridge]\napp = "app:app"\nruntime = true\nsource = "function-url"\nresponse-mode = "stream"\n'
        "concurrency = 2\nsandboxes = 1\nreload = false\ndebugger = true\nthreads = 4\n"
    )
    server = serve()
    assert server.client.get("/").json()["AWS_LAMBDA_MAX_CONCURRENCY"] == "2"
    server.wait_for_stdout(r"^GET / 200 \d+ ms \d+ B stream$")
    for option in ("--no-runtime", "--plain"):
        assert serve(option).client.get("/").json()["AWS_LAMBDA_MAX_CONCURRENCY"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runtime", "--debugger"], "--debugger does not apply with --runtime: the debugger runs in the server's"),
        (
            ["--runtime", "--threads", "3"],
            "--threads does not apply with --runtime: --sandboxes and --concurrency",
        ),
        (["--runtime", "--plain"], "--plain does not apply with --runtime"),
        (["--concurrency", "3"], "--concurrency applies only with --runtime. Add --runtime, or remove --concurrency."),
        (["--sandboxes", "3"], "--sandboxes applies only with --runtime"),
        (["--response-mode", "stream"], "--response-mode applies only with --runtime"),
        (["--runtime", "--response-mode", "tea"], "invalid choice: 'tea'"),
        (["--runtime", "--sandboxes", "0"], "'0' is not an integer of 1 or more"),
        (["--runtime", "--concurrency", "many"], "'many' is not an integer of 1 or more"),
        (["--", "python", "app.py"], "The words after -- are a command for --runtime. Add --runtime, or remove"),
    ],
)
def test_options_that_do_not_apply_are_refused(project: Path, words: list[str], message: str) -> None:
    status, _, err = run(project, "serve", "app:app", *words)
    assert status == 2
    assert message in err


def test_a_command_that_does_not_exist_is_reported_at_the_start(project: Path) -> None:
    status, _, err = run(project, "serve", "--runtime", "--no-reload", "--port", "0", "--", "no-such-program", "x")
    assert status == 1
    assert "The command no-such-program does not exist." in err


def test_without_a_command_an_application_is_required(tmp_path: Path) -> None:
    status, _, err = run(tmp_path, "serve", "--runtime", "--no-reload", "--port", "0")
    assert status == 1
    assert "No application is named" in err


def test_the_words_after_two_dashes_are_not_parsed(serve: Serve, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import http.client, json, os, sys
            while True:
                connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
                connection.request("GET", "/2018-06-01/runtime/invocation/next")
                answer = connection.getresponse()
                request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
                answer.read()
                body = json.dumps({"statusCode": 200, "body": json.dumps(sys.argv[1:])})
                connection.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", body)
                connection.getresponse().read()
        """)
    )
    words = ("--port", "1", "-v", "--", "--runtime")
    server = serve("--runtime", "--no-reload", command=("--", sys.executable, "program.py", *words))
    assert json.loads(server.client.get("/").text) == list(words)


def test_one_process_answers_several_requests_at_once(serve: Serve, project: Path) -> None:
    server = serve("app:app", "--runtime", "--no-reload", "--concurrency", "8", "--sandboxes", "2")
    server.client.get("/")

    async def pids() -> set[Any]:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as client:
            answers = await asyncio.gather(*(client.get("/slow") for _ in range(8)))
        return {answer.json()["pid"] for answer in answers}

    assert len(asyncio.run(pids())) == 1
