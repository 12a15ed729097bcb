"""Events that are no HTTP requests: warm-ups, commands, and what the user takes care of."""

from __future__ import annotations

from bridge import logger
from bridge.errors import EventError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.adapter import Handler

# Scheduled rules, EventBridge Scheduler and serverless-plugin-warmup.
_WARM_UP_SOURCES = ("aws.events", "aws.scheduler", "serverless-plugin-warmup")
# The one key of an event that asks for a command (bridge.remote): no front door's events have only one.
_COMMAND = "_serverless-wsgi"


def answer(handler: Handler, event: Any, context: Any) -> Any:
    """What is given for such an event.

    Args:
        handler: who got it.
        event: what Lambda handed over.
        context: Lambda's context object.

    Raises:
        EventError: there is nobody to take it.
    """
    settings = handler.settings
    is_mapping = isinstance(event, dict)
    if is_mapping and len(event) == 1 and _COMMAND in event:
        from bridge.remote.function import answer as answer_command

        return answer_command(event, context, handler)
    if is_mapping and settings.warm_up and event.get("source") in _WARM_UP_SOURCES:
        logger().info("A warm-up event from %s: answered without the application.", event["source"])
        handler.startup()  # what it is sent for
        return {}
    if settings.other_events is not None:
        return settings.other_events(event, context)
    from bridge.sources.unknown import seems

    what = f"with the keys {', '.join(map(str, event)) or '(none)'}" if is_mapping else f"a {type(event).__name__}"
    raise EventError(
        f"The event ({what}) is no HTTP request from a known source{seems(event) if is_mapping else ''}. If the "
        "function is meant to be called with it, give the handler other_events=function, or name one in "
        "BRIDGE_OTHER_EVENTS as module:function."
    )
