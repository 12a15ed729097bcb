"""The page's view of a request, made of the recorder's references when the page requests it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.event_parts import decode_header
from bridge.dev.inspector import websocket_views
from bridge.dev.inspector.masking import masked_json, masked_value
from bridge.dev.inspector.reasons import limits, reasons
from bridge.errors import BridgeError
from bridge.handlers import Handler
from bridge.settings import Settings
from bridge.sources import is_websocket, recognise, source_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.dev.gateway.gateway import AccessRecord, Gateway
    from bridge.dev.inspector.recorder import Entry
    from bridge.request import Scope
    from bridge.response import Response

# More of a body, and of a string inside of an event or payload, is not shown.
_MAX_TEXT = 20_000
_MAX_STRING = 4_000
_MAX_HEX = 512
# The HTTP versions of a request line; Scope and request have the number alone.
_SCOPE_FIELDS = (
    "source", "method", "root_path", "path", "raw_path", "query", "scheme", "server_name", "server_port", "client",
    "http_version", "user",
)  # fmt: skip


def summary(entry: Entry) -> dict[str, Any]:
    """Return a request's row in the list."""
    record = entry.record
    process = None if record.context is None else record.context.process
    is_streamed = record.streamed is not None
    size = record.streamed if is_streamed else len(record.answer.body)
    if record.connection:
        size = max(len(record.answer.body), len(record.request.body))
    return {
        "number": record.number,
        "method": record.request.method,
        "target": _shown(record.request.target),
        "source": record.source,
        "status": record.answer.status,
        "started": record.started,
        "seconds": record.seconds,
        "compose": record.compose_seconds,
        "handler": record.handler_seconds,
        "interpret": record.interpret_seconds,
        "size": size,
        "encoding": record.encoding,
        "isOver": entry.is_over,
        "isOwnAnswer": bool(record.answer.explanation),
        "hasNote": bool(record.answer.note or record.cut_off),
        "replayOf": record.replay_of,
        "connection": record.connection,
        "function": record.function,
        "process": None if process is None else process._asdict(),
    }


class Views:
    """Makes the views of requests.

    Args:
        gateway: the gateway.
        handlers: its handlers, by function name.
    """

    def __init__(self, gateway: Gateway, handlers: Mapping[str, Any]) -> None:
        self._gateway = gateway
        self._handlers = handlers

    def view(self, entry: Entry, *, with_secrets: bool) -> dict[str, Any]:
        """Return everything that the page shows of a request."""
        record = entry.record
        scope, settings = self.read_scope(record)
        response = application_response(record)
        if record.connection:
            why, sizes = websocket_views.reasons(record), websocket_views.limits(record)
        else:
            gateway = self._gateway.behind(record.source)
            why, sizes = reasons(record, gateway, scope, response, settings), limits(record, gateway)
        return {
            "summary": summary(entry),
            "reasons": why,
            "limits": sizes,
            "panels": {
                "request": _request_panel(record, with_secrets=with_secrets),
                "event": _json_panel(record.event, with_secrets=with_secrets),
                "scope": None if scope is None else scope_panel(scope, with_secrets=with_secrets),
                "response": None if response is None else response_panel(response, with_secrets=with_secrets),
                "payload": _json_panel(record.payload, with_secrets=with_secrets),
                "answer": answer_panel(entry, with_secrets=with_secrets),
            },
            "missing": self._missing(record),
            "requestId": "" if record.context is None else record.context.aws_request_id,
            "chunks": [
                {"seconds": chunk.seconds, "size": chunk.size, "text": _chunk_text(chunk.data)}
                for chunk in entry.chunks
            ],
            "chunkCount": entry.chunk_count,
            "hasSecrets": with_secrets or self._has_secrets(record),
            "withSecrets": with_secrets,
        }

    def read_scope(self, record: AccessRecord) -> tuple[Scope | None, Settings | None]:
        """Return the Scope that the function's side reads from the event, and the settings by which it does.

        Both are None if there is no event, or if the function is not the bridge's.
        """
        handler = self._handlers.get(record.function)
        name = recognise(record.event)
        if name is not None:
            source = source_named(name)
        elif is_websocket(record.event):
            from bridge.websocket import events as source
        else:
            return None, None
        try:
            if isinstance(handler, Handler):
                return handler.read(source, record.event, record.context), handler.settings
            environment = getattr(handler, "environment", None)
            if environment is None:  # a function (event, context), which may read the event in any way
                return None, None
            settings = Settings(environ=dict(environment))
            return source.read(record.event, record.context, settings), settings
        except (AttributeError, LookupError, TypeError, BridgeError):
            return None, None

    def _missing(self, record: AccessRecord) -> dict[str, str]:
        """Return why a panel is empty, by the name of the panel."""
        if record.connection:
            of_function = self._missing_of_function(record) if record.event_json else {}
            return of_function | websocket_views.missing(record)
        if record.event is None:
            reason = "The front door answered this request itself, without the function."
            return dict.fromkeys(("event", "scope", "response", "payload"), reason)
        return self._missing_of_function(record)

    def _missing_of_function(self, record: AccessRecord) -> dict[str, str]:
        handler = self._handlers.get(record.function)
        missing = {}
        if not isinstance(handler, Handler):
            is_process = hasattr(handler, "environment")
            missing["response"] = (
                "The application runs in a separate process, and only its payload comes here. Run `bridge serve` "
                "without --runtime to see its response."
                if is_process
                else "The function is a Lambda handler of its own, which answers with a payload."
            )
            if not is_process:
                missing["scope"] = "The function is a Lambda handler of its own, which reads the event itself."
        else:
            missing["response"] = "The application has not answered."
        missing["payload"] = "The function has not returned a payload."
        return missing

    def _has_secrets(self, record: AccessRecord) -> bool:
        headers = [*record.request.headers, *record.answer.headers]
        return any(masked_value(name, value) != value for name, value in headers)


def application_response(record: AccessRecord) -> Response | None:
    """Return what the application answered; None if it is not recorded."""
    return None if record.context is None else record.context.response


def scope_panel(scope: Scope, *, with_secrets: bool) -> dict[str, Any]:
    """Return fields, headers and body of a Scope."""
    values = {name: getattr(scope, name) for name in _SCOPE_FIELDS}
    return {
        "fields": [[name, _shown(str(value)) if value is not None else None] for name, value in values.items()],
        "headers": _headers(scope.headers, with_secrets=with_secrets),
        "body": _body(scope.body),
    }


def response_panel(response: Response, *, with_secrets: bool) -> dict[str, Any]:
    """Return status, headers and body of the application's response."""
    return {
        "line": response.status_line(),
        "headers": _headers(response.headers, with_secrets=with_secrets),
        "body": _body(response.body),
    }


def answer_panel(entry: Entry, *, with_secrets: bool) -> dict[str, Any] | None:
    """Return status line, headers and body that the client gets; None as long as there is no answer."""
    record = entry.record
    answer = record.answer
    if not answer.status or (record.connection and not websocket_views.has_answer(record)):
        return None
    length = None if record.streamed is not None else len(answer.body)
    pairs = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in answer.encode_headers(record.request.method, length)
    ]
    body = answer.body if answer.has_body(record.request.method) else b""
    if record.streamed is not None:
        body = b"".join(chunk.data or b"" for chunk in entry.chunks)
    return {
        "line": f"HTTP/{record.request.http_version} {answer.status} {_reason_phrase(answer.status)}".rstrip(),
        "headers": _headers(pairs, with_secrets=with_secrets),
        "body": _body(body, record.streamed),
    }


def _request_panel(record: AccessRecord, *, with_secrets: bool) -> dict[str, Any]:
    request = record.request
    return {
        "line": f"{request.method} {_shown(request.target)} HTTP/{request.http_version}",
        "headers": _headers(request.headers, with_secrets=with_secrets),
        "body": _body(request.body, request.size),
        "fields": [["client", request.client], ["scheme", request.scheme]],
    }


def _json_panel(value: Any, *, with_secrets: bool) -> dict[str, Any] | None:
    if value is None:
        return None
    shown = _with_short_strings(value if with_secrets else masked_json(value))
    return {"json": json.dumps(shown, indent=2, ensure_ascii=False)}


def _headers(pairs: Iterable[tuple[str, str]], *, with_secrets: bool) -> list[list[str]]:
    shown = [(name, _shown(value)) for name, value in pairs]
    return [[name, value if with_secrets else masked_value(name, value)] for name, value in shown]


def _body(body: bytes, size: int | None = None) -> dict[str, Any]:
    """Return the first part of a body, as text or as a hex dump, and the number of bytes of the whole."""
    whole = max(len(body), size or 0)
    try:
        text = body.decode("utf-8")
        if any(ord(character) < 32 and character not in "\t\n\r\f" for character in text[:1000]):
            raise UnicodeError("control characters")
    except UnicodeError:
        return {"size": whole, "text": _hex_dump(body[:_MAX_HEX]), "form": "hex", "isWhole": len(body) <= _MAX_HEX}
    is_whole = len(text) <= _MAX_TEXT and whole == len(body)
    return {"size": whole, "text": text[:_MAX_TEXT], "form": "text", "isWhole": is_whole}


def _hex_dump(data: bytes) -> str:
    lines = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:04x}  {part.hex(' '):<47}  {text}")
    return "\n".join(lines)


def _chunk_text(data: bytes | None) -> str | None:
    return None if data is None else data[:200].decode("utf-8", "replace")


def _shown(text: str) -> str:
    """Return a native string as the text that its bytes are in UTF-8, or else in ISO-8859-1."""
    return decode_header(text)


def _with_short_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_short_strings(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_short_strings(inner) for inner in value]
    if isinstance(value, str) and len(value) > _MAX_STRING:
        return f"{value[:_MAX_STRING]}… ({len(value)} characters)"
    return value


def _reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
