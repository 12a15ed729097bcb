"""A WSGI application in a thread of an event loop; test_call.py tests PEP 3333 for it, too."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

import flask

from tests.helpers import body_of, event, get
from tests.wsgi.applications import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import MakeHandler


class TestInAHandler:
    def test_flask_receives_the_request(self, make_handler: MakeHandler) -> None:
        app = flask.Flask(__name__)

        @app.post("/<name>")
        def home(name: str) -> Any:
            answer = flask.make_response(f"{name} {flask.request.form['a']}")
            answer.set_cookie("one", "1")
            answer.set_cookie("two", "2")
            return answer

        payload = make_handler(app)(
            event("/caf%C3%A9", "POST", {"content-type": "application/x-www-form-urlencoded"}, "a=b"), None
        )
        assert (payload["statusCode"], body_of(payload)) == (200, "café b".encode())
        assert len(payload["cookies"]) == 2

    def test_event_context_and_user_are_in_the_environ(self, make_handler: MakeHandler) -> None:
        received: dict[str, Any] = {}

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            received.update(environ)
            start_response("200 OK", PLAIN)
            return []

        request = event("/%FF")
        request["requestContext"]["authorizer"] = {"iam": {"userId": "someone"}}
        make_handler(app)(request, "the context")
        assert received["serverless.event"] is request
        assert received["serverless.context"] == "the context"
        assert received["serverless.authorizer"] == {"iam": {"userId": "someone"}}
        assert received["REMOTE_USER"] == "someone"
        assert received["PATH_INFO"] == "/\xff"


def test_the_thread_sees_the_caller_s_context_variables_and_leaves_none(make_handler: MakeHandler) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        value = variable.get()
        variable.set("left behind")
        start_response("200 OK", PLAIN)
        return [value.encode()]

    handler = make_handler(app)
    token = variable.set("set")
    assert get(handler) == (200, b"set")
    variable.reset(token)
    assert [get(handler) for _ in range(3)] == [(200, b"unset")] * 3
