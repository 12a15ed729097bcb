"""The page's view of the events of a WebSocket API, and of the messages of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.websocket_events import CONNECT, DEFAULT, DISCONNECT
from bridge.limits import WEBSOCKET_MESSAGE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.gateway import AccessRecord
    from bridge.dev.inspector.recorder import Entry

# More of a message is not shown in the list of a connection's messages.
_MAX_TEXT = 2_000
EVENTS = ("CONNECT", "MESSAGE", "DISCONNECT")


def messages(entries: Iterable[Entry], connection: str) -> list[dict[str, Any]]:
    """Return what has happened on a connection, the oldest first; nothing for an HTTP request."""
    return [
        {
            "number": record.number,
            "method": record.request.method,
            "started": record.started,
            "status": record.answer.status,
            "size": len(record.request.body),
            "text": record.request.body.decode("utf-8", "replace")[:_MAX_TEXT],
        }
        for entry in entries
        if connection and (record := entry.record).connection == connection
    ]


def reasons(record: AccessRecord) -> list[dict[str, str]]:
    """Return the decisions about an event or a request to a connection, as ``reasons`` in :mod:`.reasons`."""
    method, status, route = record.request.method, record.answer.status, record.request.path
    if record.answer.explanation:
        reason = f"the WebSocket API answered {status} itself: {record.answer.explanation}"
        return [_reason("answer", "answer", reason)]
    if method == "MESSAGE":
        how = "no other route matches the message" if route == DEFAULT else "the route selection expression names it"
        return [_reason("route", route, how)]
    if method == "CONNECT" and status == 101:
        return [_reason("route", CONNECT, "the function accepted the connection")]
    if method == "CONNECT" and status:
        return [_reason("answer", CONNECT, f"the function refused the connection with the status {status}")]
    if method == "DISCONNECT":
        reason = f"closed with {status}"
        context = record.event["requestContext"] if record.event is not None else {}
        return [_reason("route", DISCONNECT, f"{reason}: {context.get('disconnectReason') or 'no reason was given'}")]
    if status == 410:
        return [_reason("answer", "@connections", "the connection is closed, or not open before its event is answered")]
    return []


def limits(record: AccessRecord) -> list[dict[str, Any]]:
    """Return the sizes that are compared with limits, as :func:`bridge.dev.inspector.reasons.limits`."""
    if record.request.method not in ("MESSAGE", "POST"):
        return []
    size, limit = len(record.request.body), WEBSOCKET_MESSAGE_LIMIT
    return [{"subject": "message", "size": size, "limit": limit, "isNear": size > 0.8 * limit}]


def missing(record: AccessRecord) -> dict[str, str]:
    """Return why a panel is empty, by the name of the panel."""
    names = ("event", "scope", "response", "payload")
    if record.request.method not in EVENTS:
        return dict.fromkeys(names, "A request to a connection reaches no function.")
    texts = {"answer": "The client gets no answer to this event. What the function sends are requests to @connections."}
    if not record.event_json:
        texts |= dict.fromkeys(names, "The WebSocket API did this itself, without the function.")
    return texts


def has_answer(record: AccessRecord) -> bool:
    """Whether a client or a function gets an answer to this."""
    return record.request.method not in EVENTS[1:] or bool(record.answer.body)


def _reason(kind: str, subject: str, reason: str) -> dict[str, str]:
    return {"step": "compose", "kind": kind, "subject": subject, "reason": reason}
