"""How a process with an ASGI application ends, and what becomes of the application in a child of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from tests.helpers import ROOT, run_script

PRELUDE = """
import asyncio, os, signal, sys, threading, time
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
"""


# An application whose request leaves a thread at work, which ends with the shutdown. It lies in a function's text, so
# all lines but the first have that one's indentation.
WORKING = textwrap.indent(
    """
stop = threading.Event()
async def working(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        stop.set()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        begin()
        asyncio.get_running_loop().run_in_executor(None, lambda: (stop.wait(), say("worker ends")))
        await app(scope, receive, send)
handler = bridge.asgi_handler(working)
say(get(handler))
""",
    " " * 8,
).strip()


def output(script: str, code: int = 0) -> list[str]:
    """What a script says, after the application above; it ends with this code, and without a word on stderr."""
    done = run_script(PRELUDE + textwrap.dedent(script), check=False)
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout.splitlines()


class TestExit:
    @pytest.mark.parametrize("ending", ["", "sys.exit(0)", "threading.Thread(target=time.sleep, args=(0.05,)).start()"])
    def test_the_lifespan_is_shut_down(self, ending: str) -> None:
        assert output(f"say(get(handler))\n{ending}") == ["startup", "(200, b'/')", "shutdown"]

    def test_it_is_shut_down_though_the_process_ends_with_an_error(self) -> None:
        done = run_script(PRELUDE + "get(handler)\nraise ValueError", check=False)
        assert (done.returncode, done.stdout.split()) == (1, ["startup", "shutdown"])

    def test_every_application_is_shut_down_whatever_becomes_of_the_others(self) -> None:
        script = """
        async def rude(scope, receive, send):
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                raise SystemExit(3)
        first, second = bridge.asgi_handler(app), bridge.asgi_handler(rude)
        handler.startup()
        second.startup()
        first.startup()
        """
        done = run_script(PRELUDE + textwrap.dedent(script), check=False)
        assert done.stdout.split() == ["startup", "startup", "shutdown", "shutdown"]

    @pytest.mark.parametrize("mode", ["auto", "off"])
    def test_idle_worker_threads_do_not_hold_it_up(self, mode: str) -> None:
        script = f"""
        import anyio
        async def work(path):
            return await anyio.to_thread.run_sync(lambda: path)
        handler = bridge.asgi_handler(app, lifespan="{mode}")
        say(get(handler))
        """
        lines = output(script)
        assert lines == (["(200, b'/')"] if mode == "off" else ["startup", "(200, b'/')", "shutdown"])

    def test_a_worker_thread_that_works_until_the_shutdown_does_not_hold_it_up(self) -> None:
        script = f"""
        def begin():
            pass
        {WORKING}
        """
        assert output(script) == ["(200, b'/')", "worker ends"]

    def test_nor_does_one_of_an_executor_that_a_request_is_the_first_to_need(self) -> None:
        script = f"""
        def begin():
            say("concurrent.futures.thread" in sys.modules)
        {WORKING}
        """
        assert output(script) == ["False", "(200, b'/')", "worker ends"]

    def test_a_loop_that_a_thread_drives_does_not_hold_it_up(self) -> None:
        script = """
        async def inside():
            say(get(handler))
        asyncio.run(inside())
        """
        assert output(script) == ["startup", "(200, b'/')", "shutdown"]

    def test_an_application_that_will_not_end_does_not_hold_it_up(self) -> None:
        script = """
        import bridge.asgi.lifespan, bridge.asgi.loop
        bridge.asgi.lifespan.PATIENCE_SECONDS = bridge.asgi.loop.END_SECONDS = 0.05
        async def deaf(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
            while True:
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    pass
        handler = bridge.asgi_handler(deaf)
        handler.startup()
        say("end")
        """
        done = run_script(PRELUDE + textwrap.dedent(script), check=False)
        assert (done.returncode, done.stdout) == (0, "end\n")

    @pytest.mark.parametrize("shared", [True, False])
    def test_a_loop_that_is_blocked_forever_does_not_hold_it_up(self, shared: bool) -> None:
        script = f"""
        import bridge.asgi.loop
        bridge.asgi.loop._LAST_SECONDS = bridge.asgi.loop.END_SECONDS = 0.1
        begun = threading.Event()
        async def work(path):
            begun.set()
            threading.Event().wait()
        handler.startup()
        if {shared}:
            handler.hosted._own._share()
        threading.Thread(target=get, args=(handler,), daemon=True).start()
        begun.wait()
        say("end")
        """
        done = run_script(PRELUDE + textwrap.dedent(script), check=False)
        assert done.stdout.split() == ["startup", "end"]
        assert "blocked" in done.stderr

    def test_a_request_of_another_thread_is_answered_first(self) -> None:
        script = """
        begun = threading.Event()
        async def work(path):
            begun.set()
            await asyncio.sleep(0.1)
            return path
        threading.Thread(target=lambda: say(get(handler))).start()
        begun.wait()
        """
        assert sorted(output(script)) == ["(200, b'/')", "shutdown", "startup"]

    def test_a_handler_that_was_closed_is_not_shut_down_again(self) -> None:
        assert output("get(handler); handler.close(); say('closed')") == ["startup", "shutdown", "closed"]


class TestSigterm:
    """Lambda sends it before it drops a sandbox."""

    def test_an_idle_process_shuts_down_and_dies_of_it(self) -> None:
        script = """
        get(handler)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        say("never")
        """
        assert output(script, -signal.SIGTERM) == ["startup", "shutdown"]

    def test_a_request_in_flight_is_answered_first(self) -> None:
        script = """
        async def work(path):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            return path
        say(get(handler))
        time.sleep(10)
        say("never")
        """
        assert output(script, -signal.SIGTERM) == ["startup", "(200, b'/')", "shutdown"]

    def test_who_had_the_signal_before_has_it_afterwards(self) -> None:
        script = """
        signal.signal(signal.SIGTERM, lambda number, frame: (say("mine", number), sys.exit(5)))
        get(handler)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        say("never")
        """
        assert output(script, 5) == ["startup", "shutdown", f"mine {signal.SIGTERM:d}"]

    def test_a_process_that_ignores_it_keeps_its_application(self) -> None:
        script = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        get(handler)
        os.kill(os.getpid(), signal.SIGTERM)
        say(get(handler))
        """
        assert output(script) == ["startup", "(200, b'/')", "shutdown"]

    def test_a_process_whose_main_thread_runs_another_loop_shuts_down_and_dies_of_it(self) -> None:
        script = """
        async def inside():
            get(handler)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(10)
            say("never")
        asyncio.run(inside())
        """
        assert output(script, -signal.SIGTERM) == ["startup", "shutdown"]

    def test_a_handler_of_another_thread_leaves_the_signal_alone(self) -> None:
        script = """
        thread = threading.Thread(target=get, args=(handler,))
        thread.start()
        thread.join()
        say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """
        assert output(script) == ["startup", "True", "shutdown"]

    def test_a_wsgi_handler_leaves_the_signal_alone(self) -> None:
        script = """
        def plain(environ, start_response):
            start_response("200 OK", [])
            return [b"fine"]
        say(get(bridge.wsgi_handler(plain)), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """
        assert output(script) == ["(200, b'fine') True"]


class TestFork:
    def test_a_child_answers_with_a_loop_and_a_lifespan_of_its_own(self) -> None:
        script = """
        say(get(handler, "/parent"))
        sys.stdout.flush()
        child = os.fork()
        if not child:
            say(get(handler, "/child"))
            sys.exit()
        os.waitpid(child, 0)
        say(get(handler, "/parent"))
        """
        assert output(script) == [
            "startup",
            "(200, b'/parent')",
            "startup",
            "(200, b'/child')",
            "shutdown",
            "(200, b'/parent')",
            "shutdown",
        ]

    def test_so_does_a_child_of_a_process_whose_loop_a_thread_drives(self) -> None:
        script = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        async def inside():
            get(handler, "/parent")
        asyncio.run(inside())
        child = os.fork()
        if not child:
            say(get(handler, "/child"))
            sys.exit()
        os.waitpid(child, 0)
        say(get(handler, "/parent"))
        """
        assert output(script) == [
            "startup",
            "startup",
            "(200, b'/child')",
            "shutdown",
            "(200, b'/parent')",
            "shutdown",
        ]

    @pytest.mark.parametrize("ending", ["process.join()", "process.terminate(); process.join()"])
    def test_a_child_that_a_request_starts_leaves_the_application_alone(self, ending: str) -> None:
        script = f"""
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        fork = multiprocessing.get_context("fork")
        async def work(path):
            process = fork.Process(target=time.sleep, args=({60 if "terminate" in ending else 0},))
            process.start()
            {ending}
            return process.exitcode
        say(get(handler), get(handler))
        """
        code = -signal.SIGTERM if "terminate" in ending else 0
        assert output(script) == ["startup", f"(200, b'{code:d}') (200, b'{code:d}')", "shutdown"]

    def test_a_child_may_call_the_handler_while_the_parent_s_request_waits(self) -> None:
        script = """
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        fork = multiprocessing.get_context("fork")
        def child():
            say(get(handler, "/child"))
        async def work(path):
            if path == "/parent":
                process = fork.Process(target=child)
                process.start()
                process.join()
            return path
        say(get(handler, "/parent"))
        """
        assert output(script) == [
            "startup",
            "startup",
            "(200, b'/child')",
            "shutdown",
            "(200, b'/parent')",
            "shutdown",
        ]


def test_ctrl_c_ends_a_request_and_shuts_the_lifespan_down() -> None:
    # Python notices a signal that comes just before a wait begins only when the wait is over: so not before it waits.
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
