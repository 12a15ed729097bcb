"""``python -m bridge.runtime``: the application that it finds, and how the process starts and ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.commands import IN_THREAD, ON_EVENT_LOOP
from tests.runtime.scripted import ACCEPTED, ScriptedApi, invocation, reply, scripted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "bridge" / "runtime" / "bootstrap"
APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"from ", environ["PATH_INFO"].encode()]

app = application

def handler(event, context):
    return {"name": context.function_name}

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"from ASGI"})
"""
EVENT = json.dumps(
    {
        "version": "2.0",
        "rawPath": "/here",
        "rawQueryString": "",
        "headers": {"host": "x.example"},
        "requestContext": {"http": {"method": "GET"}},
    }
).encode()


async def run(
    folder: Path,
    *arguments: str,
    command: Sequence[str] = IN_THREAD,
    variables: Mapping[str, str] | None = None,
    replies: Sequence[bytes] = (invocation(EVENT), ACCEPTED),
    requests: int = 0,
    end: signal.Signals = signal.SIGTERM,
) -> tuple[ScriptedApi, str, int]:
    """Run a process, and end it by a signal after some *requests*: while it waits for a reply after *replies*, if 0.

    Returns:
        The API, what the process has printed, and its exit status.
    """
    async with scripted(*replies) as server:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_LAMBDA_RUNTIME_API": server.address,
            "AWS_LAMBDA_FUNCTION_NAME": "shop",
            "LAMBDA_TASK_ROOT": str(folder),
            **(variables or {}),
        }
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        while len(server.requests) < (requests or len(replies) + 1) and process.returncode is None:
            await asyncio.sleep(0.01)
        if process.returncode is None:
            process.send_signal(end)
        printed, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return server, printed.decode(), process.returncode


def payload(server: ScriptedApi) -> Any:
    assert server.requests[1].path.endswith("/response"), server.requests[1].body
    return json.loads(server.requests[1].body)


@pytest.fixture
def command(is_on_loop: bool) -> Sequence[str]:
    return ON_EVENT_LOOP if is_on_loop else IN_THREAD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["shop:app"], {}),
        (["shop.application"], {"BRIDGE_APP": "nothing:here"}),
        ([], {"BRIDGE_APP": "shop:app", "_HANDLER": "nothing.here"}),
        ([], {"_HANDLER": "shop.app"}),
        ([], {"_HANDLER": "bridge.entrypoint.handler", "BRIDGE_APP": "shop:app"}),
    ],
)
async def test_the_application_is_named_by_argument_variable_or_handler(
    folder: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    server, printed, status = await run(folder, *arguments, variables=variables)

    assert (payload(server)["body"], status) == ("from /here", 0), printed


async def test_the_handler_of_serverless_wsgi_stands_for_the_application_in_its_file(folder: Path) -> None:
    (folder / ".serverless-wsgi").write_text('{"app": "shop.app"}')

    server, _, _ = await run(folder, variables={"_HANDLER": "wsgi_handler.handler"})

    assert payload(server)["body"] == "from /here"


async def test_a_lambda_handler_is_called_directly(folder: Path, command: Sequence[str]) -> None:
    server, _, _ = await run(folder, command=command, variables={"_HANDLER": "shop.handler"})

    assert payload(server) == {"name": "shop"}


WRAPPER = """
import wrapt
from bridge.entrypoint import handler

def traced(wrapped, instance, args, kwargs):
    payload = wrapped(*args, **kwargs)
    return {**payload, "body": "traced " + payload["body"]}

handler = wrapt.FunctionWrapper(handler, traced)
"""


@pytest.mark.parametrize("app", ["shop:app", "shop:asgi"])
async def test_a_wrapper_that_a_telemetry_library_puts_around_the_entry_point_is_called(
    folder: Path, command: Sequence[str], app: str
) -> None:
    (folder / "wrapper.py").write_text(WRAPPER)
    variables = {
        "BRIDGE_APP": app,
        "_HANDLER": "wrapper.handler",
        "ORIG_HANDLER": "bridge.entrypoint.handler",
        "BRIDGE_RESPONSE_MODE": "stream",
    }

    server, printed, _ = await run(folder, command=command, variables=variables)

    assert payload(server)["body"].startswith("traced from")
    assert "BRIDGE_RESPONSE_MODE=stream has no effect: the handler" in printed


async def test_a_handler_that_is_not_called_because_bridge_app_is_set_is_logged(folder: Path) -> None:
    server, printed, _ = await run(folder, variables={"BRIDGE_APP": "shop:app", "_HANDLER": "wrapper.handler"})

    assert payload(server)["body"] == "from /here"
    assert "BRIDGE_APP is shop:app, so the handler wrapper.handler is not called." in printed


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run on Windows")
@pytest.mark.parametrize("mode", ["buffer", "stream"])
async def test_an_application_may_choose_uvloop(folder: Path, command: Sequence[str], mode: str) -> None:
    with (folder / "shop.py").open("a") as file:
        file.write(
            """
import asyncio, uvloop
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

async def app(scope, receive, send):
    if scope["type"] == "http":
        print(type(asyncio.get_running_loop()).__module__)
        await asyncio.sleep(0.001)
    await asgi(scope, receive, send)
"""
        )
    event = json.loads(EVENT)
    event["requestContext"]["domainName"] = "abc.lambda-url.eu-west-1.on.aws"
    replies = [invocation(json.dumps(event).encode()), ACCEPTED] * 2

    server, printed, status = await run(
        folder, "shop:app", command=command, variables={"BRIDGE_RESPONSE_MODE": mode}, replies=replies
    )

    assert all(b"from ASGI" in request.body for request in server.requests[1:4:2])
    assert (printed, status) == ("uvloop\nuvloop\nshut down\n", 0)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_while_the_process_waits_shuts_the_application_down(
    folder: Path, command: Sequence[str], end: signal.Signals
) -> None:
    server, printed, status = await run(folder, "shop:asgi", command=command, end=end)

    assert payload(server)["body"] == "from ASGI"
    assert (printed, status) == ("shut down\n", 0)


@pytest.mark.parametrize("policy", ["asyncio.DefaultEventLoopPolicy", "uvloop.EventLoopPolicy"])
async def test_a_signal_ends_the_wait_for_tasks_that_a_request_has_left(
    folder: Path, command: Sequence[str], policy: str
) -> None:
    with (folder / "shop.py").open("a") as file:
        file.write(
            f"""
import asyncio, uvloop
asyncio.set_event_loop_policy({policy}())

async def app(scope, receive, send):
    if scope["type"] == "http":
        scope["keep"] = asyncio.create_task(asyncio.sleep(1000))
    await asgi(scope, receive, send)
"""
        )

    server, printed, status = await run(
        folder, "shop:app", command=command, variables={"BRIDGE_BACKGROUND_SECONDS": "600"}, requests=2
    )

    assert payload(server)["body"] == "from ASGI"
    assert (printed, status) == ("shut down\n", 0)


async def test_hooks_run_on_the_event_loop_of_the_application(folder: Path, command: Sequence[str]) -> None:
    hooks = """
import asyncio
import snapshot_restore_py

async def app(scope, receive, send):
    snapshot_restore_py.register_after_restore(after, asyncio.get_running_loop())
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def after(loop):
    print(asyncio.get_running_loop() is loop)
"""
    (folder / "hooks.py").write_text(hooks)
    variables = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}

    server, printed, status = await run(
        folder, "hooks:app", command=command, variables=variables, replies=[reply(200, "")]
    )

    assert (printed, status) == ("True\n", 0)
    assert [request.path for request in server.requests] == ["/restore/next", "/invocation/next"]


STARTUP_FAILS = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


@pytest.mark.parametrize(
    ("code", "name", "kind", "message"),
    [
        ("import nothing_like_it", "shop.app", "Runtime.ImportModuleError", "nothing_like_it"),
        ("def broken(:", "shop.app", "Runtime.UserCodeSyntaxError", "shop.py"),
        ("app = None", "shop.app", "InterfaceError", "cannot be called"),
        ("app = 1", "shop.nothing", "Runtime.HandlerNotFound", "no attribute 'nothing'"),
        ("raise LookupError('at import')", "shop.app", "LookupError", "at import"),
        ("import sys; sys.exit(4)", "shop.app", "SystemExit", "4"),
        (STARTUP_FAILS, "shop.app", "LifespanError", "no database"),
        ("async def app(scope, receive, send): raise SystemExit(4)", "shop.app", "SystemExit", "4"),
    ],
)
async def test_an_application_that_cannot_start_is_an_init_error(
    tmp_path: Path, command: Sequence[str], code: str, name: str, kind: str, message: str
) -> None:
    (tmp_path / "shop.py").write_text(code)

    server, printed, status = await run(tmp_path, name, command=command, replies=[ACCEPTED])

    (request,) = server.requests
    report = json.loads(request.body)
    assert (request.path, report["errorType"], status) == ("/init/error", kind, 1)
    assert message in report["errorMessage"]
    assert message in printed


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"BRIDGE_RESPONSE_MODE": "streaming"}, "allowed is stream or buffer"),
        ({"AWS_LAMBDA_MAX_CONCURRENCY": "many"}, "must be a number"),
    ],
)
async def test_an_invalid_variable_is_an_init_error(folder: Path, variables: dict[str, str], message: str) -> None:
    server, _, status = await run(folder, "shop:app", variables=variables, replies=[ACCEPTED])

    assert message in json.loads(server.requests[0].body)["errorMessage"]
    assert status == 1


async def test_a_runtime_api_that_fails_ends_the_process_with_a_message(folder: Path, command: Sequence[str]) -> None:
    _, printed, status = await run(folder, "shop:asgi", command=command, replies=[reply(500, "State.Broken")])

    assert status == 1
    assert "This process ends: The Runtime API replied with 500: State.Broken" in printed
    assert "Traceback" not in printed
    assert "shut down" in printed


@pytest.mark.parametrize("arguments", [[], ["--help"], ["a:b", "c:d"]])
def test_outside_of_lambda_the_message_names_the_local_command(arguments: list[str]) -> None:
    done = subprocess.run(
        [*IN_THREAD, *arguments], cwd=ROOT, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    )

    assert done.returncode == 2
    assert "bridge serve --runtime" in done.stderr


@pytest.mark.parametrize("name", ["shop.handler", "shop.app"])
@pytest.mark.parametrize("mode", ["buffer", "stream"])
async def test_a_function_without_asgi_imports_no_asyncio_and_nothing_else_that_it_does_not_need(
    folder: Path, name: str, mode: str
) -> None:
    with (folder / "shop.py").open("a") as file:
        file.write("\nimport atexit, sys\natexit.register(lambda: print(*sys.modules))\n")
    event = json.loads(EVENT)
    event["requestContext"]["domainName"] = "abc.lambda-url.eu-west-1.on.aws"
    without_site_packages = (sys.executable, "-S", "-m", "bridge.runtime")

    server, printed, _ = await run(
        folder,
        name,
        command=without_site_packages,
        variables={"BRIDGE_RESPONSE_MODE": mode},
        replies=[invocation(json.dumps(event).encode()), ACCEPTED],
    )

    assert server.requests[1].path == "/invocation/r-1/response"
    unneeded = {"asyncio", "dataclasses", "email", "http.client", "importlib.metadata", "inspect", "ssl", "typing"}
    assert unneeded & set(printed.split()) == set()


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh")
class TestTheWrapperScript:
    async def test_starts_the_runtime_in_place_of_lambda_s_own_client(self, folder: Path) -> None:
        command = (str(BOOTSTRAP), sys.executable, "-X", "utf8", "/var/runtime/bootstrap.py")

        server, printed, _ = await run(folder, command=command, variables={"_HANDLER": "shop.app", "PYTHONPATH": ""})

        assert payload(server)["body"] == "from /here", printed

    @pytest.mark.parametrize("is_first", [False, True])
    async def test_may_precede_or_follow_another_wrapper(self, folder: Path, is_first: bool) -> None:
        other = folder / "other-wrapper"
        other.write_text('#!/bin/sh\nOTHER=was-there exec "$@"\n')
        other.chmod(0o755)
        scripts = (str(BOOTSTRAP), str(other)) if is_first else (str(other), str(BOOTSTRAP))
        command = (*scripts, sys.executable, "/var/runtime/bootstrap.py")
        with (folder / "shop.py").open("a") as file:
            file.write("\nimport os\nprint(os.environ['OTHER'])\n")

        server, printed, _ = await run(folder, command=command, variables={"_HANDLER": "shop.app", "PYTHONPATH": ""})

        assert payload(server)["body"] == "from /here", printed
        assert printed == "was-there\n"

    @pytest.mark.parametrize("arguments", [[], ["shop:app"]])
    async def test_without_a_command_starts_the_interpreter_that_a_variable_names(
        self, folder: Path, arguments: list[str]
    ) -> None:
        variables = {"_HANDLER": "shop.app", "BRIDGE_PYTHON": sys.executable, "PYTHONPATH": ""}

        server, printed, _ = await run(folder, *arguments, command=(str(BOOTSTRAP),), variables=variables)

        assert payload(server)["body"] == "from /here", printed

    @pytest.mark.parametrize("is_relative", [False, True])
    async def test_may_be_a_link(self, folder: Path, is_relative: bool) -> None:
        (folder / "bootstrap").symlink_to(BOOTSTRAP)
        command = ("./bootstrap" if is_relative else str(folder / "bootstrap"),)
        variables = {"BRIDGE_PYTHON": sys.executable, "PYTHONPATH": ""}

        server, printed, _ = await run(folder, "shop:app", command=command, variables=variables)

        assert payload(server)["body"] == "from /here", printed

    async def test_starts_no_other_program(self, folder: Path) -> None:
        variables = {"_HANDLER": "shop.app", "PATH": ""}

        server, printed, _ = await run(
            folder, command=(str(BOOTSTRAP), sys.executable, "client.py"), variables=variables
        )

        assert payload(server)["body"] == "from /here", printed
