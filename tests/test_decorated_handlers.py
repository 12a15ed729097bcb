"""The attributes of handlers that decorators read, and messages about unsupported applications."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import bridge
from bridge.interface_detection import interface_of
from tests.helpers import AsgiApp, WsgiApp, get


@pytest.mark.parametrize("app", [WsgiApp(), AsgiApp()])
def test_a_handler_has_what_functools_wraps_copies(app: Any) -> None:
    handler = bridge.handler(app)

    @functools.wraps(handler)
    def decorated(event: Any, context: Any) -> Any:
        return handler(event, context)

    for function in (handler, decorated):
        assert (function.__name__, function.__qualname__) == ("handler", "handler")
        assert function.__module__ == "bridge.handlers"
        assert function.__doc__
    assert get(decorated) == (200, b"body")
    handler.close()


class TornadoApplication:
    def __call__(self, request: Any) -> Any: ...


class AiohttpApplication:
    def __call__(self) -> Any: ...


class Uncallable:
    pass


class WsgiDash(WsgiApp):
    pass


@pytest.mark.parametrize(
    ("package", "cls", "message"),
    [
        ("dash.dash", Uncallable, r"pass app\.server, or name it as module:app\.server"),
        ("tornado.web", TornadoApplication, "A Tornado application runs only on its own HTTP server"),
        ("aiohttp.web_app", AiohttpApplication, r"An application of aiohttp\.web runs only on its own HTTP server"),
        ("robyn", Uncallable, "A Robyn application runs only on its own HTTP server"),
    ],
)
@pytest.mark.parametrize("function", [bridge.handler, bridge.wsgi_handler, bridge.asgi_handler])
def test_an_application_of_a_framework_without_wsgi_and_asgi_is_an_error_that_says_what_to_do(
    package: str, cls: Any, message: str, function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cls, "__module__", package)

    class Application(cls):  # type: ignore[misc]
        """A subclass in the user's module."""

    for app in (cls(), Application()):
        with pytest.raises(bridge.InterfaceError, match=message):
            function(app)


def test_a_dash_object_that_is_wsgi_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WsgiDash, "__module__", "dash.dash")
    assert interface_of(WsgiDash()) == "wsgi"
