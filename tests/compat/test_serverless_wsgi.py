"""``bridge.compat.serverless_wsgi``: serverless-wsgi's functions."""

from __future__ import annotations

import json
import sys
from subprocess import run
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import bridge
from bridge.compat import serverless_wsgi
from bridge.dev.gateway import FRONT_DOORS, Request, compose, interpret
from bridge.errors import EventError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator


HOST = ("host", "a1b2c3.execute-api.us-east-1.amazonaws.com")


class Application:
    """A WSGI application that records its last environ."""

    def __init__(self, content_type: str = "text/plain", status: str = "200 OK") -> None:
        self.content_type = content_type
        self.status = status
        self.environ: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environ = environ
        start_response(self.status, [("Content-Type", self.content_type)])
        return [b"body"]


@pytest.fixture(autouse=True)
def text_mime_types() -> Iterator[None]:
    before = [*serverless_wsgi.TEXT_MIME_TYPES]
    yield
    serverless_wsgi.TEXT_MIME_TYPES[:] = before


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_one_function_answers_events_of_every_source(source: str) -> None:
    app = Application()
    request = Request("POST", "/a%20b", "x=1", [("host", "example.com")], b"sent")
    payload = serverless_wsgi.handle_request(app, compose(request, source), None)
    assert interpret(payload, source, request).body == b"body"
    assert app.environ["PATH_INFO"] == "/a b"
    assert app.environ["QUERY_STRING"] == "x=1"
    assert app.environ["wsgi.input"].read() == b"sent"


def test_event_and_context_are_in_the_environ() -> None:
    app, event, context = Application(), compose(Request()), object()
    event["requestContext"]["authorizer"] = {"principalId": "someone"}
    serverless_wsgi.handle_request(app, event, context)
    assert app.environ["serverless.event"] is event
    assert app.environ["serverless.context"] is context
    assert app.environ["serverless.authorizer"] == {"principalId": "someone"}
    assert app.environ["REMOTE_USER"] == "someone"


def is_base64(app: Application) -> bool:
    return bool(serverless_wsgi.handle_request(app, compose(Request()), None)["isBase64Encoded"])


def test_appending_to_text_mime_types_takes_effect_immediately() -> None:
    app = Application("application/x-tex; charset=utf-8")
    assert is_base64(app)
    serverless_wsgi.TEXT_MIME_TYPES.append("application/x-tex")
    assert not is_base64(app)
    serverless_wsgi.TEXT_MIME_TYPES.remove("application/x-tex")
    assert is_base64(app)


def test_text_mime_types_may_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Application("application/x-tex")
    monkeypatch.setattr(serverless_wsgi, "TEXT_MIME_TYPES", ["Application/X-TeX"])
    assert not is_base64(app)


def test_text_mime_types_has_serverless_wsgis_types() -> None:
    types = ["application/json", "application/javascript", "application/xml", "application/vnd.api+json"]
    assert [*types, "image/svg+xml"] == serverless_wsgi.TEXT_MIME_TYPES


def paths_of(app: Application, path: str) -> tuple[str, str]:
    event = compose(Request(path=path, headers=[HOST]), "rest-api", stage="prod")
    serverless_wsgi.handle_request(app, event, None)
    return app.environ["SCRIPT_NAME"], app.environ["PATH_INFO"]


def test_the_variables_are_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Application()
    assert paths_of(app, "/prod/shop/page") == ("/prod", "/shop/page")
    monkeypatch.setenv("API_GATEWAY_BASE_PATH", "shop")
    assert paths_of(app, "/prod/shop/page") == ("/prod/shop", "/page")
    monkeypatch.setenv("API_GATEWAY_BASE_PATH", "store")
    assert paths_of(app, "/prod/shop/page") == ("/prod", "/shop/page")
    monkeypatch.setenv("STRIP_STAGE_PATH", "yes")
    assert paths_of(app, "/prod/shop/page") == ("", "/shop/page")
    monkeypatch.delenv("STRIP_STAGE_PATH")
    monkeypatch.delenv("API_GATEWAY_BASE_PATH")
    assert paths_of(app, "/prod/shop/page") == ("/prod", "/shop/page")


@pytest.mark.parametrize("base_path", ["shop", "/shop", "shop/", "/shop/"])
def test_a_base_path_may_have_slashes(monkeypatch: pytest.MonkeyPatch, base_path: str) -> None:
    monkeypatch.setenv("API_GATEWAY_BASE_PATH", base_path)
    monkeypatch.setenv("STRIP_STAGE_PATH", "yes")
    assert paths_of(Application(), "/prod/shop/page") == ("/shop", "/page")
    assert paths_of(Application(), "/prod/shopping") == ("", "/shopping")


def test_an_invalid_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIP_STAGE_PATH", "perhaps")
    with pytest.raises(SettingError, match="environment variable STRIP_STAGE_PATH is 'perhaps'; allowed is"):
        serverless_wsgi.handle_request(Application(), compose(Request()), None)


def test_the_handler_of_an_application_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wsgi_handler = mock.Mock(wraps=bridge.wsgi_handler)
    monkeypatch.setattr("bridge.compat.serverless_wsgi.wsgi_handler", wsgi_handler)
    first, second = Application(), Application()
    for app in (first, second, first, second, first):
        serverless_wsgi.handle_request(app, compose(Request()), None)
        assert app.environ
    assert [call.args for call in wsgi_handler.call_args_list] == [(first,), (second,)]


@pytest.mark.parametrize("source", ["aws.events", "serverless-plugin-warmup", "aws.scheduler"])
def test_a_warm_up_event_is_answered_without_the_application(source: str) -> None:
    app = Application()
    assert serverless_wsgi.handle_request(app, {"source": source}, None) == {}
    assert not app.environ


def lambda_event() -> dict[str, Any]:
    return {"method": "GET", "requestPath": "/dogs/{id}", "path": {"id": "7"}, "headers": {}, "query": {"a": "1"}}


def test_a_status_of_300_or_above_is_raised_for_the_lambda_integration() -> None:
    app = Application(status="404 Not Found")
    with pytest.raises(RuntimeError) as caught:
        serverless_wsgi.handle_request(app, lambda_event(), None)
    assert json.loads(str(caught.value))["statusCode"] == 404
    assert app.environ["PATH_INFO"] == "/dogs/7"


def test_the_functions_for_one_kind_of_event_answer_it() -> None:
    assert serverless_wsgi.handle_payload_v1(Application(), compose(Request(), "rest-api"), None)["statusCode"] == 200
    assert serverless_wsgi.handle_payload_v2(Application(), compose(Request(), "http-api"), None)["statusCode"] == 200
    assert serverless_wsgi.handle_lambda_integration(Application(), lambda_event(), None)["statusCode"] == 200


def test_is_alb_event_recognises_events_of_load_balancers() -> None:
    assert serverless_wsgi.is_alb_event(compose(Request(), "alb")) is True
    assert serverless_wsgi.is_alb_event(compose(Request(), "rest-api")) is False
    assert serverless_wsgi.is_alb_event({"requestContext": None}) is False
    assert serverless_wsgi.is_alb_event({}) is False


def test_an_event_that_is_not_a_request_is_an_error_with_its_keys() -> None:
    with pytest.raises(EventError, match="Records"):
        serverless_wsgi.handle_request(Application(), {"Records": []}, None)


@pytest.mark.parametrize("name", ["generate_response", "setup_environ_items", "no_such_name"])
def test_a_missing_attribute_is_an_error_that_lists_the_existing_ones(name: str) -> None:
    with pytest.raises(
        AttributeError, match=f"has no attribute '{name}'. Its attributes are TEXT_MIME_TYPES, .*docs/migrating.md"
    ):
        getattr(serverless_wsgi, name)
    assert not hasattr(serverless_wsgi, name)


@pytest.mark.parametrize("name", ["serverless_wsgi", "apig_wsgi"])
def test_the_wsgi_modules_import_no_asyncio_and_only_the_standard_library(name: str) -> None:
    code = f"import sys; before = {{*sys.modules}}; import bridge.compat.{name}; print(*({{*sys.modules}} - before))"
    output = run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    imported = set(output.split())
    assert f"bridge.compat.{name}" in imported
    assert {each.partition(".")[0] for each in imported} <= {"bridge", *sys.stdlib_module_names}
    assert "asyncio" not in imported
