"""``bridge.runtime`` behind AWS's emulator: every framework, every front door, whole answers and streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway import SOURCES, Answer, Request, compose
from tests.end_to_end.emulator import BRIDGE_CLIENT, InvocationError
from tests.end_to_end.runtimes import APPS, FRAMEWORKS, STREAMING_SOURCES, ask_stream, stream_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

EVERY_BYTE = bytes(range(256))
HOST = ("host", "example.com")
every_source = pytest.mark.parametrize("source", SOURCES)
every_streaming_source = pytest.mark.parametrize("source", STREAMING_SOURCES)


@pytest.fixture(scope="module", params=APPS)
def whole(request: pytest.FixtureRequest, start_for_module: Start) -> Emulator:
    """A function that answers with whole payloads."""
    return start_for_module(FRAMEWORKS, APPS[request.param], command=BRIDGE_CLIENT)


@pytest.fixture(scope="module", params=APPS)
def streaming(request: pytest.FixtureRequest, start_for_module: Start) -> Emulator:
    """A function that streams where it can."""
    variables = {"BRIDGE_RESPONSE_MODE": "stream"}
    return start_for_module(FRAMEWORKS, APPS[request.param], command=BRIDGE_CLIENT, variables=variables)


def about(ask: Callable[[Request], Answer]) -> dict[str, str]:
    answer = ask(Request(path="/about"))
    assert answer.status == 200
    told: dict[str, str] = json.loads(answer.body)
    return told


def cookies_of(answer: Answer) -> list[str]:
    return sorted(value.partition(";")[0] for name, value in answer.headers if name.lower() == "set-cookie")


def header(answer: Answer, name: str) -> str | None:
    return next((value for key, value in answer.headers if key.lower() == name), None)


@every_source
def test_text_comes_out_whole(whole: Emulator, source: str) -> None:
    answer = whole.ask(Request(path="/text", headers=[HOST]), source)

    assert (answer.status, answer.body.decode()) == (200, "Grüße")


@every_source
def test_every_byte_comes_in_and_goes_out(whole: Emulator, source: str) -> None:
    headers = [HOST, ("content-type", "application/octet-stream")]
    request = Request(method="POST", path="/reverse", headers=headers, body=EVERY_BYTE)

    answer = whole.ask(request, source, binary_media_types=("*/*",))

    assert (answer.status, answer.body) == (200, EVERY_BYTE[::-1])


@every_source
def test_all_cookies_go_out(whole: Emulator, source: str) -> None:
    answer = whole.ask(Request(path="/cookies", headers=[HOST]), source)

    assert cookies_of(answer) == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("path", "status", "name", "value"),
    [
        ("/redirect", 303, "location", "/text"),
        ("/nothing", 204, "location", None),
        ("/unchanged", 304, "etag", '"1"'),
        ("/empty", 200, "location", None),
    ],
)
def test_answers_without_a_body_keep_status_and_headers(
    whole: Emulator, path: str, status: int, name: str, value: str | None
) -> None:
    answer = whole.ask(Request(path=path))

    assert (answer.status, header(answer, name)) == (status, value)
    if status != 303:
        assert answer.body == b""


@pytest.mark.parametrize(
    ("path", "body"), [("/stream", b"one\ntwo\nthree\n"), ("/events", b"data: 0\n\ndata: 1\n\ndata: 2\n\n")]
)
def test_what_is_made_in_parts_is_answered_whole_unless_streaming_is_on(
    whole: Emulator, path: str, body: bytes
) -> None:
    answer = whole.ask(Request(path=path, query="last=three"), "function-url")

    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("path", ["/early", "/middle"])
def test_an_exception_before_the_answer_is_whole_is_a_500_and_the_process_lives_on(whole: Emulator, path: str) -> None:
    before = about(whole.ask)

    answer = whole.ask(Request(path=path))

    assert answer.status == 500
    assert b"failed" not in answer.body
    assert f"RuntimeError: failed {'early' if path == '/early' else 'in the middle'}" in whole.log
    assert about(whole.ask)["process"] == before["process"]


def test_the_current_request_has_the_invocations_id_and_so_have_its_log_records(whole: Emulator) -> None:
    first, second = about(whole.ask), about(whole.ask)

    assert first["request_id"] != second["request_id"]
    for told in (first, second):
        assert f"START RequestId: {told['request_id']} " in whole.log
        assert f"\t{told['request_id']}\tasked about\n" in whole.log


def test_a_warm_up_event_is_answered_without_the_application(whole: Emulator) -> None:
    assert whole.invoke({"source": "serverless-plugin-warmup"}) == {}


def test_an_event_that_is_no_request_is_an_error_and_the_process_lives_on(whole: Emulator) -> None:
    before = about(whole.ask)

    with pytest.raises(InvocationError, match=r"EventError: The event .* is no HTTP request from a known source"):
        whole.invoke({"Records": []})

    assert about(whole.ask)["process"] == before["process"]


@every_streaming_source
def test_a_stream_begins_with_status_and_headers_as_json_and_eight_nuls(streaming: Emulator, source: str) -> None:
    head, body = stream_of(streaming.payload_of(compose(Request(path="/stream", query="last=three"), source)))

    headers = {name.lower(): value for name, value in (head.get("headers") or head["multiValueHeaders"]).items()}
    assert head["statusCode"] == 200
    assert "text/plain" in str(headers["content-type"])
    assert body == b"one\ntwo\nthree\n"


@every_streaming_source
def test_events_and_files_and_text_are_streamed(streaming: Emulator, source: str) -> None:
    events = ask_stream(streaming, Request(path="/events"), source)
    file = ask_stream(streaming, Request(path="/file"), source)
    text = ask_stream(streaming, Request(path="/text"), source)

    assert (events.status, events.body) == (200, b"data: 0\n\ndata: 1\n\ndata: 2\n\n")
    assert (header(events, "content-type") or "").partition(";")[0] == "text/event-stream"
    assert file.body in [app.read_bytes() for app in FRAMEWORKS.glob("*.py")]
    assert (text.status, text.body.decode()) == (200, "Grüße")


@every_streaming_source
def test_every_byte_comes_in_and_is_streamed(streaming: Emulator, source: str) -> None:
    headers = [HOST, ("content-type", "application/octet-stream")]

    answer = ask_stream(streaming, Request(method="POST", path="/reverse", headers=headers, body=b"\0" * 16), source)
    assert (answer.status, answer.body) == (200, b"\0" * 16), "the delimiter's bytes are the body's as well"

    answer = ask_stream(streaming, Request(method="POST", path="/reverse", headers=headers, body=EVERY_BYTE), source)
    if source == "function-url":  # a REST API without binary media types hands text to the function
        assert (answer.status, answer.body) == (200, EVERY_BYTE[::-1])


@every_streaming_source
def test_all_cookies_go_before_a_stream(streaming: Emulator, source: str) -> None:
    assert cookies_of(ask_stream(streaming, Request(path="/cookies"), source)) == ["a=1", "b=2"]


@every_streaming_source
@pytest.mark.parametrize(
    ("path", "status", "name", "value"),
    [
        ("/redirect", 303, "location", "/text"),
        ("/nothing", 204, "location", None),
        ("/unchanged", 304, "etag", '"1"'),
        ("/empty", 200, "location", None),
    ],
)
def test_a_stream_without_a_body_keeps_status_and_headers(
    streaming: Emulator, source: str, path: str, status: int, name: str, value: str | None
) -> None:
    answer = ask_stream(streaming, Request(path=path), source)

    assert (answer.status, header(answer, name)) == (status, value)
    if status != 303:
        assert answer.body == b""


@every_streaming_source
def test_the_answer_to_head_is_a_stream_without_a_body(streaming: Emulator, source: str) -> None:
    head, body = stream_of(streaming.payload_of(compose(Request(method="HEAD", path="/text"), source)))

    assert head["statusCode"] in (200, 405)  # FastAPI answers no HEAD by itself
    assert body == b""


def test_an_exception_before_the_first_byte_is_a_streamed_500(streaming: Emulator) -> None:
    before = about(lambda request: ask_stream(streaming, request))

    answer = ask_stream(streaming, Request(path="/early"))

    assert answer.status == 500
    assert b"failed" not in answer.body
    assert "RuntimeError: failed early" in streaming.log
    assert about(lambda request: ask_stream(streaming, request))["process"] == before["process"]


def test_an_exception_after_the_first_byte_leaves_what_was_sent_and_the_process_lives_on(streaming: Emulator) -> None:
    before = about(lambda request: ask_stream(streaming, request))

    answer = ask_stream(streaming, Request(path="/middle"))

    assert (answer.status, answer.body) == (200, b"one\n"), "this mode of the emulator leaves out the error trailers"
    assert "RuntimeError: failed in the middle" in streaming.log
    assert about(lambda request: ask_stream(streaming, request))["process"] == before["process"]


@pytest.mark.parametrize("source", [source for source in SOURCES if source not in STREAMING_SOURCES])
def test_a_source_that_takes_no_stream_is_answered_whole_by_the_same_process(streaming: Emulator, source: str) -> None:
    streamed = about(lambda request: ask_stream(streaming, request))

    answer = streaming.ask(Request(path="/stream", query="last=three", headers=[HOST]), source)

    assert (answer.status, answer.body) == (200, b"one\ntwo\nthree\n")
    assert about(lambda request: streaming.ask(request, "http-api"))["process"] == streamed["process"]


def test_log_records_of_a_streamed_request_have_its_id(streaming: Emulator) -> None:
    told = about(lambda request: ask_stream(streaming, request))

    assert f"\t{told['request_id']}\tasked about\n" in streaming.log
