"""``bridge.compat.apig_wsgi``: apig-wsgi's function."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from bridge.compat.apig_wsgi import make_lambda_handler
from bridge.dev.gateway import FRONT_DOORS, Request, compose, interpret
from bridge.errors import InterfaceError
from bridge.handlers import Handler


class Application:
    """A WSGI application that records its last environ."""

    def __init__(self, content_type: str = "text/plain", body: bytes = b"body", **headers: str) -> None:
        self.headers = [("Content-Type", content_type), *((key.replace("_", "-"), headers[key]) for key in headers)]
        self.body = body
        self.environ: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environ = environ
        start_response("200 OK", self.headers)
        return [self.body]


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_event_and_context_are_in_the_environ_under_apig_wsgis_names(source: str) -> None:
    app, event, context = Application(), compose(Request(), source), object()
    handler = make_lambda_handler(app)
    handler(event, context)
    assert isinstance(handler, Handler)
    assert app.environ["apig_wsgi.full_event"] is event
    assert app.environ["serverless.event"] is event
    assert app.environ["apig_wsgi.context"] is context
    assert app.environ.get("apig_wsgi.request_context") is event.get("requestContext")
    assert ("apig_wsgi.request_context" in app.environ) == ("requestContext" in event)
    has_multi_value_headers = source in ("rest-api", "http-api-v1", "alb-multi")
    assert app.environ["apig_wsgi.multi_value_headers"] is has_multi_value_headers


TEXT = "größer".encode()
BINARY = b"\x89PNG\xff"
OPTIONS: list[dict[str, Any]] = [
    {},
    {"binary_support": None},
    {"binary_support": False},
    {"binary_support": True},
    {"binary_support": True, "non_binary_content_type_prefixes": ["text/", "application/x-"]},
    {"non_binary_content_type_prefixes": ("text/",)},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("source", FRONT_DOORS)
@pytest.mark.parametrize("body", [TEXT, BINARY, b""])
@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "application/x-tex", "image/png", ""])
def test_a_body_reaches_the_client_with_any_options(
    source: str, options: dict[str, Any], body: bytes, content_type: str
) -> None:
    request = Request(headers=[("accept", "*/*")])
    door = {"binary_media_types": ("*/*",)}
    handler = make_lambda_handler(Application(content_type, body), **options)
    payload = handler(compose(request, source, **door), None)
    assert interpret(payload, source, request, **door).body == body


@pytest.mark.parametrize("binary_support", [None, False])
def test_without_binary_support_a_rest_api_gets_every_text_as_text(binary_support: bool | None) -> None:
    request = Request()
    handler = make_lambda_handler(Application("application/x-tex", TEXT), binary_support)
    assert interpret(handler(compose(request, "rest-api"), None), "rest-api", request).body == TEXT


@pytest.mark.parametrize("binary_support", [None, False])
def test_without_binary_support_a_binary_body_is_base64(binary_support: bool | None) -> None:
    for app in (Application("image/png", BINARY), Application("text/plain", b"packed", Content_Encoding="gzip")):
        payload = make_lambda_handler(app, binary_support)(compose(Request(), "rest-api"), None)
        assert payload["isBase64Encoded"] is True
        assert b64decode(payload["body"]) == app.body


@pytest.mark.parametrize("source", ["rest-api", "http-api", "alb"])
def test_with_binary_support_only_text_types_are_text(source: str) -> None:
    def is_base64(content_type: str, prefixes: Any = None) -> bool:
        handler = make_lambda_handler(Application(content_type, TEXT), True, prefixes)
        return bool(handler(compose(Request(), source), None)["isBase64Encoded"])

    assert is_base64("application/x-tex")
    assert not is_base64("application/json")
    assert not is_base64("application/x-tex", ["application/x-"])
    assert not is_base64("application/x-tex", "application/x-")
    assert is_base64("font/woff", ["application/x-"])


def test_the_prefixes_may_be_a_generator() -> None:
    handler = make_lambda_handler(Application("application/x-tex", TEXT), True, (prefix for prefix in ["application/"]))
    for _ in range(2):
        assert handler(compose(Request()), None)["isBase64Encoded"] is False


def test_an_application_that_is_not_callable_is_an_error() -> None:
    with pytest.raises(InterfaceError, match="cannot be called"):
        make_lambda_handler("app:app")
