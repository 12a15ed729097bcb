"""``bridge.runtime`` with every framework and every front door: buffered and streamed responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway import FRONT_DOORS, Answer, Request, compose
from tests.end_to_end.bridge_runtime import (
    APPS,
    FRAMEWORKS,
    RUNTIMES,
    STREAMING_SOURCES,
    parse_stream,
    request_stream,
)
from tests.end_to_end.emulator import InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

FUNCTIONS = {
    **{app: (APPS[app], RUNTIMES["thread"]) for app in APPS},
    **{f"{app} on an event loop": (APPS[app], RUNTIMES["event loop"]) for app in ("WSGI", "Django ASGI", "FastAPI")},
}
EVERY_BYTE = bytes(range(256))
HOST = ("host", "example.com")
each_source = pytest.mark.parametrize("source", FRONT_DOORS)
each_streaming_source = pytest.mark.parametrize("source", STREAMING_SOURCES)
each_bodiless_response = pytest.mark.parametrize(
    ("path", "status", "name", "value"),
    [
        ("/redirect", 303, "location", "/text"),
        ("/nothing", 204, "location", ""),
        ("/unchanged", 304, "etag", '"1"'),
        ("/empty", 200, "location", ""),
    ],
)


@pytest.fixture(scope="module", params=FUNCTIONS)
def buffered(request: pytest.FixtureRequest, start_for_module: Start) -> Emulator:
    """A function that sends buffered responses."""
    app, command = FUNCTIONS[request.param]
    return start_for_module(FRAMEWORKS, app, command=command)


@pytest.fixture(scope="module", params=FUNCTIONS)
def streaming(request: pytest.FixtureRequest, start_for_module: Start) -> Emulator:
    """A function that streams responses to the sources that accept streams."""
    app, command = FUNCTIONS[request.param]
    return start_for_module(FRAMEWORKS, app, command=command, variables={"BRIDGE_RESPONSE_MODE": "stream"})


def about(send: Callable[[Request], Answer]) -> dict[str, str]:
    answer = send(Request(path="/about"))
    assert answer.status == 200
    details: dict[str, str] = json.loads(answer.body)
    return details


def cookies_of(answer: Answer) -> list[str]:
    return sorted(value.partition(";")[0] for name, value in answer.headers if name.lower() == "set-cookie")


@each_source
def test_text_keeps_its_encoding(buffered: Emulator, source: str) -> None:
    answer = buffered.request(Request(path="/text", headers=[HOST]), source)

    assert (answer.status, answer.body.decode()) == (200, "Grüße")


@each_source
def test_every_byte_passes_in_both_directions(buffered: Emulator, source: str) -> None:
    headers = [HOST, ("content-type", "application/octet-stream")]
    request = Request(method="POST", path="/reverse", headers=headers, body=EVERY_BYTE)

    answer = buffered.request(request, source, binary_media_types=("*/*",))

    assert (answer.status, answer.body) == (200, EVERY_BYTE[::-1])


@each_source
def test_every_cookie_is_sent(buffered: Emulator, source: str) -> None:
    answer = buffered.request(Request(path="/cookies", headers=[HOST]), source)

    assert cookies_of(answer) == ["a=1", "b=2"]


@each_bodiless_response
def test_responses_without_a_body_keep_status_and_headers(
    buffered: Emulator, path: str, status: int, name: str, value: str
) -> None:
    answer = buffered.request(Request(path=path))

    assert (answer.status, answer.header(name)) == (status, value)
    if status != 303:
        assert answer.body == b""


@pytest.mark.parametrize(
    ("path", "body"), [("/stream", b"one\ntwo\nthree\n"), ("/events", b"data: 0\n\ndata: 1\n\ndata: 2\n\n")]
)
def test_generated_bodies_are_buffered_by_default(buffered: Emulator, path: str, body: bytes) -> None:
    answer = buffered.request(Request(path=path, query="last=three"), "function-url")

    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("path", ["/early", "/middle"])
def test_an_exception_in_a_buffered_response_is_a_500_and_the_process_continues(buffered: Emulator, path: str) -> None:
    before = about(buffered.request)

    answer = buffered.request(Request(path=path))

    assert answer.status == 500
    assert b"failed" not in answer.body
    assert f"RuntimeError: failed {'early' if path == '/early' else 'in the middle'}" in buffered.log
    assert about(buffered.request)["process"] == before["process"]


def test_the_current_request_and_log_records_have_the_request_id(buffered: Emulator) -> None:
    first, second = about(buffered.request), about(buffered.request)

    assert first["request_id"] != second["request_id"]
    for details in (first, second):
        assert f"START RequestId: {details['request_id']} " in buffered.log
        assert f"\t{details['request_id']}\tabout: called\n" in buffered.log


def test_a_warm_up_event_is_answered_without_the_application(buffered: Emulator) -> None:
    assert buffered.invoke({"source": "serverless-plugin-warmup"}) == {}


def test_an_event_that_is_not_a_request_is_an_error_and_the_process_continues(buffered: Emulator) -> None:
    before = about(buffered.request)

    with pytest.raises(InvocationError, match=r"EventError: The event .* HTTP request from"):
        buffered.invoke({"Records": []})

    assert about(buffered.request)["process"] == before["process"]


@each_streaming_source
def test_a_stream_begins_with_a_prelude_of_status_and_headers(streaming: Emulator, source: str) -> None:
    prelude, body = parse_stream(streaming.invoke_raw(compose(Request(path="/stream", query="last=three"), source)))

    headers = {name.lower(): value for name, value in (prelude.get("headers") or prelude["multiValueHeaders"]).items()}
    assert prelude["statusCode"] == 200
    assert "text/plain" in str(headers["content-type"])
    assert body == b"one\ntwo\nthree\n"


@each_streaming_source
def test_server_sent_events_files_and_text_are_streamed(streaming: Emulator, source: str) -> None:
    events = request_stream(streaming, Request(path="/events"), source)
    file = request_stream(streaming, Request(path="/file"), source)
    text = request_stream(streaming, Request(path="/text"), source)

    assert (events.status, events.body) == (200, b"data: 0\n\ndata: 1\n\ndata: 2\n\n")
    assert events.header("content-type").partition(";")[0] == "text/event-stream"
    assert file.body in [app.read_bytes() for app in FRAMEWORKS.glob("*.py")]
    assert (text.status, text.body.decode()) == (200, "Grüße")


@each_streaming_source
def test_every_byte_is_streamed(streaming: Emulator, source: str) -> None:
    headers = [HOST, ("content-type", "application/octet-stream")]

    answer = request_stream(
        streaming, Request(method="POST", path="/reverse", headers=headers, body=b"\0" * 16), source
    )
    assert (answer.status, answer.body) == (200, b"\0" * 16), "a body may contain the delimiter"

    answer = request_stream(
        streaming, Request(method="POST", path="/reverse", headers=headers, body=EVERY_BYTE), source
    )
    if source == "function-url":  # without binary media types a REST API sends text to the function
        assert (answer.status, answer.body) == (200, EVERY_BYTE[::-1])


@each_streaming_source
def test_every_cookie_is_in_the_prelude(streaming: Emulator, source: str) -> None:
    assert cookies_of(request_stream(streaming, Request(path="/cookies"), source)) == ["a=1", "b=2"]


@each_streaming_source
@each_bodiless_response
def test_a_stream_without_a_body_keeps_status_and_headers(
    streaming: Emulator, source: str, path: str, status: int, name: str, value: str
) -> None:
    answer = request_stream(streaming, Request(path=path), source)

    assert (answer.status, answer.header(name)) == (status, value)
    if status != 303:
        assert answer.body == b""


@each_streaming_source
def test_the_stream_for_a_head_request_has_no_body(streaming: Emulator, source: str) -> None:
    prelude, body = parse_stream(streaming.invoke_raw(compose(Request(method="HEAD", path="/text"), source)))

    assert prelude["statusCode"] in (200, 405)  # FastAPI adds no HEAD routes
    assert body == b""


def test_an_exception_before_the_first_byte_is_a_streamed_500(streaming: Emulator) -> None:
    before = about(lambda request: request_stream(streaming, request))

    answer = request_stream(streaming, Request(path="/early"))

    assert answer.status == 500
    assert b"failed" not in answer.body
    assert "RuntimeError: failed early" in streaming.log
    assert about(lambda request: request_stream(streaming, request))["process"] == before["process"]


def test_an_exception_after_the_first_byte_ends_the_stream_and_the_process_continues(streaming: Emulator) -> None:
    before = about(lambda request: request_stream(streaming, request))

    answer = request_stream(streaming, Request(path="/middle"))

    assert (answer.status, answer.body) == (200, b"one\n"), "in this mode the emulator drops the error trailers"
    assert "RuntimeError: failed in the middle" in streaming.log
    assert about(lambda request: request_stream(streaming, request))["process"] == before["process"]


@pytest.mark.parametrize("source", [source for source in FRONT_DOORS if source not in STREAMING_SOURCES])
def test_sources_without_streams_get_buffered_responses_from_the_same_process(streaming: Emulator, source: str) -> None:
    streamed = about(lambda request: request_stream(streaming, request))

    answer = streaming.request(Request(path="/stream", query="last=three", headers=[HOST]), source)

    assert (answer.status, answer.body) == (200, b"one\ntwo\nthree\n")
    assert about(lambda request: streaming.request(request, "http-api"))["process"] == streamed["process"]


def test_log_records_of_a_streamed_request_have_its_id(streaming: Emulator) -> None:
    details = about(lambda request: request_stream(streaming, request))

    assert f"\t{details['request_id']}\tabout: called\n" in streaming.log
