"""Applications are shut down once, at SIGTERM or at the end of the process, and not by child processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from tests.helpers import ROOT, run_script

PRELUDE = """
import asyncio, multiprocessing, os, signal, sys, threading, time, warnings
import bridge
from tests.helpers import get

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

async def work(path):
    return path

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        say("startup")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        say("shutdown")
        await send({"type": "lifespan.shutdown.complete"})
    else:
        text = str(await work(scope["path"]))
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": text.encode()})

handler = bridge.asgi_handler(app)
warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12 and later, about forks of processes with threads
fork = multiprocessing.get_context("fork")
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script after the prelude, whatever its exit status."""
    return run_script(PRELUDE + textwrap.dedent(script), check=False)


def output(script: str, status: int = 0) -> list[str]:
    """The lines that a script prints; it ends with this status and prints nothing on standard error."""
    process = run(script)
    assert (process.returncode, process.stderr) == (status, "")
    return process.stdout.splitlines()


class TestExit:
    @pytest.mark.parametrize("ending", ["", "sys.exit(0)", "threading.Thread(target=time.sleep, args=(0.05,)).start()"])
    def test_the_application_is_shut_down(self, ending: str) -> None:
        assert output(f"say(get(handler))\n{ending}") == ["startup", "(200, b'/')", "shutdown"]

    def test_the_application_is_shut_down_after_an_exception(self) -> None:
        process = run("get(handler)\nraise ValueError")
        assert (process.returncode, process.stdout.split()) == (1, ["startup", "shutdown"])

    def test_every_application_is_shut_down_although_one_raises(self) -> None:
        process = run("""
        async def exiting(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            raise SystemExit(3)
        second, third = bridge.asgi_handler(exiting), bridge.asgi_handler(app)
        for each in (handler, second, third):
            each.startup()
        """)
        assert process.stdout.split() == ["startup", "startup", "shutdown", "shutdown"]

    def test_a_closed_handler_is_not_shut_down_again(self) -> None:
        assert output("get(handler); handler.close(); say('closed')") == ["startup", "shutdown", "closed"]

    @pytest.mark.parametrize("mode", ["auto", "off"])
    def test_idle_worker_threads_of_anyio_do_not_delay_the_exit(self, mode: str) -> None:
        lines = output(f"""
        import anyio
        async def work(path):
            return await anyio.to_thread.run_sync(lambda: path)
        handler = bridge.asgi_handler(app, lifespan="{mode}")
        say(get(handler))
        """)
        assert lines == (["(200, b'/')"] if mode == "off" else ["startup", "(200, b'/')", "shutdown"])

    def test_an_application_that_ignores_its_shutdown_does_not_prevent_the_exit(self) -> None:
        process = run("""
        import bridge.asgi.lifespan, bridge.asgi.loop
        bridge.asgi.lifespan.SHUTDOWN_SECONDS = bridge.asgi.loop.CLOSE_SECONDS = 0.05
        async def ignoring(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
            while True:
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    pass
        handler = bridge.asgi_handler(ignoring)
        handler.startup()
        say("end")
        """)
        assert (process.returncode, process.stdout) == (0, "end\n")

    def test_a_request_that_blocks_the_loop_forever_does_not_prevent_the_exit(self) -> None:
        process = run("""
        import bridge.asgi.application, bridge.asgi.loop
        bridge.asgi.application.LOCK_SECONDS = bridge.asgi.loop.LOCK_SECONDS = bridge.asgi.loop.CLOSE_SECONDS = 0.1
        begun = threading.Event()
        async def work(path):
            begun.set()
            threading.Event().wait()
        handler.startup()
        threading.Thread(target=get, args=(handler,), daemon=True).start()
        begun.wait()
        say("end")
        """)
        assert (process.returncode, process.stdout.split()) == (0, ["startup", "end"])
        assert "a request blocks its event loop" in process.stderr

    def test_a_request_of_another_thread_is_answered_first(self) -> None:
        lines = output("""
        begun = threading.Event()
        async def work(path):
            begun.set()
            await asyncio.sleep(0.1)
            return path
        threading.Thread(target=lambda: say(get(handler))).start()
        begun.wait()
        """)
        assert sorted(lines) == ["(200, b'/')", "shutdown", "startup"]


class TestSigterm:
    def test_an_idle_process_shuts_the_application_down_and_ends_by_the_signal(self) -> None:
        lines = output(
            """
            get(handler)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
            """,
            -signal.SIGTERM,
        )
        assert lines == ["startup", "shutdown"]

    @pytest.mark.parametrize("in_thread", [False, True])
    def test_requests_that_are_being_answered_come_first(self, in_thread: bool) -> None:
        lines = output(
            f"""
            async def work(path):
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(0.05)
                return path
            handler.startup()
            if {in_thread}:
                threading.Thread(target=lambda: say(get(handler)), daemon=True).start()
            else:
                say(get(handler))
            time.sleep(10)
            """,
            -signal.SIGTERM,
        )
        assert lines == ["startup", "(200, b'/')", "shutdown"]

    @pytest.mark.parametrize("is_before", [False, True], ids=["during the wait", "before"])
    def test_tasks_that_a_request_leaves_behind_are_not_waited_for(self, is_before: bool) -> None:
        lines = output(
            f"""
            async def forever():
                if not {is_before}:
                    os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.Event().wait()
            async def work(path):
                globals()["task"] = asyncio.create_task(forever())
                if {is_before}:
                    os.kill(os.getpid(), signal.SIGTERM)
                return path
            handler = bridge.asgi_handler(app, background_seconds=600)
            say(get(handler))
            time.sleep(10)
            """,
            -signal.SIGTERM,
        )
        assert lines == ["startup", "(200, b'/')", "shutdown"]

    def test_the_previous_signal_handler_is_called_after_the_shutdown(self) -> None:
        lines = output(
            """
            signal.signal(signal.SIGTERM, lambda number, frame: (say("previous", number), sys.exit(5)))
            get(handler)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
            """,
            5,
        )
        assert lines == ["startup", "shutdown", f"previous {signal.SIGTERM:d}"]

    def test_a_process_that_ignores_the_signal_keeps_its_application(self) -> None:
        lines = output("""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        get(handler)
        os.kill(os.getpid(), signal.SIGTERM)
        say(get(handler))
        """)
        assert lines == ["startup", "(200, b'/')", "shutdown"]

    @pytest.mark.parametrize(
        "start",
        [
            "thread = threading.Thread(target=handler.startup); thread.start(); thread.join()",
            "get(bridge.wsgi_handler(lambda environ, start_response: start_response('200 OK', []) and []))",
        ],
        ids=["another thread", "WSGI"],
    )
    def test_only_an_asgi_application_started_in_the_main_thread_changes_the_signal_handler(self, start: str) -> None:
        lines = output(f"{start}\nsay(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)")
        assert [line for line in lines if line not in ("startup", "shutdown")] == ["True"]


class TestFork:
    @pytest.mark.parametrize(
        ("ending", "status"),
        [("sys.exit()", 0), ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(10)", -signal.SIGTERM)],
    )
    def test_a_child_does_not_shut_the_application_down(self, ending: str, status: int) -> None:
        lines = output(f"""
        get(handler)
        child = os.fork()
        if not child:
            {ending}
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        say(get(handler))
        """)
        assert lines == ["startup", f"{status:d}", "(200, b'/')", "shutdown"]

    @pytest.mark.parametrize("is_terminated", [False, True])
    def test_a_child_that_a_request_starts_does_not_shut_the_application_down(self, is_terminated: bool) -> None:
        lines = output(f"""
        def child(begun):
            begun.set()
            time.sleep({60 if is_terminated else 0})
        async def work(path):
            begun = fork.Event()
            process = fork.Process(target=child, args=(begun,))
            process.start()
            begun.wait()
            if {is_terminated}:
                process.terminate()
            process.join()
            return process.exitcode
        say(get(handler), get(handler))
        """)
        status = -signal.SIGTERM if is_terminated else 0
        assert lines == ["startup", f"(200, b'{status:d}') (200, b'{status:d}')", "shutdown"]

    def test_a_child_shuts_its_own_applications_down(self) -> None:
        process = run("""
        get(handler)
        child = os.fork()
        if not child:
            get(bridge.asgi_handler(app))
            sys.exit()
        os.waitpid(child, 0)
        say("parent")
        """)
        assert process.stdout.split() == ["startup", "startup", "shutdown", "parent", "shutdown"]


def test_ctrl_c_ends_a_request_and_shuts_the_application_down() -> None:
    # Python ignores a signal that arrives just before a wait until the wait ends, so the signal is sent later.
    script = """
    async def work(path):
        threading.Timer(0.3, say, ["begun"]).start()
        await asyncio.sleep(100)
    get(handler)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        try:
            rest, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert [*lines, rest] == ["startup\n", "begun\n", "shutdown\n"]
    assert "KeyboardInterrupt" in errors
