"""``bridge.compat.serverless_wsgi``: serverless-wsgi's calls, on the bridge's one path."""

from __future__ import annotations

import json
import sys
from subprocess import run
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge.compat import serverless_wsgi
from bridge.dev.gateway import SOURCES, Request, compose, interpret
from bridge.errors import EventError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.adapter import Handler

HOST = ("host", "a1b2c3.execute-api.us-east-1.amazonaws.com")


class Application:
    """A WSGI application that remembers its last environ."""

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


@pytest.mark.parametrize("source", SOURCES)
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


def test_a_type_that_is_appended_is_text_from_then_on() -> None:
    app = Application("application/x-tex; charset=utf-8")
    assert is_base64(app)
    serverless_wsgi.TEXT_MIME_TYPES.append("application/x-tex")
    assert not is_base64(app)
    serverless_wsgi.TEXT_MIME_TYPES.remove("application/x-tex")
    assert is_base64(app)


def test_another_list_in_place_of_the_first_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Application("application/x-tex")
    monkeypatch.setattr(serverless_wsgi, "TEXT_MIME_TYPES", ["Application/X-TeX"])
    assert not is_base64(app)


def test_the_list_is_there_with_the_types_that_its_users_know() -> None:
    known = ["application/json", "application/javascript", "application/xml", "application/vnd.api+json"]
    assert [*known, "image/svg+xml"] == serverless_wsgi.TEXT_MIME_TYPES


def paths_of(app: Application, path: str) -> tuple[str, str]:
    event = compose(Request(path=path, headers=[HOST]), "rest-api", stage="prod")
    serverless_wsgi.handle_request(app, event, None)
    return app.environ["SCRIPT_NAME"], app.environ["PATH_INFO"]


def test_the_variables_count_as_they_stand_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_base_path_may_be_written_with_slashes(monkeypatch: pytest.MonkeyPatch, base_path: str) -> None:
    monkeypatch.setenv("API_GATEWAY_BASE_PATH", base_path)
    monkeypatch.setenv("STRIP_STAGE_PATH", "yes")
    assert paths_of(Application(), "/prod/shop/page") == ("/shop", "/page")
    assert paths_of(Application(), "/prod/shopping") == ("", "/shopping")


def test_a_variable_that_is_neither_yes_nor_no_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIP_STAGE_PATH", "perhaps")
    with pytest.raises(SettingError, match="environment variable STRIP_STAGE_PATH is 'perhaps'; allowed is"):
        serverless_wsgi.handle_request(Application(), compose(Request()), None)


def test_an_application_is_prepared_once_and_not_for_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    make = bridge.wsgi_handler

    def counting(app: Any, **options: Any) -> Handler:
        made.append(app)
        return make(app, **options)

    monkeypatch.setattr("bridge.compat.serverless_wsgi.wsgi_handler", counting)
    one, other = Application(), Application()
    for app in (one, other, one, other, one):
        serverless_wsgi.handle_request(app, compose(Request()), None)
        assert app.environ
    assert made == [one, other]


@pytest.mark.parametrize("source", ["aws.events", "serverless-plugin-warmup", "aws.scheduler"])
def test_a_warm_up_event_is_answered_without_the_application(source: str) -> None:
    app = Application()
    assert serverless_wsgi.handle_request(app, {"source": source}, None) == {}
    assert not app.environ


def lambda_event() -> dict[str, Any]:
    return {"method": "GET", "requestPath": "/dogs/{id}", "path": {"id": "7"}, "headers": {}, "query": {"a": "1"}}


def test_the_lambda_integration_raises_what_is_300_or_above() -> None:
    app = Application(status="404 Not Found")
    with pytest.raises(RuntimeError) as caught:
        serverless_wsgi.handle_request(app, lambda_event(), None)
    assert json.loads(str(caught.value))["statusCode"] == 404
    assert app.environ["PATH_INFO"] == "/dogs/7"


def test_the_functions_for_one_kind_of_event_are_the_same_function() -> None:
    assert serverless_wsgi.handle_payload_v1(Application(), compose(Request(), "rest-api"), None)["statusCode"] == 200
    assert serverless_wsgi.handle_payload_v2(Application(), compose(Request(), "http-api"), None)["statusCode"] == 200
    assert serverless_wsgi.handle_lambda_integration(Application(), lambda_event(), None)["statusCode"] == 200


def test_an_event_of_a_load_balancer_is_told_from_others() -> None:
    assert serverless_wsgi.is_alb_event(compose(Request(), "alb")) is True
    assert serverless_wsgi.is_alb_event(compose(Request(), "rest-api")) is False
    assert serverless_wsgi.is_alb_event({"requestContext": None}) is False
    assert serverless_wsgi.is_alb_event({}) is False


def test_an_event_that_is_no_request_is_a_clear_error() -> None:
    with pytest.raises(EventError, match="Records"):
        serverless_wsgi.handle_request(Application(), {"Records": []}, None)


@pytest.mark.parametrize("name", ["generate_response", "setup_environ_items", "no_such_name"])
def test_what_is_not_there_is_told_with_what_is(name: str) -> None:
    with pytest.raises(AttributeError, match=f"has no '{name}'. It has TEXT_MIME_TYPES, .*docs/migrating.md"):
        getattr(serverless_wsgi, name)
    assert not hasattr(serverless_wsgi, name)


@pytest.mark.parametrize("name", ["serverless_wsgi", "apig_wsgi"])
def test_neither_wsgi_module_loads_an_event_loop_or_anything_from_outside(name: str) -> None:
    code = f"import sys; before = {{*sys.modules}}; import bridge.compat.{name}; print(*({{*sys.modules}} - before))"
    printed = run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(printed.split())
    assert f"bridge.compat.{name}" in loaded
    assert {each.partition(".")[0] for each in loaded} <= {"bridge", *sys.stdlib_module_names}
    assert not loaded & {"asyncio", "typing", "urllib.parse", "dataclasses", "logging"}
