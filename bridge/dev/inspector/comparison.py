"""The differences between two requests: in the Scope, the application's response, and the client's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.dev.inspector.views import answer_panel, application_response, response_panel, scope_panel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.inspector.recorder import Entry
    from bridge.dev.inspector.views import Views

# Headers that differ between any two requests.
_ALWAYS_DIFFERENT = frozenset({"date", "x-amzn-trace-id"})


def differences(views: Views, before: Entry, after: Entry, *, with_secrets: bool) -> list[dict[str, Any]]:
    """Return a row for each difference: ``part``, ``name``, and the values ``before`` and ``after``, None if missing.

    The forms of events and payloads differ between front doors by design, so these are not compared.
    """
    parts = [
        ("Scope", _scope(views, before, with_secrets), _scope(views, after, with_secrets)),
        ("Application's response", _response(before, with_secrets), _response(after, with_secrets)),
        ("HTTP response", _answer(before, with_secrets), _answer(after, with_secrets)),
    ]
    return [
        {"part": part, "name": name, "before": first.get(name), "after": second.get(name)}
        for part, first, second in parts
        if first is not None and second is not None
        for name in [*first, *(name for name in second if name not in first)]
        if first.get(name) != second.get(name)
    ]


def _scope(views: Views, entry: Entry, with_secrets: bool) -> dict[str, str | None] | None:
    scope, _ = views.read_scope(entry.record)
    return None if scope is None else dict(_values(scope_panel(scope, with_secrets=with_secrets)))


def _response(entry: Entry, with_secrets: bool) -> dict[str, str | None] | None:
    response = application_response(entry.record)
    return None if response is None else dict(_values(response_panel(response, with_secrets=with_secrets)))


def _answer(entry: Entry, with_secrets: bool) -> dict[str, str | None] | None:
    panel = answer_panel(entry, with_secrets=with_secrets)
    if panel is None:
        return None
    is_own_answer = bool(entry.record.answer.explanation)
    return dict(_values(panel)) | {"answered by": "front door" if is_own_answer else "function"}


def _values(panel: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    if "line" in panel:
        yield "status", panel["line"].removeprefix("HTTP/1.1 ")
    for name, value in panel.get("fields", []):
        if name != "source":
            yield name, value
    headers: dict[str, list[str]] = {}
    for name, value in panel["headers"]:
        if name.lower() not in _ALWAYS_DIFFERENT:
            headers.setdefault(name.lower(), []).append(value)
    for name, values in headers.items():
        yield f"header {name}", "\n".join(values)
    body = panel["body"]
    yield "body", f"{body['text']}" if body["isWhole"] else f"{body['text']}… ({body['size']} bytes)"
