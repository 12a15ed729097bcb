"""``bridge.handle_request``: one handler for each application and its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge import handlers
from bridge.errors import SettingError
from tests.helpers import AsgiApp, WsgiApp, event

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    yield
    while handlers._cached_handlers:
        handlers._cached_handlers.popitem()[1].close()


def test_an_application_is_started_once() -> None:
    app = AsgiApp()
    for _ in range(3):
        assert bridge.handle_request(app, event(), None)["body"] == "body"
    assert app.lifespan == ["lifespan.startup"]
    assert len(app.scopes) == 3


def test_the_context_is_optional() -> None:
    app = WsgiApp()
    bridge.handle_request(app, event())
    assert app.environs[0]["serverless.context"] is None


def test_applications_and_options_have_handlers_of_their_own() -> None:
    one, other = WsgiApp(b"one", headers=[]), WsgiApp(b"other", headers=[("X-A", "1")])
    request = event("/shop/page")
    assert bridge.handle_request(one, request)["body"] == "one"
    assert bridge.handle_request(other, request)["headers"] == {"X-A": "1"}
    assert bridge.handle_request(other, request, exclude_headers=["X-A"])["headers"] == {}
    assert bridge.handle_request(other, request, base_path="/shop")["headers"] == {"X-A": "1"}
    assert other.environs[-1]["SCRIPT_NAME"] == "/shop"
    assert bridge.handle_request(other, request)["headers"] == {"X-A": "1"}
    assert other.environs[-1]["SCRIPT_NAME"] == ""


def test_a_wrong_option_is_an_error() -> None:
    with pytest.raises(SettingError):
        bridge.handle_request(WsgiApp(), event(), lifespan="always")  # type: ignore[arg-type]


def test_a_new_application_is_not_taken_for_a_deleted_one_of_the_same_id() -> None:
    for number in range(50):
        assert bridge.handle_request(WsgiApp(b"%d" % number), event())["body"] == str(number)


def test_a_bound_method_has_one_handler() -> None:
    class Shop:
        def __init__(self) -> None:
            self.app = AsgiApp()

        async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    shop, other = Shop(), Shop()
    for _ in range(3):
        bridge.handle_request(shop.asgi, event(), None)
    bridge.handle_request(other.asgi, event(), None)
    assert shop.app.lifespan == other.app.lifespan == ["lifespan.startup"]


def test_the_oldest_application_is_shut_down_if_there_are_too_many() -> None:
    apps = [AsgiApp() for _ in range(handlers._MAX_CACHED + 1)]
    for app in apps:
        bridge.handle_request(app, event())
    assert apps[0].lifespan == ["lifespan.startup", "lifespan.shutdown"]
    assert {tuple(app.lifespan) for app in apps[1:]} == {("lifespan.startup",)}
    bridge.handle_request(apps[0], event())
    assert apps[0].lifespan[2:] == ["lifespan.startup"]
