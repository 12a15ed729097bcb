"""The life of a process of ``bridge.runtime`` behind AWS's emulator: lifespan, background tasks, deadline, SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway import Answer, Request, compose
from tests.end_to_end.emulator import BRIDGE_CLIENT, InvocationError
from tests.end_to_end.runtimes import APPS, FRAMEWORKS, ask_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

    Ask = Callable[[Emulator, Request], Answer]

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TIMEOUT_SECONDS = 2


def ask_whole(function: Emulator, request: Request) -> Answer:
    return function.ask(request, "function-url")


MODES: dict[str, Ask] = {"buffer": ask_whole, "stream": ask_stream}
both_modes = pytest.mark.parametrize("mode", MODES)


def process_of(function: Emulator, mode: str = "buffer") -> int:
    return int(json.loads(MODES[mode](function, Request(path="/about")).body)["process"])


@pytest.fixture
def run(start: Start) -> Callable[[str, str], Emulator]:
    def run(app: str, mode: str) -> Emulator:
        return start(FRAMEWORKS, app, command=BRIDGE_CLIENT, variables={"BRIDGE_RESPONSE_MODE": mode})

    return run


@both_modes
def test_one_lifespan_holds_a_pool_for_all_requests_and_closes_it_at_sigterm(
    run: Callable[[str, str], Emulator], mode: str
) -> None:
    function = run("fastapi_app:app", mode)

    answers = [MODES[mode](function, Request(path="/pool")) for _ in range(5)]  # more than it has connections
    os.kill(process_of(function, mode), signal.SIGTERM)
    function.wait_for("exited: exit status 0")

    assert [answer.body for answer in answers] == [b'"answered"'] * 5
    assert function.log.count("pool: opened") == function.log.count("pool: closed") == 1


@both_modes
@pytest.mark.parametrize("app", ["FastAPI", "Starlette", "Quart"])
def test_a_background_task_ends_after_the_answer_and_before_the_next_request(
    run: Callable[[str, str], Emulator], app: str, mode: str
) -> None:
    function = run(APPS[app], mode)

    for what in ("tea", "milk"):
        answer = MODES[mode](function, Request(path="/background", query=f"what={what}"))
        assert (answer.status, answer.body.strip(b'"')) == (200, b"answered")
    function.wait_for("written down: milk")

    said = re.findall("answered: .*|written down: .*", function.log)
    assert said == ["answered: tea", "written down: tea", "answered: milk", "written down: milk"]


@both_modes
def test_sigterm_lets_a_request_and_its_background_task_come_to_their_end(
    run: Callable[[str, str], Emulator], mode: str
) -> None:
    function = run("fastapi_app:app", mode)
    process = process_of(function, mode)

    with ThreadPoolExecutor() as threads:
        answer = threads.submit(MODES[mode], function, Request(path="/background", query="what=tea"))
        function.wait_for("answered: tea")
        os.kill(process, signal.SIGTERM)

    # The emulator sends SIGTERM to nobody in the middle of an invocation, and an invocation is over for it when the
    # next one is asked for: it complains of the process that ended, and shows what it had from it.
    error = answer.exception()
    assert isinstance(error, InvocationError)
    assert b"answered" in error.payload
    assert "exited: exit status 0" in function.log
    assert function.log.index("written down: tea") < function.log.index("pool: closed")


@both_modes
@pytest.mark.parametrize("folder", ["asgi", "wsgi"])
def test_an_application_that_exits_ends_its_process_and_the_next_request_gets_a_new_one(
    start: Start, folder: str, mode: str
) -> None:
    function = start(folder, "app:app", command=BRIDGE_CLIENT, variables={"BRIDGE_RESPONSE_MODE": mode})
    ask = MODES[mode]
    before = json.loads(ask(function, Request(path="/echo")).body)["process"]

    with pytest.raises(InvocationError, match="ended"):
        ask(function, Request(path="/exit"))

    assert "The function called sys.exit(3): this process ends." in function.log
    assert "exited: exit status 3" in function.log
    assert function.log.count("lifespan: shut down") == (folder == "asgi")
    assert json.loads(ask(function, Request(path="/echo")).body)["process"] != before


def test_an_answer_that_is_too_large_is_a_500_and_the_process_lives_on(start: Start) -> None:
    function = start("many", "asgi:app", command=BRIDGE_CLIENT, variables={"PARTIES": "1"})
    before = at_the_barrier(function, "buffer")

    answer = ask_whole(function, Request(path="/large", query="size=7000000"))

    assert (answer.status, answer.body[:26]) == (500, b"The response is too large:")
    assert at_the_barrier(function, "buffer") == before


def test_a_stream_that_aws_refuses_in_the_middle_leaves_the_process_alive(start: Start) -> None:
    variables = {"PARTIES": "1", "BRIDGE_RESPONSE_MODE": "stream"}
    function = start("many", "asgi:app", command=BRIDGE_CLIENT, variables=variables)
    before = at_the_barrier(function, "stream")

    # more than the emulator passes on; Lambda itself lets 200 MB through
    with pytest.raises(InvocationError, match="ResponseSizeTooLarge"):
        function.invoke(compose(Request(path="/large", query="size=20000000"), "function-url"))

    assert at_the_barrier(function, "stream") == before


def at_the_barrier(function: Emulator, mode: str) -> int:
    """The process of a function whose requests wait for no others."""
    return int(json.loads(MODES[mode](function, Request(path="/barrier", query="name=me")).body)["process"])


@pytest.fixture(scope="module", params=MODES)
def stuck(request: pytest.FixtureRequest, start_for_module: Start) -> tuple[Emulator, Ask]:
    variables = {"BRIDGE_RESPONSE_MODE": request.param}
    function = start_for_module(
        "stuck", "asgi.handler", timeout=TIMEOUT_SECONDS, command=BRIDGE_CLIENT, variables=variables
    )
    return warm(function, MODES[request.param]), MODES[request.param]


def warm(function: Emulator, ask: Ask) -> Emulator:
    """The emulator counts the import for the first invocation; a busy machine may need more than one for it."""
    for _ in range(4):
        try:
            ask(function, Request(path="/process"))
        except InvocationError:
            continue
        break
    return function


@pytest.mark.parametrize("how", ["in_await", "in_sleep", "in_a_thread"])
def test_an_application_that_never_ends_is_a_504_before_the_deadline_and_the_next_request_works(
    stuck: tuple[Emulator, Ask], how: str
) -> None:
    function, ask = stuck
    before = ask(function, Request(path="/process")).body

    answer = ask(function, Request(path=f"/{how}"))

    assert (answer.status, answer.body) == (504, b"Gateway Timeout")
    assert f"GET /{how} has run for " in function.log
    assert f"in {how}\n" in function.log
    assert ask(function, Request(path="/process")).body == before


def test_a_wsgi_application_that_streams_and_never_ends_is_a_504_and_the_next_request_works(start: Start) -> None:
    function = start(
        "stuck",
        "wsgi.handler",
        timeout=TIMEOUT_SECONDS,
        command=BRIDGE_CLIENT,
        variables={"BRIDGE_RESPONSE_MODE": "stream"},
    )
    before = ask_stream(warm(function, ask_stream), Request(path="/process")).body

    answer = ask_stream(function, Request(path="/in_sleep"))

    assert answer.status == 504
    assert ask_stream(function, Request(path="/process")).body == before
