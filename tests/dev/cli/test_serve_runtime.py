"""``bridge serve --runtime``: the function in processes of its own, streams, and any other runtime."""

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

from bridge.dev.gateway import SOURCES
from tests.dev.cli.serve_process import ASGI, WSGI, Served, run
from tests.dev.gateway.processes import is_alive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Served]

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
            await asyncio.sleep(1)
    elif path.endswith("/gated"):
        await send({"type": "http.response.body", "body": b"data: first\\n\\n", "more_body": True})
        while not Path(query).exists():
            await asyncio.sleep(0.005)
        await send({"type": "http.response.body", "body": b"data: second\\n\\n", "more_body": True})
    else:
        told = {"pid": os.getpid(), "path": path, "root": scope["root_path"]}
        told |= {name: os.environ.get(name) for name in NAMES}
        await send({"type": "http.response.body", "body": json.dumps(told).encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
"""
STREAM = ("--runtime", "--response-mode", "stream", "--source", "function-url", "--no-reload")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an application."""
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came true")


def test_an_event_is_seen_before_the_next_is_made(serve: Serve, project: Path) -> None:
    served = serve("app:app", *STREAM)
    gate = project / "gate"
    with served.client.stream("GET", f"/gated?{gate}") as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"data: first\n\n"
        assert "/gated" not in served.out
        gate.touch()
        assert next(parts) == b"data: second\n\n"
        assert list(parts) == []
    served.printed(r"^GET /gated\?.* 200 \d+ ms 27 B stream$")


@pytest.mark.slow
def test_ten_seconds_of_events_arrive_one_by_one(
    serve: Serve, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve("app:app", *STREAM)
    assert served.client.get("/").status_code == 200  # the process is there
    late = []
    with served.client.stream("GET", "/events") as answer:
        for part in answer.iter_raw():
            (sent,) = re.findall(rb"^data: ([0-9.]+)\n\n\Z", part)  # each by itself
            late.append(time.time() - float(sent))
            assert "/events" not in served.out
    assert len(late) == 10
    served.printed(r"^GET /events 200 \d+ ms \d+ B stream$")
    with capsys.disabled():
        print(f" [{1000 * late[0]:.1f} ms for the first event, {1000 * max(late):.1f} ms for the slowest]", end="")


@pytest.mark.parametrize("source", SOURCES)
def test_it_is_served_behind_every_front_door(serve: Serve, project: Path, source: str) -> None:
    served = serve("app:app", "--runtime", "--no-reload", "--source", source)
    for path in ("/", "/tea%20room"):
        assert served.client.get(path).status_code == 200
    assert served.printed(r"^GET /tea%20room 200 \d+ ms \d+ B (text|base64)$")


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_both_interfaces_are_served(serve: Serve, app: str) -> None:
    served = serve(app, "--runtime", "--no-reload")
    answer = served.client.post("/tea?cup=1", content=b"x" * 1000).json()
    assert (answer["path"], answer["query"], answer["size"]) == ("/tea", "cup=1", 1000)
    assert served.client.get("/error").status_code == 500
    served.printed("This error is on purpose")


def test_the_functions_environment_is_that_of_the_project_the_file_and_the_options(serve: Serve, project: Path) -> None:
    (project / "serverless.yml").write_text(
        "provider:\n  name: aws\n  runtime: python3.13\n  environment: {FROM_PROJECT: yes, FROM_FILE: no}\n"
        "functions:\n  shop:\n    handler: bridge.entrypoint.handler\n    environment: {BRIDGE_APP: 'app:app'}\n"
    )
    (project / "vars").write_text("FROM_FILE=file\n")
    options = ("--env-file", "vars", "--response-mode", "stream", "--base-path", "shop", "--concurrency", "3")
    served = serve("--runtime", "--no-reload", *options, "--source", "rest-api")
    told = served.client.get("/shop/tea").json()
    del told["pid"]
    assert told == {
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


def test_the_mode_is_otherwise_that_of_the_environment(serve: Serve, project: Path) -> None:
    served = serve("app:app", "--runtime", "--no-reload", "--source", "function-url", BRIDGE_RESPONSE_MODE="stream")
    served.client.get("/")
    served.printed(r"^GET / 200 \d+ ms \d+ B stream$")


def test_a_front_door_without_streams_is_named_at_the_start(serve: Serve, project: Path) -> None:
    served = serve("app:app", "--runtime", "--no-reload", "--response-mode", "stream")
    served.said("^http-api hands on whole responses only; --source function-url and --source rest-api stream them")
    served.client.get("/")
    served.printed(r"^GET / 200 \d+ ms \d+ B text$")


def test_each_function_has_processes_of_its_own(serve: Serve, project: Path) -> None:
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
    served = serve("--runtime", "--no-reload")
    dogs, cats = (served.client.get(path).text.split() for path in ("/dogs", "/cats"))
    assert (dogs[0], dogs[2], cats[0], cats[2]) == ("dogs", "dog", "cats", "cat")
    assert dogs[1] != cats[1]
    assert served.client.get("/birds").status_code == 404


@pytest.mark.aws
def test_another_runtime_is_served(serve: Serve, project: Path) -> None:
    (project / "other.py").write_text(
        "def handler(event, context):\n"
        "    return {'statusCode': 200, 'body': event['rawPath'] + context.function_name}\n"
    )
    command = ("--", sys.executable, "-m", "awslambdaric", "other.handler")
    served = serve("--runtime", "--no-reload", command=command)
    assert served.client.get("/tea").text == "/teabridge"


def test_a_process_that_ends_is_answered_as_a_failed_function_and_the_next_request_as_ever(
    serve: Serve, project: Path
) -> None:
    served = serve("app:app", "--runtime", "--no-reload")
    first = served.client.get("/").json()["pid"]
    answer = served.client.get("/exit")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    served.said(r"The process of the function bridge ended with 1 invocations in flight \(exit status 3\)")
    served.printed("^leaving$")
    assert served.client.get("/").json()["pid"] != first


def test_a_timeout_ends_the_process_and_not_the_server(serve: Serve, project: Path) -> None:
    (project / "serverless.yml").write_text(
        "provider: {name: aws, runtime: python3.13, timeout: 1}\nfunctions:\n  shop:\n"
        "    handler: bridge.entrypoint.handler\n    environment: {BRIDGE_APP: 'app:app', BRIDGE_LIFESPAN: 'off'}\n"
    )
    served = serve("--runtime", "--no-reload", "--sandboxes", "1")
    assert served.client.get("/block").status_code in (500, 504)
    assert served.client.get("/").status_code == 200


def test_a_function_that_does_not_start_is_tried_again_with_each_request(serve: Serve, project: Path) -> None:
    (project / "app.py").write_text("raise RuntimeError('no tea')\n")
    served = serve("app:app", "--runtime", "--no-reload")
    assert served.client.get("/").status_code == 500
    served.said(r"^ERROR bridge: The function bridge does not start: RuntimeError: no tea\n.*app\.py")
    (project / "app.py").write_text(APPLICATION)
    assert served.client.get("/").status_code == 200


@pytest.mark.slow
def test_processes_are_new_after_a_change(serve: Serve, project: Path) -> None:
    served = serve("app:app", "--runtime")
    first = served.client.get("/").json()["pid"]
    (project / "app.py").write_text(APPLICATION.replace('"path": path', '"path": "changed"'))
    served.said("^Serving ", times=2)
    told = served.client.get("/").json()
    assert told["path"] == "changed"
    assert told["pid"] != first
    assert not is_alive(first)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--no-reload"], ["--reload"]], ids=["no-reload", "reload"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_requests_in_flight_are_answered_and_then_all_processes_end(
    serve: Serve, project: Path, options: list[str], number: signal.Signals
) -> None:
    served = serve("app:app", "--runtime", *options)
    process = served.client.get("/").json()["pid"]
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=30) as client:
        asked = asyncio.create_task(client.get("/slow"))
        await asyncio.sleep(0.3)
        if number == signal.SIGINT:
            served.ctrl_c()
        else:
            served.process.terminate()
        assert (await asked).json()["pid"] == process
    assert await asyncio.to_thread(served.status) == 0
    assert not is_alive(process)
    assert "shut down" in served.out
    assert "Traceback" not in served.err


@pytest.mark.parametrize("options", [["--no-reload"], ["--reload"]], ids=["no-reload", "reload"])
def test_no_process_is_left_if_the_server_is_killed(serve: Serve, project: Path, options: list[str]) -> None:
    served = serve("app:app", "--runtime", *options)
    process = served.client.get("/").json()["pid"]
    served.process.kill()
    until(lambda: not is_alive(process))


@pytest.mark.slow
def test_pyproject_toml_says_it_all(serve: Serve, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.bridge]\napp = "app:app"\nruntime = true\nsource = "function-url"\nresponse-mode = "stream"\n'
        "concurrency = 2\nsandboxes = 1\nreload = false\ndebugger = true\nthreads = 4\n"
    )
    served = serve()
    assert served.client.get("/").json()["AWS_LAMBDA_MAX_CONCURRENCY"] == "2"
    served.printed(r"^GET / 200 \d+ ms \d+ B stream$")
    for option in ("--no-runtime", "--plain"):
        assert serve(option).client.get("/").json()["AWS_LAMBDA_MAX_CONCURRENCY"] is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--runtime", "--debugger"], "--debugger means nothing here: the debugger is in the server's process"),
        (["--runtime", "--threads", "3"], "--threads means nothing here: --sandboxes and --concurrency say"),
        (["--runtime", "--plain"], "not both"),
        (["--concurrency", "3"], "--concurrency means nothing here: only --runtime has --concurrency"),
        (["--sandboxes", "3"], "only --runtime has --sandboxes"),
        (["--response-mode", "stream"], "only --runtime has --response-mode"),
        (["--runtime", "--response-mode", "tea"], "invalid choice: 'tea'"),
        (["--runtime", "--sandboxes", "0"], "'0' is no number from 1 on"),
        (["--runtime", "--concurrency", "many"], "'many' is no number from 1 on"),
        (["--", "python", "app.py"], "The words after -- are the command that --runtime runs"),
    ],
)
def test_options_that_mean_nothing_are_refused(project: Path, words: list[str], why: str) -> None:
    status, _, err = run(project, "serve", "app:app", *words)
    assert status == 2
    assert why in err


def test_a_command_that_is_not_there_is_said_at_the_start(project: Path) -> None:
    status, _, err = run(project, "serve", "--runtime", "--no-reload", "--port", "0", "--", "no-such-program", "x")
    assert status == 1
    assert "no-such-program is no program that can be run" in err


def test_without_a_command_there_must_be_an_application(tmp_path: Path) -> None:
    status, _, err = run(tmp_path, "serve", "--runtime", "--no-reload", "--port", "0")
    assert status == 1
    assert "No application is named" in err


def test_a_commands_own_options_are_its_own(serve: Serve, tmp_path: Path) -> None:
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
    served = serve("--runtime", "--no-reload", command=("--", sys.executable, "program.py", *words))
    assert json.loads(served.client.get("/").text) == list(words)


def test_many_requests_are_in_flight_in_one_process(serve: Serve, project: Path) -> None:
    served = serve("app:app", "--runtime", "--no-reload", "--concurrency", "8", "--sandboxes", "2")
    served.client.get("/")

    async def ask() -> set[Any]:
        async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=30) as client:
            answers = await asyncio.gather(*(client.get("/slow") for _ in range(8)))
        return {answer.json()["pid"] for answer in answers}

    assert len(asyncio.run(ask())) == 1
