"""``bridge.runtime`` on Lambda Managed Instances: concurrent invocations."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import Request, compose
from tests.end_to_end.bridge_runtime import parse_stream
from tests.end_to_end.conftest import FUNCTIONS
from tests.end_to_end.managed_instances import ManagedInstances, missing_requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., ManagedInstances]

MISSING = missing_requirement()

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"The emulator's mode for Managed Instances requires {MISSING}"),
]

PARTIES = 4


@pytest.fixture(scope="module")
def start(rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts functions in the folder ``concurrent``."""
    with ExitStack() as stack:

        def start(app: str, mode: str = "buffer") -> ManagedInstances:
            variables = {"PARTIES": str(PARTIES), "BRIDGE_RESPONSE_MODE": mode}
            work_folder = tmp_path_factory.mktemp("concurrent")
            folder = FUNCTIONS / "concurrent"
            return stack.enter_context(ManagedInstances(rie, folder, app, work_folder, PARTIES, variables))

        yield start


@pytest.fixture(scope="module")
def asgi(start: Start) -> ManagedInstances:
    return start("asgi:app")


@pytest.fixture(scope="module")
def streaming(start: Start) -> ManagedInstances:
    return start("asgi:app", "stream")


def event(path: str, query: str = "") -> Any:
    return compose(Request(path=path, query=query), "function-url")


def at_the_barrier(function: ManagedInstances) -> list[dict[str, Any]]:
    """Return the responses to as many concurrent requests as the barrier has parties."""
    results = function.results_of([event("/barrier", f"name=guest-{number}") for number in range(PARTIES)])
    assert [result.error_type for result in results] == [""] * PARTIES
    if results[0].mode == "streaming":
        return [json.loads(parse_stream(result.payload).body) for result in results]
    return [json.loads(json.loads(result.payload)["body"]) for result in results]


def logged_messages(function: ManagedInstances, responses: list[Any]) -> list[str]:
    """Return the message that each request has logged. The log may have it only after the response."""
    deadline = time.monotonic() + 20
    while True:
        records = [json.loads(line) for line in function.log.split("\n")[:-1] if '"passed by ' in line]
        messages = {record["requestId"]: record["message"] for record in records}
        if messages.keys() >= {response["request_id"] for response in responses} or time.monotonic() > deadline:
            return [messages[response["request_id"]] for response in responses]
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["buffer", "stream"])
def test_one_process_with_one_lifespan_answers_concurrent_requests(request: pytest.FixtureRequest, mode: str) -> None:
    function: ManagedInstances = request.getfixturevalue("asgi" if mode == "buffer" else "streaming")

    responses = [response for _ in range(3) for response in at_the_barrier(function)]

    assert len({response["process"] for response in responses}) == 1
    assert function.log.count("lifespan: started up") == 1


def test_each_request_and_its_log_records_have_its_own_request_id(asgi: ManagedInstances) -> None:
    responses = at_the_barrier(asgi)

    assert len({response["request_id"] for response in responses}) == PARTIES
    assert logged_messages(asgi, responses) == [f"passed by guest-{number}" for number in range(PARTIES)]
    assert {response["trace"] for response in responses} == {None}, "the environment is shared by all requests"
    assert "Cross-wiring detected" not in asgi.log, "the emulator's message for a response with the wrong request id"


@pytest.mark.parametrize("mode", ["buffer", "stream"])
def test_a_wsgi_application_answers_concurrent_requests_in_threads(start: Start, mode: str) -> None:
    function = start("wsgi:app", mode)

    responses = [response for _ in range(2) for response in at_the_barrier(function)]

    assert len({response["process"] for response in responses}) == 1
    assert len({response["thread"] for response in responses[:PARTIES]}) == PARTIES
    assert len({response["request_id"] for response in responses}) == 2 * PARTIES
    assert logged_messages(function, responses) == 2 * [f"passed by guest-{number}" for number in range(PARTIES)]


@pytest.mark.parametrize("app", ["asgi:handler", "wsgi:handler"])
def test_plain_handlers_run_concurrently_on_the_loop_or_in_threads(start: Start, app: str) -> None:
    function = start(app)

    results = function.results_of([{"name": str(number)} for number in range(PARTIES)])
    failed = function.result_of({"do": "fail"})

    payloads = [json.loads(result.payload) for result in results]
    assert [payload["name"] for payload in payloads] == [str(number) for number in range(PARTIES)]
    assert len({payload["process"] for payload in payloads}) == 1
    assert failed.error_type == "Function.ValueError"
    assert json.loads(failed.payload)["errorMessage"] == "failed on purpose"


def test_buffered_and_streamed_responses_have_their_content_types(
    asgi: ManagedInstances, streaming: ManagedInstances
) -> None:
    buffered, stream = asgi.result_of(event("/text")), streaming.result_of(event("/text"))

    assert (buffered.mode, buffered.content_type) == ("buffered", "application/json")
    assert json.loads(buffered.payload)["body"] == "Grüße"
    assert (stream.mode, stream.content_type) == ("streaming", "application/vnd.awslambda.http-integration-response")
    assert parse_stream(stream.payload).body.decode() == "Grüße"


def test_sources_that_accept_no_streams_get_buffered_responses(streaming: ManagedInstances) -> None:
    result = streaming.result_of(compose(Request(path="/text"), "http-api"))

    assert (result.mode, json.loads(result.payload)["body"]) == ("buffered", "Grüße")


def test_an_exception_after_the_first_byte_is_reported_in_the_trailers(streaming: ManagedInstances) -> None:
    result = streaming.result_of(event("/middle"))

    error = json.loads(result.payload)
    assert result.error_type == "Function.RuntimeError"
    assert (error["errorType"], error["errorMessage"]) == ("RuntimeError", "failed in the middle")
    assert 'raise RuntimeError("failed in the middle")' in error["stackTrace"][-1]
    assert parse_stream(streaming.result_of(event("/text")).payload).body.decode() == "Grüße"


def test_a_stream_that_aws_refuses_in_the_middle_does_not_end_the_process(streaming: ManagedInstances) -> None:
    before = at_the_barrier(streaming)

    result = streaming.result_of(event("/large", "size=20000000"))

    assert result.error_type == "Function.ResponseSizeTooLarge"
    assert at_the_barrier(streaming)[0]["process"] == before[0]["process"]


def test_a_process_that_ends_during_a_stream_truncates_it(start: Start) -> None:
    function = start("asgi:app", "stream")

    assert function.result_of(event("/truncated")).error_type == "Runtime.TruncatedResponse"
