"""The httpx transport, and the pytest fixture ``bridge_client`` on top of it."""

from __future__ import annotations

import asyncio
import gzip
import sys
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bridge import wsgi_handler
from bridge.dev.gateway import FRONT_DOORS
from bridge.dev.gateway.httpx_transport import HandlerTransport
from bridge.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    BridgeClient = Callable[..., httpx.Client]

OK = {"statusCode": 200, "body": "hello"}


def client(handler: Any, source: str = "http-api", **door: Any) -> httpx.Client:
    return httpx.Client(transport=HandlerTransport(handler, source, **door), base_url="https://testserver")


def test_a_request_becomes_an_event_and_the_payload_the_response() -> None:
    calls = []

    def handler(event: Any, context: Any) -> Any:
        calls.append((event, context))
        return {"statusCode": 201, "headers": {"X-A": "é"}, "cookies": ["a=1", "b=2"], "body": "made"}

    with client(handler) as browser:
        response = browser.post("/a%2Fb/%E9?x=%20&&y", content=b"\xff", headers=[("X-Y", "1"), ("X-Y", "2")])
    assert (response.status_code, response.text) == (201, "made")
    assert response.headers["x-a"] == "é"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    ((event, context),) = calls
    assert event["rawPath"] == "/a/b/\ufffd"
    assert event["rawQueryString"] == "x=%20&&y"
    assert event["headers"]["x-y"] == "1,2"
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)
    assert 0 < context.get_remaining_time_in_millis() <= 30_000


def test_the_client_keeps_cookies_and_follows_redirects() -> None:
    def handler(event: Any, context: Any) -> Any:
        if event["rawPath"] == "/login":
            return {"statusCode": 303, "headers": {"location": "/home"}, "cookies": ["who=me; Path=/"]}
        return {"statusCode": 200, "body": ",".join(event["cookies"])}

    with client(handler) as browser:
        assert browser.post("/login", follow_redirects=True).text == "who=me"


def test_the_clients_call_raises_what_the_handler_raises() -> None:
    def handler(event: Any, context: Any) -> Any:
        raise LookupError("no such dog")

    with client(handler) as browser, pytest.raises(LookupError, match="no such dog"):
        browser.get("/")


def test_the_clients_call_raises_an_error_for_a_payload_that_json_cannot_represent() -> None:
    with client(lambda event, context: {"body": b"x"}) as browser, pytest.raises(TypeError, match="bytes"):
        browser.get("/")


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"statusCode": 200, "cookies": []}, "rest-api answered 502 by itself: the payload has keys"),
        ({"statusCode": 200, "body": "a" * 6_291_556}, "Lambda accepts 6291556"),
    ],
)
def test_a_refused_payload_gets_the_front_doors_answer_and_is_logged(
    payload: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with client(lambda event, context: payload, "rest-api") as browser:
        assert browser.get("/dogs").status_code == 502
    assert message in caplog.text


def test_base64_that_a_rest_api_does_not_decode_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    payload = {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}
    with client(lambda event, context: payload, "rest-api") as browser:
        assert browser.get("/logo.png", headers={"Accept": "image/png,*/*"}).text == "/w=="
    (record,) = [record for record in caplog.records if record.name == "bridge"]  # httpx logs as well
    assert record.getMessage() == (
        "GET /logo.png: rest-api sent the client base64 text instead of the body's bytes: API Gateway decodes a "
        "payload with isBase64Encoded only if the API's binaryMediaTypes include */* or the first type in the "
        "request's Accept header, which is image/png; set binaryMediaTypes to */* on AWS, and here with "
        "--binary-media-types '*/*'"
    )


def test_a_refused_request_gets_the_front_doors_answer_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with client(lambda event, context: OK, stage="prod") as browser:
        assert browser.get("/prod/dogs").text == "hello"
        response = browser.get("/dogs")
    assert (response.status_code, response.json()) == (404, {"message": "Not Found"})
    assert "GET /dogs: http-api answered 404 by itself: the path does not begin with the stage" in caplog.text


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_that_must_not_have_a_body_has_none(method: str, status: int) -> None:
    with client(lambda event, context: {"statusCode": status, "body": "hello"}, "lattice") as browser:
        response = browser.request(method, "/")
    assert (response.status_code, response.content) == (status, b"")


def test_a_compressed_body_is_decompressed() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")])
        return [gzip.compress(b"hello")]

    with client(wsgi_handler(app)) as browser:
        assert browser.get("/").text == "hello"


async def async_handler(event: Any, context: Any) -> Any:
    await asyncio.sleep(0)
    if event["rawPath"] == "/fail":
        raise LookupError("no such dog")
    return {"statusCode": 200, "body": str(id(asyncio.get_running_loop()))}


def test_an_asynchronous_handler_runs_on_one_event_loop() -> None:
    with client(async_handler) as browser:
        assert browser.get("/").text == browser.get("/").text
        with pytest.raises(LookupError, match="no such dog"):
            browser.get("/fail")


def test_closing_the_client_cancels_the_tasks_of_an_asynchronous_handler_and_ends_its_thread() -> None:
    tasks = []

    async def handler(event: Any, context: Any) -> Any:
        tasks.append(asyncio.create_task(asyncio.sleep(60)))
        return OK

    before = threading.active_count()
    with client(handler) as browser:
        assert browser.get("/").text == "hello"
    assert tasks[0].cancelled()
    assert threading.active_count() == before


async def test_an_asynchronous_handler_answers_in_an_asynchronous_test() -> None:
    with client(async_handler) as browser:
        assert browser.get("/").text == browser.get("/").text != str(id(asyncio.get_running_loop()))


def test_an_unknown_source_is_an_error() -> None:
    with pytest.raises(SettingError, match="no source 'http-ape'"):
        HandlerTransport(lambda event, context: OK, "http-ape")


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode("latin-1")]


class LifespanApp:
    """An ASGI application that logs its lifespan and its requests."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.log.append("answers")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"asgi"})
            return
        await receive()
        self.log.append("starts")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.log.append("ends")
        await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture
def lifespan_app() -> Iterator[LifespanApp]:
    """An application whose lifespan must have ended when ``bridge_client``, which a test requests later, is closed."""
    app = LifespanApp()
    yield app
    assert app.log == ["starts", "answers", "ends"]


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_the_fixture_serves_a_wsgi_application(source: str, bridge_client: BridgeClient) -> None:
    assert bridge_client(wsgi, source=source).get("/dogs").text == "|/dogs"


def test_the_fixture_takes_the_configuration_of_the_front_door(bridge_client: BridgeClient) -> None:
    assert bridge_client(wsgi, source="rest-api", stage="prod").get("/prod/dogs").text == "/prod|/dogs"


def test_the_fixture_serves_handlers(bridge_client: BridgeClient) -> None:
    def handler(event: Any, context: Any) -> Any:
        return {"statusCode": 200, "body": event["path"]}

    assert bridge_client(wsgi_handler(wsgi), source="alb").get("/dogs").text == "|/dogs"
    assert bridge_client(handler, source="alb").get("/dogs").text == "/dogs"
    assert bridge_client(async_handler).get("/").status_code == 200


def test_the_fixture_ends_the_lifespan_of_an_asgi_application(
    lifespan_app: LifespanApp, bridge_client: BridgeClient
) -> None:
    assert bridge_client(lifespan_app, source="function-url").get("/").text == "asgi"
    assert lifespan_app.log == ["starts", "answers"]


async def test_the_fixture_serves_an_asgi_application_in_an_asynchronous_test(
    lifespan_app: LifespanApp, bridge_client: BridgeClient
) -> None:
    assert bridge_client(lifespan_app).get("/").text == "asgi"


def test_the_fixture_names_an_unknown_argument(bridge_client: BridgeClient) -> None:
    with pytest.raises(TypeError) as caught:
        bridge_client(wsgi, sorce="alb")
    assert str(caught.value) == (
        "bridge_client() has no argument 'sorce'. Its arguments are the application or handler, source, stage, "
        "base_path, binary_media_types, route, account, region."
    )


def test_the_fixture_without_httpx_says_how_to_install_it(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(pytest.fail.Exception, match=r"needs httpx: pip install 'serverless-bridge\[test\]'"):
        request.getfixturevalue("bridge_client")
