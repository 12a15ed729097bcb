"""A handler as an httpx transport, and the pytest fixture bridge_client over it."""

from __future__ import annotations

import asyncio
import gzip
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bridge import wsgi_handler
from bridge.dev.gateway import SOURCES
from bridge.dev.gateway.httpx_transport import HandlerTransport
from bridge.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = {"statusCode": 200, "body": "hello"}


def client(handler: Any, source: str = "http-api", **door: Any) -> httpx.Client:
    return httpx.Client(transport=HandlerTransport(handler, source, **door), base_url="https://testserver")


def test_a_request_becomes_an_event_and_the_payload_the_response() -> None:
    asked = []

    def handler(event: Any, context: Any) -> Any:
        asked.append((event, context))
        return {"statusCode": 201, "headers": {"X-A": "é"}, "cookies": ["a=1", "b=2"], "body": "made"}

    with client(handler) as browser:
        response = browser.post("/a%2Fb/%E9?x=%20&&y", content=b"\xff", headers=[("X-Y", "1"), ("X-Y", "2")])
    assert (response.status_code, response.text) == (201, "made")
    assert response.headers["x-a"] == "é"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    event, context = asked[0]
    assert event["rawPath"] == "/a/b/\ufffd"
    assert event["rawQueryString"] == "x=%20&&y"
    assert event["headers"]["x-y"] == "1,2"
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)
    assert 0 < context.get_remaining_time_in_millis() <= 30_000


def test_cookies_are_kept_and_redirects_followed() -> None:
    def handler(event: Any, context: Any) -> Any:
        if event["rawPath"] == "/login":
            return {"statusCode": 303, "headers": {"location": "/home"}, "cookies": ["who=me; Path=/"]}
        return {"statusCode": 200, "body": ",".join(event["cookies"])}

    with client(handler) as browser:
        assert browser.post("/login", follow_redirects=True).text == "who=me"


def test_what_the_handler_raises_comes_out_of_the_call() -> None:
    def handler(event: Any, context: Any) -> Any:
        raise LookupError("no such dog")

    with client(handler) as browser, pytest.raises(LookupError, match="no such dog"):
        browser.get("/")


def test_a_payload_that_json_cannot_write_comes_out_as_an_error() -> None:
    with client(lambda event, context: {"body": b"x"}) as browser, pytest.raises(TypeError, match="bytes"):
        browser.get("/")


@pytest.mark.parametrize(
    ("payload", "status", "why"),
    [
        ({"statusCode": 200, "cookies": []}, 502, "rest-api answered 502 by itself: the payload has keys"),
        ({"statusCode": 200, "body": "a" * 6_291_556}, 502, "Lambda takes 6291556"),
    ],
)
def test_a_payload_that_is_refused_is_answered_as_the_front_door_would_and_logged(
    payload: Any, status: int, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with client(lambda event, context: payload, "rest-api") as browser:
        assert browser.get("/dogs").status_code == status
    assert why in caplog.text


def test_what_a_rest_api_does_to_base64_is_logged_with_the_reason_and_the_way_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    payload = {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}
    with client(lambda event, context: payload, "rest-api") as browser:
        assert browser.get("/logo.png", headers={"Accept": "image/png,*/*"}).text == "/w=="
    (record,) = [record for record in caplog.records if record.name == "bridge"]  # httpx has a line, too
    assert record.getMessage() == (
        "GET /logo.png: rest-api sent the client base64 text instead of the body's bytes: API Gateway decodes a "
        "payload marked isBase64Encoded only if the API's binaryMediaTypes have */* or the first type in the "
        "request's Accept header, which is image/png; set binaryMediaTypes to */* on AWS, and here with "
        "--binary-media-types '*/*'"
    )


def test_a_request_that_is_refused_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with client(lambda event, context: OK, stage="prod") as browser:
        assert browser.get("/prod/dogs").text == "hello"
        response = browser.get("/dogs")
    assert (response.status_code, response.json()) == (404, {"message": "Not Found"})
    assert "GET /dogs: http-api answered 404 by itself: the path does not begin with the stage" in caplog.text


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_gets_none(method: str, status: int) -> None:
    with client(lambda event, context: {"statusCode": status, "body": "hello"}, "lattice") as browser:
        response = browser.request(method, "/")
    assert (response.status_code, response.content) == (status, b"")


def test_a_compressed_body_is_decompressed_as_by_any_client() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")])
        return [gzip.compress(b"hello")]

    with client(wsgi_handler(app)) as browser:
        assert browser.get("/").text == "hello"


async def answer_later(event: Any, context: Any) -> Any:
    await asyncio.sleep(0)
    if event["rawPath"] == "/fail":
        raise LookupError("no such dog")
    return {"statusCode": 200, "body": str(id(asyncio.get_running_loop()))}


def test_an_async_function_runs_on_one_loop() -> None:
    with client(answer_later) as browser:
        assert browser.get("/").text == browser.get("/").text
        with pytest.raises(LookupError, match="no such dog"):
            browser.get("/fail")


async def test_an_async_function_runs_where_a_loop_runs_already() -> None:
    with client(answer_later) as browser:
        assert browser.get("/").text == browser.get("/").text != str(id(asyncio.get_running_loop()))


def test_the_fixture_takes_an_async_function(bridge_client: Callable[..., httpx.Client]) -> None:
    assert bridge_client(answer_later).get("/").status_code == 200


def test_an_unknown_source_is_refused_at_once() -> None:
    with pytest.raises(SettingError, match="no source 'http-ape'"):
        HandlerTransport(lambda event, context: OK, "http-ape")


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode("latin-1")]


@pytest.mark.parametrize("source", SOURCES)
def test_the_fixture_takes_a_wsgi_application(source: str, bridge_client: Callable[..., httpx.Client]) -> None:
    assert bridge_client(wsgi, source=source).get("/dogs").text == "|/dogs"


def test_the_fixture_takes_the_front_doors_set_up(bridge_client: Callable[..., httpx.Client]) -> None:
    assert bridge_client(wsgi, source="rest-api", stage="prod").get("/prod/dogs").text == "/prod|/dogs"


def test_the_fixture_takes_a_handler_and_a_plain_function_of_event_and_context(
    bridge_client: Callable[..., httpx.Client],
) -> None:
    def plain(event: Any, context: Any) -> Any:
        return {"statusCode": 200, "body": event["path"]}

    assert bridge_client(wsgi_handler(wsgi), source="alb").get("/dogs").text == "|/dogs"
    assert bridge_client(plain, source="alb").get("/dogs").text == "/dogs"


def test_the_fixture_tells_of_an_argument_that_it_does_not_have(bridge_client: Callable[..., httpx.Client]) -> None:
    with pytest.raises(TypeError) as caught:
        bridge_client(wsgi, sorce="alb")
    assert str(caught.value) == (
        "bridge_client() has no argument 'sorce'. Its arguments are the handler or application, source, stage, "
        "base_path, binary_media_types, route, account, region."
    )


def test_the_fixture_tells_how_to_install_what_it_needs(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(pytest.fail.Exception, match=r"needs httpx: pip install 'serverless-bridge\[test\]'"):
        request.getfixturevalue("bridge_client")


@pytest.fixture
def notes() -> Iterator[list[str]]:
    """What an application's lifespan notes; checked after bridge_client is over, since that was asked for later."""
    noted: list[str] = []
    yield noted
    assert noted == ["starts", "answers", "ends"]


def test_the_fixture_ends_the_lifespan_with_the_test(
    notes: list[str], bridge_client: Callable[..., httpx.Client]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            notes.append("answers")
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"asgi"})
            return
        await receive()
        notes.append("starts")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        notes.append("ends")
        await send({"type": "lifespan.shutdown.complete"})

    browser = bridge_client(app, source="function-url")
    assert browser.get("/").text == "asgi"
    assert notes == ["starts", "answers"]
