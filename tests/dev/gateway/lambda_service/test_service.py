"""Lambda on this machine: processes that are started, used again and ended as Lambda does it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway.lambda_service import FunctionError, LambdaService, ReceivedStream
from tests.dev.gateway.processes import AWS, BRIDGE, PUPPET, gather, is_alive, puppet, until, write

if TYPE_CHECKING:
    from collections.abc import Sequence

PROCESS = "respond(os.getpid())"
HANDLER = """
import os, sys, time
from pathlib import Path

print("imported", os.getpid(), file=sys.stderr)

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
    [(*BRIDGE, "app:handler"), pytest.param((*AWS, "app.handler"), marks=pytest.mark.aws)],
    ids=["bridge", "awslambdaric"],
)


def _behind(gate: Path) -> str:
    """An event whose process leaves a file beside *gate*, waits for that one, and tells who it is."""
    return f"Path(f'{gate}.{{os.getpid()}}').touch(); wait_for({str(gate)!r}); {PROCESS}"


@RUNTIMES
async def test_a_process_is_used_again(command: Sequence[str], tmp_path: Path) -> None:
    write(tmp_path, HANDLER)
    async with LambdaService(command, name="teapot", folder=tmp_path) as function:
        answers = [await function.invoke({"n": n, "text": "é\u2615"}) for n in range(5)]
    assert len({answer["pid"] for answer in answers}) == 1
    assert [answer["event"] for answer in answers] == [{"n": n, "text": "é\u2615"} for n in range(5)]
    assert answers[0]["name"] == "teapot"


@RUNTIMES
async def test_more_requests_start_more_processes_up_to_the_most_and_the_rest_wait(
    command: Sequence[str], tmp_path: Path
) -> None:
    write(tmp_path, HANDLER)
    gate = tmp_path / "gate"
    async with LambdaService(command, folder=tmp_path, timeout=30, sandboxes=2) as function:
        asked = [asyncio.create_task(function.invoke({"gate": str(gate), "n": n})) for n in range(3)]
        await until(lambda: len(list(tmp_path.glob("gate.*"))) == 2)
        gate.touch()
        answers = await asyncio.gather(*asked)
    assert [answer["event"]["n"] for answer in answers] == [0, 1, 2]
    assert len({answer["pid"] for answer in answers}) == 2


@RUNTIMES
async def test_an_exception_is_the_functions_own_and_the_process_lives_on(
    command: Sequence[str], tmp_path: Path
) -> None:
    write(tmp_path, HANDLER)
    async with LambdaService(command, folder=tmp_path) as function:
        before = await function.invoke({})
        with pytest.raises(FunctionError, match="cold tea") as caught:
            await function.invoke({"raise": True})
        assert caught.value.kind == "ValueError"
        assert "app.py" in "".join(caught.value.stack)
        assert (await function.invoke({}))["pid"] == before["pid"]


@RUNTIMES
async def test_a_function_that_does_not_start_says_why_and_is_tried_again(
    command: Sequence[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "import nothing_of_that_name")
    async with LambdaService(command, folder=tmp_path) as function:
        with pytest.raises(FunctionError, match="nothing_of_that_name"):
            await function.invoke({})
        assert "does not start: Runtime.ImportModuleError: " in caplog.text
        write(tmp_path, HANDLER)
        assert (await function.invoke({"n": 1}))["event"] == {"n": 1}


@pytest.mark.aws
async def test_another_runtime_answers_many_at_once_with_processes_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, HANDLER)
    gate = tmp_path / "gate"
    command = (*AWS, "app.handler")
    async with LambdaService(command, folder=tmp_path, timeout=30, concurrency=3, sandboxes=1) as function:
        asked = [asyncio.create_task(function.invoke({"gate": str(gate), "n": n})) for n in range(3)]
        await until(lambda: len(list(tmp_path.glob("gate.*"))) == 3)
        gate.touch()
        processes = {(await answer)["pid"] for answer in asked}
    assert len(processes) == 3
    await until(lambda: not any(map(is_alive, processes)))  # children of others, gone a moment later


async def test_one_process_answers_many_at_once(tmp_path: Path) -> None:
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
    write(tmp_path, code)
    async with LambdaService((*BRIDGE, "app:handler"), folder=tmp_path, concurrency=8, sandboxes=3) as function:
        processes = await asyncio.gather(*(function.invoke(n) for n in range(8)))
    assert len(set(processes)) == 1


async def test_what_one_process_does_not_take_goes_to_another(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with puppet(concurrency=2, sandboxes=2) as function:  # which asks for one at a time all the same
        slow = [asyncio.create_task(function.invoke(_behind(gate))) for _ in range(3)]
        await until(lambda: len(list(tmp_path.glob("gate.*"))) == 2)
        gate.touch()
        assert len(set(await asyncio.gather(*slow))) == 2


async def test_the_environment_is_lambdas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSIDE", "outside")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    given = {"OWN": "own", "AWS_EXECUTION_ENV": "AWS_Lambda_test"}
    options: Any = {"name": "teapot", "handler": "app.handler", "folder": tmp_path, "environment": given}
    async with puppet(**options) as function:
        seen = await function.invoke("respond(dict(os.environ, cwd=os.getcwd()))")
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
    assert {name: seen.get(name) for name in expected} == expected
    assert seen["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert "AWS_LAMBDA_MAX_CONCURRENCY" not in seen


async def test_the_environment_says_how_many_are_in_flight_at_once() -> None:
    async with puppet(concurrency=16) as function:
        assert await function.invoke("respond(os.environ['AWS_LAMBDA_MAX_CONCURRENCY'])") == "16"


@pytest.mark.parametrize(
    ("end", "what"), [("os._exit(7)", "exit status 7"), ("os.kill(os.getpid(), 9)", "signal: SIGKILL")]
)
async def test_a_process_that_ends_has_failed_and_another_one_is_started(
    end: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with puppet(sandboxes=1) as function:
        first = await function.invoke(PROCESS)
        with pytest.raises(FunctionError, match=what) as caught:
            await function.invoke(end)
        assert caught.value.kind == "Runtime.ExitError"
        assert "ended with 1 invocations in flight" in caplog.text
        assert await function.invoke(PROCESS) != first


async def test_a_process_that_ends_between_two_requests_is_missed_by_nobody() -> None:
    async with puppet(sandboxes=1) as function:
        first = await function.invoke("respond(os.getpid()); os._exit(1)")
        assert await function.invoke(PROCESS) != first


async def test_a_process_that_ends_while_it_streams_cuts_the_stream_off() -> None:
    async with puppet() as function:
        stream = await function.invoke("sock = dial(); begin(sock); chunk(sock, b'half'); time.sleep(0.3); os._exit(3)")
        assert await anext(stream) == b"half"
        with pytest.raises(FunctionError):
            await anext(stream)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((sys.executable, "-c", "raise SystemExit(9)"), r"Runtime\.ExitError: .*exit status 9"),
        (("no-such-program",), r"no-such-program cannot be started: No such file"),
        ((str(Path(__file__)),), r"cannot be started: Permission denied"),
    ],
    ids=["exit", "missing", "no program"],
)
async def test_a_process_that_never_asks_for_work_fails_all_that_wait(command: Sequence[str], why: str) -> None:
    async with LambdaService(command) as function:
        for _ in range(2):
            asked = [function.invoke(n) for n in range(10)]
            for error in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(error, FunctionError)
                assert re.search(why, str(error))
        with pytest.raises(FunctionError, match=why):
            await function.invoke(1)


async def test_a_timeout_ends_the_process_and_another_one_is_started(caplog: pytest.LogCaptureFixture) -> None:
    async with puppet(timeout=0.5, sandboxes=1) as function:
        first = await function.invoke(PROCESS)
        with pytest.raises(FunctionError, match=r"Task timed out after 0\.50 seconds") as caught:
            await function.invoke("time.sleep(60)")
        assert caught.value.kind == "Sandbox.Timedout"
        assert "Task timed out after 0.50 seconds" in caplog.text
        assert await function.invoke(PROCESS) != first
        await until(lambda: not is_alive(first))


async def test_the_start_is_no_part_of_the_time_of_an_invocation() -> None:
    async with puppet(timeout=0.5, environment={"INIT": "time.sleep(0.8)"}) as function:
        assert await function.invoke("respond('in time')") == "in time"


async def test_a_timeout_cuts_a_stream_off() -> None:
    async with puppet(timeout=0.5) as function:
        stream = await function.invoke("sock = dial(); begin(sock); chunk(sock, b'half'); time.sleep(60)")
        assert await anext(stream) == b"half"
        with pytest.raises(FunctionError, match="Task timed out"):
            await anext(stream)


async def test_what_goes_on_after_the_answer_has_the_time_of_the_invocation(caplog: pytest.LogCaptureFixture) -> None:
    async with puppet(timeout=0.5) as function:
        process = await function.invoke("respond(os.getpid()); time.sleep(60)")
        await until(lambda: not is_alive(process))
        assert "It had answered" in caplog.text
        assert await function.invoke(PROCESS) != process


async def test_while_one_goes_on_after_its_answer_another_answers() -> None:
    async with puppet(timeout=30) as function:
        process = await function.invoke("respond(os.getpid()); time.sleep(60)")
        assert await function.invoke(PROCESS) != process


async def test_the_process_of_a_request_that_nobody_waits_for_is_ended() -> None:
    async with puppet(timeout=30, sandboxes=1) as function:
        process = await function.invoke(PROCESS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(function.invoke("time.sleep(60)"), 0.2)
        await until(lambda: not is_alive(process))
        assert await function.invoke(PROCESS) != process


async def test_a_request_that_waits_in_vain_is_given_up(tmp_path: Path) -> None:
    gate, seen = tmp_path / "gate", tmp_path / "seen"
    async with puppet(timeout=30, sandboxes=1) as function:
        slow = asyncio.create_task(function.invoke(f"wait_for({str(gate)!r}); {PROCESS}"))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(function.invoke(f"Path({str(seen)!r}).touch(); {PROCESS}"), 0.2)
        gate.touch()
        assert await function.invoke(PROCESS) == await slow
    assert not seen.exists()


async def test_all_processes_end_with_the_service(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with puppet(sandboxes=3, timeout=30) as function:
        running = asyncio.gather(*(function.invoke(_behind(gate)) for _ in range(3)))
        await until(lambda: len(list(tmp_path.glob("gate.*"))) == 3)
        gate.touch()
        processes = await running
    assert len(set(processes)) == 3
    assert not any(map(is_alive, processes))


@pytest.mark.slow
async def test_a_process_that_does_not_mind_sigterm_is_ended_all_the_same() -> None:
    async with puppet() as function:
        process = await function.invoke(f"import signal; signal.signal({signal.SIGTERM:d}, signal.SIG_IGN); {PROCESS}")
    assert not is_alive(process)


async def test_requests_in_flight_are_told_that_the_service_ends() -> None:
    async with puppet(sandboxes=1) as function:
        await function.invoke(PROCESS)
        asked = [asyncio.create_task(function.invoke("time.sleep(60)")) for _ in range(2)]
        await asyncio.sleep(0.05)
    for error in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(error, FunctionError)


async def test_what_a_process_leaves_behind_ends_with_it() -> None:
    left = "import subprocess; left = subprocess.Popen(['sleep', '60']); respond(left.pid)"
    async with puppet() as function:
        process = await function.invoke(left)
        with pytest.raises(FunctionError):
            await function.invoke("os._exit(0)")
        await until(lambda: not is_alive(process))


def test_no_process_is_left_if_the_server_is_killed(tmp_path: Path) -> None:
    code = f"""
        import asyncio
        from bridge.dev.gateway.lambda_service import LambdaService

        async def main():
            async with LambdaService({PUPPET!r}) as function:
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
            asyncio.run(until(lambda: not is_alive(process)))
    assert not is_alive(process)


async def test_an_application_streams(tmp_path: Path) -> None:
    code = """
    import asyncio
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        for n in range(5):
            await send({"type": "http.response.body", "body": b"%d;" % n, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})
    """
    write(tmp_path, code)
    from bridge.dev.gateway import Request, compose

    event = compose(Request("GET", "/", headers=[("host", "x")]), "function-url")
    options: Any = {"folder": tmp_path, "environment": {"BRIDGE_RESPONSE_MODE": "stream"}}
    async with LambdaService((*BRIDGE, "app:app"), **options) as function:
        for _ in range(3):
            stream = await function.invoke(event)
            assert isinstance(stream, ReceivedStream)
            prelude, _, body = (await gather(stream)).partition(b"\0" * 8)
            assert prelude == b'{"statusCode": 200, "headers": {"content-type": "text/plain"}}'
            assert body == b"0;1;2;3;4;end"
