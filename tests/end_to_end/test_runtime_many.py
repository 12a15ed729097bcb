"""``bridge.runtime`` on Lambda Managed Instances: many invocations in flight, judged by AWS's code."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import Request, compose
from tests.end_to_end.conftest import FUNCTIONS
from tests.end_to_end.managed_instances import ManagedInstances, missing
from tests.end_to_end.runtimes import stream_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[..., ManagedInstances]

MISSING = missing()

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"The emulator's mode of Managed Instances needs {MISSING}."),
]

PARTIES = 4


@pytest.fixture(scope="module")
def make(rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Starts functions of the folder ``many``."""
    running: list[ManagedInstances] = []

    def make(app: str, mode: str = "buffer") -> ManagedInstances:
        variables = {"PARTIES": str(PARTIES), "BRIDGE_RESPONSE_MODE": mode}
        work = tmp_path_factory.mktemp("many")
        function = ManagedInstances(rie, FUNCTIONS / "many", app, work, PARTIES, variables)
        running.append(function)
        return function.__enter__()

    yield make
    for function in running:
        function.end()


@pytest.fixture(scope="module")
def asgi(make: Make) -> ManagedInstances:
    return make("asgi:app")


@pytest.fixture(scope="module")
def streaming(make: Make) -> ManagedInstances:
    return make("asgi:app", "stream")


def event(path: str, query: str = "") -> Any:
    return compose(Request(path=path, query=query), "function-url")


def at_the_barrier(function: ManagedInstances) -> list[dict[str, Any]]:
    """What each of as many requests tells that only come through together."""
    outcomes = function.outcomes_of([event("/barrier", f"name=guest-{number}") for number in range(PARTIES)])
    assert [outcome.error_type for outcome in outcomes] == [""] * PARTIES
    if outcomes[0].mode == "streaming":
        return [json.loads(stream_of(outcome.payload).body) for outcome in outcomes]
    return [json.loads(json.loads(outcome.payload)["body"]) for outcome in outcomes]


def passed(function: ManagedInstances, told: list[Any]) -> list[str]:
    """Who passed the barrier in each of these requests, by the log, which has its lines after the answers have gone."""
    until = time.monotonic() + 20
    while True:
        records = [json.loads(line) for line in function.log.split("\n")[:-1] if '"passed by ' in line]
        who = {record["requestId"]: record["message"] for record in records}
        if who.keys() >= {answer["request_id"] for answer in told} or time.monotonic() > until:
            return [who[answer["request_id"]] for answer in told]
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["buffer", "stream"])
def test_one_process_and_one_lifespan_answer_requests_that_wait_for_each_other(
    request: pytest.FixtureRequest, mode: str
) -> None:
    function: ManagedInstances = request.getfixturevalue("asgi" if mode == "buffer" else "streaming")

    told = [answer for _ in range(3) for answer in at_the_barrier(function)]

    assert len({answer["process"] for answer in told}) == 1
    assert function.log.count("lifespan: started up") == 1


def test_each_request_has_its_own_id_and_its_log_records_have_it(asgi: ManagedInstances) -> None:
    told = at_the_barrier(asgi)

    who = passed(asgi, told)
    assert len({answer["request_id"] for answer in told}) == PARTIES
    assert who == [f"passed by guest-{number}" for number in range(PARTIES)]
    assert {answer["trace"] for answer in told} == {None}, "in the environment it would be another's"
    assert "Cross-wiring detected" not in asgi.log, "what AWS says to an invocation's id that is another's"


@pytest.mark.parametrize("mode", ["buffer", "stream"])
def test_a_wsgi_application_answers_in_as_many_threads(make: Make, mode: str) -> None:
    function = make("wsgi:app", mode)

    told = [answer for _ in range(2) for answer in at_the_barrier(function)]

    who = passed(function, told)
    assert len({answer["process"] for answer in told}) == 1
    assert len({answer["thread"] for answer in told[:PARTIES]}) == PARTIES
    assert len({answer["request_id"] for answer in told}) == 2 * PARTIES
    names = [f"passed by guest-{number}" for number in range(PARTIES)]
    assert who == 2 * names


@pytest.mark.parametrize("app", ["asgi:handler", "wsgi:handler"])
def test_plain_handlers_run_at_once_async_ones_on_the_loop_and_others_in_threads(make: Make, app: str) -> None:
    function = make(app)

    outcomes = function.outcomes_of([{"name": str(number)} for number in range(PARTIES)])
    failed = function.outcome_of({"do": "fail"})

    told = [json.loads(outcome.payload) for outcome in outcomes]
    assert [answer["name"] for answer in told] == [str(number) for number in range(PARTIES)]
    assert len({answer["process"] for answer in told}) == 1
    assert failed.error_type == "Function.ValueError"
    assert json.loads(failed.payload)["errorMessage"] == "failed on purpose"


def test_a_whole_answer_is_json_and_a_stream_says_that_it_is_one(
    asgi: ManagedInstances, streaming: ManagedInstances
) -> None:
    whole, stream = asgi.outcome_of(event("/text")), streaming.outcome_of(event("/text"))

    assert (whole.mode, whole.content_type) == ("buffered", "application/json")
    assert json.loads(whole.payload)["body"] == "Grüße"
    assert (stream.mode, stream.content_type) == ("streaming", "application/vnd.awslambda.http-integration-response")
    assert stream_of(stream.payload).body.decode() == "Grüße"


def test_a_source_that_takes_no_stream_is_answered_whole(streaming: ManagedInstances) -> None:
    whole = streaming.outcome_of(compose(Request(path="/text"), "http-api"))

    assert (whole.mode, json.loads(whole.payload)["body"]) == ("buffered", "Grüße")


def test_an_exception_after_the_first_byte_is_an_error_in_the_trailers(streaming: ManagedInstances) -> None:
    outcome = streaming.outcome_of(event("/middle"))

    told = json.loads(outcome.payload)
    assert outcome.error_type == "Function.RuntimeError"
    assert (told["errorType"], told["errorMessage"]) == ("RuntimeError", "failed in the middle")
    assert 'raise RuntimeError("failed in the middle")' in told["stackTrace"][-1]
    assert stream_of(streaming.outcome_of(event("/text")).payload).body.decode() == "Grüße"


def test_an_exception_before_the_first_byte_is_a_500(streaming: ManagedInstances) -> None:
    outcome = streaming.outcome_of(event("/early"))

    assert (outcome.error_type, stream_of(outcome.payload).head["statusCode"]) == ("", 500)


def test_a_stream_that_aws_refuses_in_the_middle_leaves_the_process_alive(streaming: ManagedInstances) -> None:
    before = at_the_barrier(streaming)

    outcome = streaming.outcome_of(event("/large", "size=20000000"))

    assert outcome.error_type == "Function.ResponseSizeTooLarge"
    assert at_the_barrier(streaming)[0]["process"] == before[0]["process"]


def test_an_answer_that_is_too_large_is_a_500(asgi: ManagedInstances) -> None:
    outcome = asgi.outcome_of(event("/large", "size=7000000"))

    told = json.loads(outcome.payload)
    assert (outcome.error_type, told["statusCode"]) == ("", 500)
    assert told["body"].startswith("The response is too large")


def test_a_process_that_ends_in_the_middle_of_a_stream_has_cut_it(make: Make) -> None:
    function = make("asgi:app", "stream")

    assert function.outcome_of(event("/cut")).error_type == "Runtime.TruncatedResponse"
