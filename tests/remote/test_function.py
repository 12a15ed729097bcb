"""Which events run a command, what comes back, and what stays behind."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.dev.gateway import SOURCES, Request, compose
from bridge.remote import KEY, event_of
from bridge.sources import LAMBDA_LIMIT
from tests.asgi.asking import Context, run
from tests.remote.asking import Function, wsgi


def test_commands_are_off_unless_the_environment_says_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, "", "off", "no"):
        if value is None:
            monkeypatch.delenv("BRIDGE_REMOTE_COMMANDS", raising=False)
        else:
            monkeypatch.setenv("BRIDGE_REMOTE_COMMANDS", value)
        with pytest.raises(bridge.EventError, match="set its environment variable BRIDGE_REMOTE_COMMANDS to on"):
            Function().exec("print(1)")


def test_a_function_for_other_events_does_not_get_a_command_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_REMOTE_COMMANDS", raising=False)
    handler = bridge.handler(wsgi, other_events=lambda event, context: "mine")
    with pytest.raises(bridge.EventError, match="Remote commands are off"):
        handler(event_of("exec", "print(1)"))


def test_a_switch_that_is_neither_on_nor_off_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_REMOTE_COMMANDS", "perhaps")
    with pytest.raises(bridge.SettingError, match="BRIDGE_REMOTE_COMMANDS is 'perhaps'"):
        Function().exec("print(1)")


@pytest.mark.parametrize("source", SOURCES)
def test_no_request_is_ever_a_command(on: None, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    secret = json.dumps(event_of("exec", "print('run')"))
    request = Request("POST", "/", f"{KEY}=exec", [("host", "a.example"), (KEY, secret)], secret.encode())
    event = compose(request, source)
    for sent in (event, {**event, **event_of("exec", "print('run')")}):
        assert "fine" in str(bridge.handler(wsgi)(sent)) or "ZmluZQ" in str(bridge.handler(wsgi)(sent))
    assert capsys.readouterr().out == ""


def test_an_event_with_another_key_beside_the_command_is_none(on: None) -> None:
    with pytest.raises(bridge.EventError, match="is no HTTP request from a known source"):
        bridge.handler(wsgi)({**event_of("exec", "print(1)"), "more": 1})


@pytest.mark.parametrize(
    "told", [None, "exec", {}, {"command": "other"}, {"command": ["exec"]}, {"command": "exec", "data": 1}]
)
def test_an_event_that_holds_no_known_command_is_explained(on: None, told: Any) -> None:
    with pytest.raises(bridge.EventError, match="the names are exec, command, manage, flask"):
        bridge.handler(wsgi)({KEY: told})


def test_data_that_is_left_out_is_empty(on: None) -> None:
    assert bridge.handler(wsgi)({KEY: {"command": "exec"}}) == [0, ""]


def test_the_log_says_that_a_command_was_run_and_not_which_code(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    function.exec("password = 'x'")
    assert caplog.messages == ["A remote command is run: exec."]


def test_nothing_of_it_is_loaded_by_a_function_that_gets_no_command() -> None:
    done = run(
        """
        import sys, bridge
        handler = bridge.handler(lambda environ, start_response: start_response("200 OK", []) or [])
        handler({"httpMethod": "GET", "path": "/", "headers": {}, "requestContext": {}})
        try:
            handler({"Records": []})
        except bridge.EventError:
            print(*(name for name in sys.modules if name.startswith("bridge.remote")))
        """
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


async def test_where_a_loop_runs_code_may_run_one_of_its_own(on: None) -> None:
    handler = bridge.asgi_handler(wsgi)
    code = "import asyncio\nprint(asyncio.run(asyncio.sleep(0, 'slept')))"
    assert await handler.answer(event_of("exec", code)) == [0, "slept\n"]
    assert asyncio.get_running_loop() is not None
    await handler.hosted.close_here()  # type: ignore[union-attr]


def test_an_output_that_no_answer_carries_loses_its_middle(function: Function) -> None:
    status, output = function.exec("print('begin'); print('é\\n' * 4_000_000); print('end')")
    assert status == 0
    assert output.startswith("begin\né\n")
    assert output.endswith("é\n\nend\n")
    assert "a part of the output is left out here. It has 12000011 bytes, and a function's answer at most" in output
    assert LAMBDA_LIMIT - 50_000 < len(json.dumps([status, output])) <= LAMBDA_LIMIT


def test_an_output_that_just_fits_is_whole(function: Function) -> None:
    size = LAMBDA_LIMIT - len('[0, ""]')
    assert function.exec(f"print('x' * {size}, end='')") == (0, "x" * size)
    assert "is left out here" in function.exec(f"print('x' * {size + 1}, end='')")[1]


def test_an_output_of_a_gigabyte_is_not_read_into_memory(function: Function) -> None:
    code = "import os\nprint('begin')\nos.ftruncate(1, 1 << 30)\nos.lseek(1, 0, 2)\nprint('end')"
    status, output = function.exec(code)
    assert (status, output[:6], output[-4:]) == (0, "begin\n", "end\n")
    assert "It has 1073741828 bytes" in output


def test_threads_that_the_code_leaves_running_are_waited_for(function: Function) -> None:
    code = "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()"
    assert function.exec(code) == (0, "late\n")


def test_threads_of_threads_are_waited_for(function: Function) -> None:
    code = """
from threading import Thread, Timer
Thread(target=lambda: Timer(0.05, lambda: Timer(0.05, print, ["last"]).start()).start()).start()
"""
    assert function.exec(code) == (0, "last\n")


def test_threads_of_others_are_not_waited_for(on: None) -> None:
    begun, over = threading.Event(), threading.Event()
    sys.begun, sys.other = begun, threading.Thread(target=over.wait)  # type: ignore[attr-defined]
    starter = threading.Thread(target=lambda: begun.wait() and sys.other.start())  # type: ignore[attr-defined]
    starter.start()
    code = "import sys, time\nsys.begun.set()\nwhile not sys.other.is_alive(): time.sleep(0.01)\nprint('here')"
    assert Function().exec(code) == (0, "here\n")
    over.set()
    for thread in (starter, sys.other):  # type: ignore[attr-defined]
        thread.join()
    del sys.begun, sys.other  # type: ignore[attr-defined]


def test_threads_that_never_end_are_waited_for_no_longer_than_there_is_time(function: Function) -> None:
    code = "import threading\nstop = threading.Event()\nimport sys\nsys.stop = stop\n"
    status, output = function.exec(
        f"{code}print('begun')\nthreading.Thread(target=stop.wait).start()", Context(seconds=1.2)
    )
    sys.stop.set()  # type: ignore[attr-defined]
    del sys.stop  # type: ignore[attr-defined]
    assert (status, output) == (0, "begun\n")


def test_a_pool_of_threads_that_is_left_idle_is_not_waited_for(function: Function) -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
import sys
sys.pool = ThreadPoolExecutor(1)
sys.pool.submit(lambda: __import__("time").sleep(0.1) or print("worked"))
"""
    assert function.exec(code) == (0, "worked\n")
    sys.pool.shutdown()  # type: ignore[attr-defined]
    del sys.pool  # type: ignore[attr-defined]


def test_commands_at_the_same_time_do_not_mix_their_outputs(on: None) -> None:
    function = Function()
    outputs = []

    def call(name: str) -> None:
        outputs.append(function.exec(f"import time\nprint({name!r})\ntime.sleep(0.05)\nprint({name!r})")[1])

    threads = [threading.Thread(target=call, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outputs) == ["a\na\n", "b\nb\n", "c\nc\n"]


def test_the_process_is_afterwards_as_it_was(function: Function, tmp_path: Path) -> None:
    def state() -> Any:
        root = logging.getLogger()
        streams = (sys.stdin, sys.stdout, sys.stderr, sys.__stdout__)
        descriptors = [os.fstat(number)[:3] for number in (0, 1, 2)]
        names = dict(os.environ), [*sys.argv], [*sys.path], sys.modules["__main__"], Path.cwd()
        logs = root.level, [*root.handlers], logging.root.manager.disable, logging.getLogger("bridge").disabled
        return (*streams, *descriptors, *names, *logs, [*warnings.filters])

    before = state()
    status, output = function.exec(f"""
import io, logging, logging.config, os, sys, warnings
os.environ["A_NEW_ONE"] = "1"
os.environ["PATH"] = "/nowhere"
del os.environ["BRIDGE_REMOTE_COMMANDS"]
os.chdir({str(tmp_path)!r})
sys.argv[:] = ["x"]
sys.path.clear()
sys.stdout.close()
sys.stdout = io.StringIO()
sys.stderr = None
warnings.simplefilter("error")
logging.basicConfig(level=1, force=True)
logging.disable(50)
logging.config.dictConfig({{"version": 1}})
os.close(1)
os.close(2)
1 / 0
""")
    assert state() == before
    assert status == 1
    assert output.endswith("ZeroDivisionError: division by zero\n")


def test_a_context_variable_of_the_code_is_not_seen_later(function: Function) -> None:
    code = "import decimal\nprint(decimal.getcontext().prec)\ndecimal.setcontext(decimal.Context(prec=5))"
    assert function.exec(code) == (0, "28\n")
    assert function.exec(code) == (0, "28\n")


def test_what_a_logger_or_thread_keeps_of_standard_output_is_the_log_s_later(
    function: Function, capfd: pytest.CaptureFixture[str]
) -> None:
    function.exec("import sys\nsys.kept = sys.stdout\nprint('for the caller')")
    sys.kept.write("for the log\n")  # type: ignore[attr-defined]
    del sys.kept  # type: ignore[attr-defined]
    assert capfd.readouterr().out == "for the log\n"
