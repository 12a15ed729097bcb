"""Which events run a command, what the function returns, and what a command leaves behind."""

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
from bridge.dev.gateway import FRONT_DOORS, Request, compose
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.remote.commands import EVENT_KEY, command_event
from tests.helpers import Context, run_script
from tests.remote.helpers import Function, wsgi


@pytest.mark.parametrize("value", [None, "", "off", "no"])
@pytest.mark.parametrize("options", [{}, {"other_events": lambda event, context: "not a command"}])
def test_commands_are_disabled_by_default(
    monkeypatch: pytest.MonkeyPatch, value: str | None, options: dict[str, Any]
) -> None:
    if value is None:
        monkeypatch.delenv("BRIDGE_REMOTE_COMMANDS", raising=False)
    else:
        monkeypatch.setenv("BRIDGE_REMOTE_COMMANDS", value)
    with pytest.raises(bridge.EventError, match="set its environment variable BRIDGE_REMOTE_COMMANDS=on"):
        bridge.handler(wsgi, **options)(command_event("exec", "print(1)"))


def test_an_invalid_value_of_the_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_REMOTE_COMMANDS", "perhaps")
    with pytest.raises(bridge.SettingError, match="BRIDGE_REMOTE_COMMANDS is 'perhaps'"):
        Function().exec("print(1)")


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_no_http_request_runs_a_command(enabled: None, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    injected = json.dumps(command_event("exec", "print('run')"))
    headers = [("host", "a.example"), (EVENT_KEY, injected)]
    request = Request("POST", "/", f"{EVENT_KEY}=exec", headers, injected.encode())
    event = compose(request, source)
    for sent in (event, {**event, **command_event("exec", "print('run')")}):
        payload = str(bridge.handler(wsgi)(sent))
        assert "fine" in payload or "ZmluZQ" in payload
    assert capsys.readouterr().out == ""


def test_an_event_with_a_second_key_runs_no_command(enabled: None) -> None:
    with pytest.raises(bridge.EventError, match="HTTP request"):
        bridge.handler(wsgi)({**command_event("exec", "print(1)"), "more": 1})


@pytest.mark.parametrize(
    "request_data", [None, "exec", {}, {"command": "other"}, {"command": ["exec"]}, {"command": "exec", "data": 1}]
)
def test_an_event_without_a_valid_command_gets_a_list_of_them(enabled: None, request_data: Any) -> None:
    status, output = bridge.handler(wsgi)({EVENT_KEY: request_data})
    assert status == 1
    assert "NAME is one of exec, command, manage, flask" in output


def test_data_is_empty_by_default(enabled: None) -> None:
    assert bridge.handler(wsgi)({EVENT_KEY: {"command": "exec"}}) == [0, ""]


def test_the_log_names_the_command_without_its_code(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    function.exec("password = 'x'")
    assert caplog.messages == ["Running a remote command: exec."]


def test_a_function_that_gets_no_command_does_not_import_the_package() -> None:
    completed = run_script(
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
    assert (completed.returncode, completed.stdout.strip()) == (0, ""), completed.stderr


async def test_code_may_call_asyncio_run_where_a_loop_is_running(enabled: None) -> None:
    handler = bridge.asgi_handler(wsgi)
    code = "import asyncio\nprint(asyncio.run(asyncio.sleep(0, 'slept')))"
    assert await handler.answer(command_event("exec", code)) == [0, "slept\n"]
    assert asyncio.get_running_loop() is not None
    await handler.asgi.close_here()  # type: ignore[union-attr]


async def test_code_has_the_current_request_where_a_loop_is_running(enabled: None) -> None:
    handler = bridge.asgi_handler(wsgi)
    code = "import bridge\nprint(bridge.current_request().event is event)"
    assert await handler.answer(command_event("exec", code)) == [0, "True\n"]
    await handler.asgi.close_here()  # type: ignore[union-attr]


def test_an_output_above_lambdas_limit_loses_its_middle(function: Function) -> None:
    status, output = function.exec("print('begin'); print('é\\n' * 4_000_000); print('end')")
    assert status == 0
    assert output.startswith("begin\né\n")
    assert output.endswith("é\n\nend\n")
    assert "part of the output is omitted here. It has 12000011 bytes; a Lambda response has at most" in output
    assert LAMBDA_PAYLOAD_LIMIT - 50_000 < len(json.dumps([status, output])) <= LAMBDA_PAYLOAD_LIMIT


def test_a_middle_that_takes_more_room_costs_nothing_of_the_ends(function: Function) -> None:
    result = function.exec("print('x' * 3_200_000 + '\\0' * 4_000_000 + 'x' * 3_200_000)")
    assert LAMBDA_PAYLOAD_LIMIT - 50_000 < len(json.dumps(result)) <= LAMBDA_PAYLOAD_LIMIT


def test_an_output_of_exactly_lambdas_limit_is_complete(function: Function) -> None:
    size = LAMBDA_PAYLOAD_LIMIT - len('[0, ""]')
    assert function.exec(f"print('x' * {size}, end='')") == (0, "x" * size)
    assert "is omitted here" in function.exec(f"print('x' * {size + 1}, end='')")[1]


def test_an_output_of_a_gigabyte_is_not_read_into_memory(function: Function) -> None:
    code = "import os\nprint('begin')\nos.ftruncate(1, 1 << 30)\nos.lseek(1, 0, 2)\nprint('end')"
    status, output = function.exec(code)
    assert (status, output[:6], output[-4:]) == (0, "begin\n", "end\n")
    assert "It has 1073741828 bytes" in output


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("Thread(target=lambda: (time.sleep(0.1), print('late'))).start()", "late\n"),
        (
            "Thread(target=lambda: Timer(0.05, lambda: Timer(0.05, print, ['nested']).start()).start()).start()",
            "nested\n",
        ),
        ("Thread(target=time.sleep, args=(30,), daemon=True).start()", ""),
        ("sys.pool.submit(lambda: time.sleep(0.1) or print('worked'))", "worked\n"),
        ("sys.pool.submit(int).result()\nsys.pool.submit(lambda: time.sleep(0.1) or print('worked'))", "worked\n"),
    ],
    ids=["thread", "threads of threads", "daemon", "worker of a pool", "idle worker of a pool"],
)
def test_threads_of_the_code_are_waited_for_and_idle_pools_are_not(
    function: Function, monkeypatch: pytest.MonkeyPatch, code: str, output: str
) -> None:
    imports = (
        "import sys, time\nfrom threading import Thread, Timer\nfrom concurrent.futures import ThreadPoolExecutor\n"
    )
    monkeypatch.setattr(sys, "pool", None, raising=False)
    assert function.exec(f"{imports}sys.pool = ThreadPoolExecutor(1)\n{code}") == (0, output)
    sys.pool.shutdown()  # type: ignore[attr-defined]


def test_threads_of_concurrent_requests_are_not_waited_for(enabled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    running, stop = threading.Event(), threading.Event()
    other = threading.Thread(target=stop.wait)
    monkeypatch.setattr(sys, "running", running, raising=False)
    monkeypatch.setattr(sys, "other", other, raising=False)

    def start_other() -> None:
        running.wait()
        other.start()

    starter = threading.Thread(target=start_other)
    starter.start()
    code = "import sys, time\nsys.running.set()\nwhile not sys.other.is_alive(): time.sleep(0.01)\nprint('here')"
    assert Function().exec(code) == (0, "here\n")
    stop.set()
    for thread in (starter, other):
        thread.join()


def test_endless_threads_are_waited_for_until_a_second_before_the_timeout(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stop", threading.Event(), raising=False)
    code = "import sys, threading\nprint('started')\nthreading.Thread(target=sys.stop.wait).start()"
    assert function.exec(code, Context(seconds=1.2)) == (0, "started\n")
    sys.stop.set()  # type: ignore[attr-defined]


def test_outputs_of_concurrent_commands_are_separate(enabled: None) -> None:
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


def test_the_state_of_the_process_is_restored(function: Function, tmp_path: Path) -> None:
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


def test_context_variables_of_the_code_are_not_kept(function: Function) -> None:
    code = "import decimal\nprint(decimal.getcontext().prec)\ndecimal.setcontext(decimal.Context(prec=5))"
    assert function.exec(code) == (0, "28\n")
    assert function.exec(code) == (0, "28\n")


def test_a_reference_to_the_codes_standard_output_writes_to_the_log_later(
    function: Function, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "reference", None, raising=False)
    function.exec("import sys\nsys.reference = sys.stdout\nprint('for the caller')")
    sys.reference.write("for the log\n")  # type: ignore[attr-defined]
    assert capfd.readouterr().out == "for the log\n"
