"""Events that are not HTTP requests: warm-up events, remote commands, and those of the user's own callback."""

from __future__ import annotations

from bridge.errors import ApplicationNotFoundError, EventError, InterfaceError, SettingError, is_cancellation
from bridge.logs import logger
from bridge.sources import is_websocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.settings import OtherEvents, Settings

# The senders of warm-up events: scheduled rules, EventBridge Scheduler and serverless-plugin-warmup.
_WARM_UP_SOURCES = ("aws.events", "aws.scheduler", "serverless-plugin-warmup")
# The only key of an event that requests a command: bridge.remote.commands.EVENT_KEY, without the import.
_COMMAND_KEY = "_serverless-wsgi"


def answer(event: Any, context: Any, *, app: Any, settings: Settings, startup: Callable[[], object]) -> Any:
    """The payload for an event that is not an HTTP request; *startup* is called for a warm-up event.

    Raises:
        EventError: no ``other_events`` callback is set.
        SettingError: the callback's name leads nowhere, or to an object that cannot be called.
    """
    is_mapping = isinstance(event, dict)
    if is_mapping and len(event) == 1 and _COMMAND_KEY in event:
        from bridge.remote.commands import answer as run_command

        return run_command(event, context, app=app)
    if is_mapping and settings.warm_up and event.get("source") in _WARM_UP_SOURCES:
        logger.info("Warm-up event from %s: answered without calling the application.", event["source"])
        startup()
        return {}
    if settings.has_websocket_callbacks and is_websocket(event):
        from bridge.websocket.callbacks import answer as call_back

        return call_back(event, context, settings, resolve)
    if settings.other_events is not None:
        callback = settings.other_events = resolve(settings.other_events)
        try:
            return callback(event, context)
        except BaseException as error:
            if is_cancellation(error):
                raise InterfaceError("The callback other_events raised CancelledError.") from error
            raise
    from bridge.sources.unreadable_events import likely_sender

    keys = ", ".join(map(str, event)) if is_mapping else ""
    description = f"with the keys {keys or '(none)'}" if is_mapping else f"a {type(event).__name__}"
    raise EventError(
        f"The event ({description}) is not an HTTP request from a supported source"
        f"{likely_sender(event) if is_mapping else ''}. If the function is to handle such events, pass "
        "other_events=callback to the handler, or set BRIDGE_OTHER_EVENTS to module:function."
    )


def resolve(callback: OtherEvents | str) -> OtherEvents:
    """The callback itself, imported if *callback* is its name.

    Raises:
        SettingError: the name leads nowhere, or to an object that cannot be called.
    """
    if not isinstance(callback, str):
        return callback
    from bridge.loading import find_application

    try:
        function: Any = find_application(callback)
    except ApplicationNotFoundError as error:
        raise SettingError(f"other_events is {callback!r}, which cannot be imported. {error}") from error
    if not callable(function):
        raise SettingError(f"other_events is {callback!r}, a {type(function).__name__}, which cannot be called.")
    return function  # type: ignore[no-any-return]  # the user's own function
