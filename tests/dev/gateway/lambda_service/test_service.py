"""Processes of a function, which are started, used again and ended as Lambda does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import Request, compose
from bridge.dev.gateway.lambda_service import FunctionError, LambdaService, ReceivedStream
from tests.dev.gateway.processes import (
    AWS_RUNTIME,
    BRIDGE_RUNTIME,
    SCRIPTED_RUNTIME,
    is_alive,
    read_all,
    scripted_function,
    wait_until,
    write_app,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PROCESS = "respond(os.getpid())"
HANDLER = """
import os, time
from pathlib import Path

def handler(event, context):
    if event.get("raise"):
        raise ValueError("cold tea")
    if gate := event.get("gate"):
        Path(gate + f".{event['n']}").touch()
        while not Path(gate).exists():
            time.sleep(0.005)
    return {"pid": os.getpid(), "event": event, "name": context.function_name}
"""
RUNTIMES = pytest.mark.parametrize(
    "command",
    [(*BRIDGE_RUNTIME, "app:handler"), pytest.param((*AWS_RUNTIME, "app.handler"), marks=pytest.mark.aws)],
    ids=["bridge", "awslambdaric"],
)


def wait_at(gate: Path) -> str:
    """An event whose process creates a file beside *gate*, waits for that one, and responds with its ID."""
    return f"Path(f'{gate}.{{os.getpid()}}').touch(); wait_for({str(gate)!r}); {PROCESS}"


async def wait_for_arrivals(gate: Path, count: int) -> None:
    await wait_until(lambda: len(list(gate.parent.glob("gate.*"))) == count)


@RUNTIMES
async def test_a_process_is_used_again(command: Sequence[str], tmp_path: Path) -> None:
    write_app(tmp_path, HANDLER)
    async with LambdaService(command, name="teapot", folder=tmp_path) as function:
        answers = [await function.invoke({"n": n, "text": "é\u2615"}) for n in range(5)]
    assert len({answer["pid"] for answer in answers}) == 1
    assert [answer["event"] for answer in answers] == [{"n": n, "text": "é\u2615"} for n in range(5)]
    assert answers[0]["name"] == "teapot"


@RUNTIMES
async def test_parallel_requests_start_processes_up_to_the_limit_and_the_rest_wait(
    command: Sequence[str], tmp_path: Path
) -> None:
    write_app(tmp_path, HANDLER)
    gate = tmp_path / "gate"
    async with LambdaService(command, folder=tmp_path, timeout=30, sandboxes=2) as function:
        requests = [asyncio.create_task(function.invoke({"gate": str(gate), "n": n})) for n in range(3)]
        await wait_for_arrivals(gate, 2)
        gate.touch()
        answers = await asyncio.gather(*requests)
    assert [answer["event"]["n"] for answer in answers] == [0, 1, 2]
    assert len({answer["pid"] for answer in answers}) == 2


@RUNTIMES
async def test_an_exception_fails_the_invocation_and_the_process_lives_on(
    command: Sequence[str], tmp_path: Path
) -> None:
    write_app(tmp_path, HANDLER)
    async with LambdaService(command, folder=tmp_path) as function:
        before = await function.invoke({})
        with pytest.raises(FunctionError, match="cold tea") as caught:
            await function.invoke({"raise": True})
        assert caught.value.kind == "ValueError"
        assert "app.py" in "".join(caught.value.stack)
        assert (await function.invoke({}))["pid"] == before["pid"]


@RUNTIMES
async def test_an_init_error_is_logged_and_the_next_request_starts_another_process(
    command: Sequence[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_app(tmp_path, "import nothing_of_that_name")
    async with LambdaService(command, folder=tmp_path) as function:
        with pytest.raises(FunctionError, match="nothing_of_that_name"):
            await function.invoke({})
        assert "does not start: Runtime.ImportModuleError: " in caplog.text
        write_app(tmp_path, HANDLER)
        assert (await function.invoke({"n": 1}))["event"] == {"n": 1}


@pytest.mark.aws
async def test_awslambdaric_answers_several_requests_at_once_with_child_processes(tmp_path: Path) -> None:
    write_app(tmp_path, HANDLER)
    gate = tmp_path / "gate"
    command = (*AWS_RUNTIME, "app.handler")
    async with LambdaService(command, folder=tmp_path, timeout=30, concurrency=3, sandboxes=1) as function:
        requests = [asyncio.create_task(function.invoke({"gate": str(gate), "n": n})) for n in range(3)]
        await wait_for_arrivals(gate, 3)
        gate.touch()
        processes = {(await request)["pid"] for request in requests}
    assert len(processes) == 3
    await wait_until(lambda: not any(map(is_alive, processes)))  # init reaps them a moment later


async def test_one_process_answers_several_requests_at_once(tmp_path: Path) -> None:
    code = """
    import asyncio, os
    inside = 0
    full = asyncio.Event()
    async def handler(event, context):
        global inside
        inside += 1
        if inside == 8:
            full.set()
        await full.wait()
        return os.getpid()
    """
    write_app(tmp_path, code)
    command = (*BRIDGE_RUNTIME, "app:handler")
    async with LambdaService(command, folder=tmp_path, concurrency=8, sandboxes=3) as function:
        processes = await asyncio.gather(*(function.invoke(n) for n in range(8)))
    assert len(set(processes)) == 1


async def test_a_request_over_the_concurrency_of_one_process_goes_to_another(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with scripted_function(concurrency=2, sandboxes=2) as function:  # whose runtime requests one at a time
        requests = [asyncio.create_task(function.invoke(wait_at(gate))) for _ in range(3)]
        await wait_for_arrivals(gate, 2)
        gate.touch()
        assert len(set(await asyncio.gather(*requests))) == 2


async def test_the_environment_is_that_of_a_lambda_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSIDE", "outside")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    environment = {"OWN": "own", "AWS_EXECUTION_ENV": "AWS_Lambda_test"}
    options: Any = {"name": "teapot", "handler": "app.handler", "folder": tmp_path, "environment": environment}
    async with scripted_function(**options) as function:
        variables = await function.invoke("respond(dict(os.environ, cwd=os.getcwd()))")
    expected = {
        "AWS_LAMBDA_FUNCTION_NAME": "teapot",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/teapot",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_test",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "_HANDLER": "app.handler",
        "IS_OFFLINE": "True",
        "OWN": "own",
        "OUTSIDE": "outside",
        "cwd": str(tmp_path),
    }
    assert {name: variables.get(name) for name in expected} == expected
    assert variables["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert "AWS_LAMBDA_MAX_CONCURRENCY" not in variables


async def test_the_environment_has_the_concurrency() -> None:
    async with scripted_function(concurrency=16) as function:
        assert await function.invoke("respond(os.environ['AWS_LAMBDA_MAX_CONCURRENCY'])") == "16"


@pytest.mark.parametrize(
    ("code", "cause"), [("os._exit(7)", "exit status 7"), ("os.kill(os.getpid(), 9)", "signal: SIGKILL")]
)
async def test_a_process_that_ends_fails_the_invocation_and_is_replaced(
    code: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted_function(sandboxes=1) as function:
        first = await function.invoke(PROCESS)
        with pytest.raises(FunctionError, match=cause) as caught:
            await function.invoke(code)
        assert caught.value.kind == "Runtime.ExitError"
        assert "ended with 1 invocations in flight" in caplog.text
        assert await function.invoke(PROCESS) != first


async def test_a_process_that_ends_between_two_requests_is_replaced() -> None:
    async with scripted_function(sandboxes=1) as function:
        first = await function.invoke("respond(os.getpid()); os._exit(1)")
        assert await function.invoke(PROCESS) != first


async def kill_and_forget(function: LambdaService, pid: int) -> None:
    """Kill a process, and return before asyncio has noticed its end."""
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # a thread of asyncio has waited for it
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            time.sleep(0.001)


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_requests_that_a_killed_process_has_not_begun_go_to_another(concurrency: int) -> None:
    async with scripted_function(concurrency=concurrency, sandboxes=1) as function:
        first = await function.invoke(PROCESS)
        await asyncio.sleep(0.2)  # the process requests the next invocation
        await kill_and_forget(function, first)
        answers = await asyncio.gather(*[function.invoke(PROCESS) for _ in range(40)])
    assert first not in answers


@pytest.mark.skipif(sys.platform != "linux", reason="another system may not reset the connections of a killed process")
async def test_requests_that_a_killed_process_has_not_read_go_to_another(tmp_path: Path) -> None:
    write_app(tmp_path, HANDLER)
    command = (*BRIDGE_RUNTIME, "app:handler")
    async with LambdaService(command, folder=tmp_path, concurrency=4, sandboxes=1) as function:
        first = (await function.invoke({}))["pid"]
        await asyncio.sleep(0.2)  # the process requests the next invocation
        os.kill(first, signal.SIGSTOP)
        tasks = [asyncio.create_task(function.invoke({"n": n})) for n in range(6)]
        await asyncio.sleep(0.1)  # the invocations are sent
        os.kill(first, signal.SIGKILL)
        answers = await asyncio.gather(*tasks)
    assert [answer["event"]["n"] for answer in answers] == list(range(6))
    assert first not in {answer["pid"] for answer in answers}


@pytest.mark.skipif(sys.platform != "linux", reason="another system may not reset the connections of a killed process")
async def test_an_invocation_that_no_process_reads_fails() -> None:
    code = """
import os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
connection = socket.create_connection((host, int(port)))
connection.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nhost: runtime\\r\\n\\r\\n")
connection.recv(1, socket.MSG_PEEK)
"""
    async with LambdaService((sys.executable, "-c", code), sandboxes=1) as function:
        with pytest.raises(FunctionError, match="exit status 0"):
            await function.invoke(1)


async def test_requests_wait_for_another_process_if_one_is_killed_before_it_is_up(tmp_path: Path) -> None:
    mark = tmp_path / "killed"
    code = f"""
import os, pathlib
mark = pathlib.Path({str(mark)!r})
if not mark.exists():
    mark.touch()
    os.kill(os.getpid(), 9)
"""
    async with scripted_function(sandboxes=1) as function:
        config = function._function
        run = [config.command[0], "-c", f"{code}\nos.execv({config.command[0]!r}, {list(config.command)!r})"]
        function._function = replace(config, command=tuple(run))
        answers = await asyncio.gather(*[function.invoke(PROCESS) for _ in range(40)])
    assert mark.exists()
    assert len(answers) == 40


async def test_processes_that_are_killed_again_and_again_fail_the_waiting_requests() -> None:
    async with LambdaService((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), sandboxes=1) as function:
        with pytest.raises(FunctionError, match="signal: SIGKILL"):
            await function.invoke(1)


async def test_a_process_that_ends_while_it_streams_cuts_the_stream_off() -> None:
    async with scripted_function() as function:
        code = "sock = connect(); begin(sock); chunk(sock, b'half'); time.sleep(0.3); os._exit(3)"
        stream = await function.invoke(code)
        assert await anext(stream) == b"half"
        with pytest.raises(FunctionError):
            await anext(stream)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ((sys.executable, "-c", "raise SystemExit(9)"), r"Runtime\.ExitError: .*exit status 9"),
        (("no-such-program",), r"no-such-program cannot be started: No such file"),
        ((str(Path(__file__)),), r"cannot be started: Permission denied"),
    ],
    ids=["exit", "missing", "not executable"],
)
async def test_a_process_that_does_not_start_fails_all_waiting_requests(command: Sequence[str], message: str) -> None:
    async with LambdaService(command) as function:
        for _ in range(2):
            requests = [function.invoke(n) for n in range(10)]
            for error in await asyncio.gather(*requests, return_exceptions=True):
                assert isinstance(error, FunctionError)
                assert re.search(message, str(error))


async def test_a_timeout_ends_the_process_which_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted_function(timeout=0.5, sandboxes=1) as function:
        first = await function.invoke(PROCESS)
        with pytest.raises(FunctionError, match=r"Task timed out after 0\.50 seconds") as caught:
            await function.invoke("time.sleep(60)")
        assert caught.value.kind == "Sandbox.Timedout"
        assert "Task timed out after 0.50 seconds" in caplog.text
        assert await function.invoke(PROCESS) != first
        await wait_until(lambda: not is_alive(first))


async def test_the_start_of_a_process_does_not_count_towards_the_timeout() -> None:
    async with scripted_function(timeout=0.5, environment={"INIT": "time.sleep(0.8)"}) as function:
        assert await function.invoke("respond('in time')") == "in time"


async def test_a_timeout_cuts_a_stream_off() -> None:
    async with scripted_function(timeout=0.5) as function:
        stream = await function.invoke("sock = connect(); begin(sock); chunk(sock, b'half'); time.sleep(60)")
        assert await anext(stream) == b"half"
        with pytest.raises(FunctionError, match="Task timed out"):
            await anext(stream)


async def test_work_after_the_response_counts_towards_the_timeout(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted_function(timeout=0.5) as function:
        process = await function.invoke("respond(os.getpid()); time.sleep(60)")
        await wait_until(lambda: not is_alive(process))
        assert "It had answered" in caplog.text
        assert await function.invoke(PROCESS) != process


async def test_while_a_process_works_after_its_response_another_one_answers() -> None:
    async with scripted_function(timeout=30) as function:
        process = await function.invoke("respond(os.getpid()); time.sleep(60)")
        assert await function.invoke(PROCESS) != process


async def test_cancelling_a_request_ends_its_process() -> None:
    async with scripted_function(timeout=30, sandboxes=1) as function:
        process = await function.invoke(PROCESS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(function.invoke("time.sleep(60)"), 0.2)
        await wait_until(lambda: not is_alive(process))
        assert await function.invoke(PROCESS) != process


async def test_cancelling_a_waiting_request_removes_it_from_the_queue(tmp_path: Path) -> None:
    gate, executed = tmp_path / "gate", tmp_path / "executed"
    async with scripted_function(timeout=30, sandboxes=1) as function:
        running = asyncio.create_task(function.invoke(f"wait_for({str(gate)!r}); {PROCESS}"))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(function.invoke(f"Path({str(executed)!r}).touch(); {PROCESS}"), 0.2)
        gate.touch()
        assert await function.invoke(PROCESS) == await running
    assert not executed.exists()


async def test_all_processes_end_with_the_service(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with scripted_function(sandboxes=3, timeout=30) as function:
        running = asyncio.gather(*(function.invoke(wait_at(gate)) for _ in range(3)))
        await wait_for_arrivals(gate, 3)
        gate.touch()
        processes = await running
    assert len(set(processes)) == 3
    assert not any(map(is_alive, processes))


@pytest.mark.slow
async def test_a_process_that_ignores_sigterm_is_killed() -> None:
    async with scripted_function() as function:
        process = await function.invoke(f"import signal; signal.signal({signal.SIGTERM:d}, signal.SIG_IGN); {PROCESS}")
    assert not is_alive(process)


async def test_requests_in_flight_fail_when_the_service_ends() -> None:
    async with scripted_function(sandboxes=1) as function:
        await function.invoke(PROCESS)
        requests = [asyncio.create_task(function.invoke("time.sleep(60)")) for _ in range(2)]
        await asyncio.sleep(0.05)
    for error in await asyncio.gather(*requests, return_exceptions=True):
        assert isinstance(error, FunctionError)


async def test_the_children_of_a_process_end_with_it() -> None:
    async with scripted_function() as function:
        child = await function.invoke("import subprocess; respond(subprocess.Popen(['sleep', '60']).pid)")
        with pytest.raises(FunctionError):
            await function.invoke("os._exit(0)")
        await wait_until(lambda: not is_alive(child))


def test_processes_end_when_the_server_is_killed() -> None:
    code = f"""
        import asyncio
        from bridge.dev.gateway.lambda_service import LambdaService

        async def main():
            async with LambdaService({SCRIPTED_RUNTIME!r}) as function:
                print(await function.invoke({PROCESS!r}), flush=True)
                await function.invoke("time.sleep(60)")

        asyncio.run(main())
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    with server.stdout:
        process = int(server.stdout.readline())
        assert is_alive(process)
        server.kill()
        server.wait()
        with contextlib.suppress(TimeoutError):
            asyncio.run(wait_until(lambda: not is_alive(process)))
    assert not is_alive(process)


async def test_an_asgi_application_streams(tmp_path: Path) -> None:
    code = """
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        for n in range(5):
            await send({"type": "http.response.body", "body": b"%d;" % n, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})
    """
    write_app(tmp_path, code)
    event = compose(Request("GET", "/", headers=[("host", "x")]), "function-url")
    options: Any = {"folder": tmp_path, "environment": {"BRIDGE_RESPONSE_MODE": "stream"}}
    async with LambdaService((*BRIDGE_RUNTIME, "app:app"), **options) as function:
        for _ in range(3):
            stream = await function.invoke(event)
            assert isinstance(stream, ReceivedStream)
            prelude, _, body = (await read_all(stream)).partition(b"\0" * 8)
            assert prelude == b'{"statusCode": 200, "headers": {"content-type": "text/plain"}}'
            assert body == b"0;1;2;3;4;end"
