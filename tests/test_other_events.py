"""Events that are not HTTP requests: the user's callback, and warm-up events."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge.errors import ApplicationNotFoundError, EventError, SettingError
from tests.helpers import AsgiApp, WsgiApp

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeHandler

QUEUE = {"Records": [{"eventSource": "aws:sqs"}], "more": 1}
WARM_UPS = [
    {"source": "aws.events", "detail-type": "Scheduled Event", "resources": []},
    {"source": "aws.scheduler", "detail-type": "Scheduled Event"},
    {"source": "serverless-plugin-warmup"},
]
not_a_function = 7


def on_event(event: Any, context: Any) -> Any:
    return ["other", event, context]


@pytest.mark.parametrize("event", [QUEUE, {}, [], "text", None, 7])
def test_the_callback_returns_the_payload(event: Any) -> None:
    context = object()
    assert bridge.handler(WsgiApp(), other_events=on_event)(event, context) == ["other", event, context]


def test_the_event_is_the_current_request_while_the_callback_runs() -> None:
    def callback(event: Any, context: Any) -> bool:
        request = bridge.current_request()
        return request is not None and (request.event, request.context) == (event, context)

    assert bridge.handler(WsgiApp(), other_events=callback)(QUEUE, object()) is True
    assert bridge.current_request() is None


def test_an_exception_of_the_callback_passes() -> None:
    def fail(event: Any, context: Any) -> Any:
        raise LookupError("no queue")

    with pytest.raises(LookupError, match="no queue"):
        bridge.handler(WsgiApp(), other_events=fail)(QUEUE, None)


def test_the_callback_may_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_OTHER_EVENTS", f"{__name__}:on_event")
    handler = bridge.handler(WsgiApp())
    assert [handler(QUEUE, None) for _ in range(2)] == [["other", QUEUE, None]] * 2


@pytest.mark.parametrize("start", ["startup", "event"])
def test_a_named_callback_is_imported_at_startup_or_with_the_first_event(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "callback_of_test.py").write_text("def on_event(event, context):\n    return 'imported'")
    monkeypatch.syspath_prepend(tmp_path)
    handler = bridge.handler(WsgiApp(), other_events="callback_of_test:on_event")
    assert "callback_of_test" not in sys.modules
    if start == "startup":
        handler.startup()
    else:
        handler(QUEUE, None)
    assert callable(handler.settings.other_events)
    assert handler(QUEUE, None) == "imported"
    del sys.modules["callback_of_test"]


@pytest.mark.parametrize("name", [f"{__name__}:no_such", "no_such_module:function", "not a name:x"])
def test_a_callback_that_cannot_be_imported_is_an_error_that_names_it(name: str) -> None:
    handler = bridge.handler(WsgiApp(), other_events=name)
    for call in (handler.startup, lambda: handler(QUEUE, None)):
        with pytest.raises(SettingError, match=f"^other_events is '{name}', which cannot be imported") as raised:
            call()
        assert isinstance(raised.value.__cause__, ApplicationNotFoundError)
        assert str(raised.value.__cause__) in str(raised.value)


def test_a_named_callback_that_cannot_be_called_is_an_error() -> None:
    with pytest.raises(SettingError, match="not_a_function', a int, which cannot be called"):
        bridge.handler(WsgiApp(), other_events=f"{__name__}:not_a_function").startup()


@pytest.mark.parametrize(
    ("event", "description"),
    [(QUEUE, "keys Records, more"), ({}, r"keys \(none\)"), ([], "a list"), (None, "a NoneType"), ("x", "a str")],
)
def test_an_event_without_callback_is_an_error_that_names_its_keys(event: Any, description: str) -> None:
    with pytest.raises(EventError, match=description) as raised:
        bridge.handler(WsgiApp())(event, None)
    assert "other_events=" in str(raised.value)
    assert "BRIDGE_OTHER_EVENTS" in str(raised.value)


@pytest.mark.parametrize("event", WARM_UPS)
def test_a_warm_up_event_is_answered_without_the_application_and_logged(
    event: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = WsgiApp()
    assert bridge.handler(app, other_events=on_event)(event, None) == {}
    assert app.environs == []
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    assert event["source"] in caplog.text


@pytest.mark.parametrize("is_awaited", [False, True], ids=["called", "awaited"])
def test_a_warm_up_event_starts_the_application(is_awaited: bool, make_handler: MakeHandler) -> None:
    app = AsgiApp()
    handler = make_handler(app)
    event = {"source": "serverless-plugin-warmup"}

    async def answer() -> Any:
        payload = await handler.answer(event)
        assert handler.asgi is not None
        await handler.asgi.close_here()
        return payload

    assert (asyncio.run(answer()) if is_awaited else handler(event)) == {}
    assert app.lifespan[0] == "lifespan.startup"


@pytest.mark.parametrize("event", WARM_UPS)
def test_without_the_option_warm_up_a_warm_up_event_is_an_event_like_others(event: Any) -> None:
    assert bridge.handler(WsgiApp(), warm_up=False, other_events=on_event)(event, None) == ["other", event, None]
    with pytest.raises(EventError):
        bridge.handler(WsgiApp(), warm_up=False)(event, None)


def test_an_event_with_a_source_of_the_user_is_no_warm_up_event() -> None:
    event = {"source": "my.events", "detail": {}}
    assert bridge.handler(WsgiApp(), other_events=on_event)(event, None) == ["other", event, None]
