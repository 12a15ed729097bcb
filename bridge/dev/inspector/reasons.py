"""Why a request became what it is: the decisions of the front door, and those of the function's side.

The rules are not repeated here: each reason comes from the code that decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.bodies import encode
from bridge.dev.gateway.decisions import Decision
from bridge.errors import InterfaceError
from bridge.limits import is_refused_by_edge
from bridge.sources import http_api, parse, rest_api

if TYPE_CHECKING:
    from bridge.dev.gateway.gateway import AccessRecord, Gateway
    from bridge.request import Scope
    from bridge.response import Response
    from bridge.settings import Settings

# A limit of which more than this share is used is near.
_NEAR = 0.8
# Limits that are shown when none is near.
_SHOWN_LIMITS = 6

STEPS = ("compose", "function", "interpret")


def reasons(
    record: AccessRecord, gateway: Gateway, scope: Scope | None, response: Response | None, settings: Settings | None
) -> list[dict[str, str]]:
    """Return the decisions about a request in their order, each with ``step``, ``subject`` and ``reason``.

    Args:
        record: the request.
        gateway: a gateway of the request's front door.
        scope: the Scope that the function's side reads from the event; None if there is none.
        response: the application's response; None if it is not recorded.
        settings: the settings of the handler; None if they are unknown.
    """
    decisions = [decision for decision in gateway.decisions(record) if decision.kind != "limit"]
    before = [("compose", decision) for decision in decisions if not decision.kind.startswith("response")]
    after = [("interpret", decision) for decision in decisions if decision.kind.startswith("response")]
    inside = [("function", decision) for decision in _function_decisions(scope, response, settings)]
    rows = [_row(step, decision) for step, decision in [*_route(record), *before, *inside, *after]]
    answer = record.answer
    if answer.explanation:
        step = "compose" if record.context is None else "interpret"
        reason = f"{record.source} answered {answer.status} itself: {answer.explanation}"
        rows.append({"step": step, "kind": "answer", "subject": "answer", "reason": reason})
    if answer.note:
        rows.append({"step": "interpret", "kind": "note", "subject": "answer", "reason": answer.note})
    if record.cut_off:
        reason = f"cut off: {record.cut_off}"
        rows.append({"step": "interpret", "kind": "answer", "subject": "stream", "reason": reason})
    return rows


def limits(record: AccessRecord, gateway: Gateway) -> list[dict[str, Any]]:
    """Return the sizes that were compared with limits, the nearest first."""
    by_subject = {
        decision.subject: decision for decision in gateway.decisions(record) if decision.kind == "limit"
    }.values()
    nearest = sorted(by_subject, key=lambda decision: decision.size / decision.limit, reverse=True)[:_SHOWN_LIMITS]
    return [
        {
            "subject": decision.subject,
            "size": decision.size,
            "limit": decision.limit,
            "isNear": decision.size > decision.limit * _NEAR,
        }
        for decision in nearest
    ]


def _row(step: str, decision: Decision) -> dict[str, str]:
    return {"step": step, "kind": decision.kind, "subject": decision.subject, "reason": decision.reason}


def _route(record: AccessRecord) -> list[tuple[str, Decision]]:
    route = record.door.route if record.door is not None else None
    if route is None:
        return []
    values = ", ".join(f"{name} = {value}" for name, value in route.parameters.items())
    reason = f"matched {route.method} {route.template}" + (f" with {values}" if values else "")
    return [("compose", Decision("route", record.request.path, reason))]


def _function_decisions(scope: Scope | None, response: Response | None, settings: Settings | None) -> list[Decision]:
    decisions = []
    if scope is not None and settings is not None:
        decisions += _path_decisions(scope, settings)
        if scope.refusal is not None:
            decisions.append(Decision("answer", "request", "answered by the bridge: the event has a part of the body"))
    if response is None or settings is None:
        return decisions
    for name, _ in response.headers:
        if name.lower() in settings.exclude_headers:
            decisions.append(Decision("response header", name, "left out: the option exclude_headers names it"))
        elif scope is not None and scope.source == "edge" and is_refused_by_edge(name):
            decisions.append(Decision("response header", name, "left out: CloudFront would answer 502 for it"))
    try:
        fields = response.fields(settings.exclude_headers)
    except InterfaceError as error:
        return [*decisions, Decision("answer", "response", str(error))]
    if response.body:
        rules: list[str] = []
        _, is_base64 = encode(response.body, fields, settings.is_text, rules.append)
        decisions.append(Decision("response body", "body", f"{'base64' if is_base64 else 'text'}: {rules[0]}"))
    return decisions


def _path_decisions(scope: Scope, settings: Settings) -> list[Decision]:
    """Return where the path was divided into the part before the application, and its own."""
    event = scope.event
    if scope.source == "http-api":
        path = event.get("rawPath") or (event["requestContext"]["http"] or {}).get("path") or "/"
        _, rule = http_api.root_of(event, path)
    elif scope.source in ("rest-api", "http-api-v1"):
        path, _, _ = parse.as_text(event.get("path")).partition("?")
        headers = parse.merged(event.get("multiValueHeaders"), event.get("headers"))
        _, _, rule = rest_api.split_stage(event, path, headers)
    else:
        rule = f"{scope.source} has no stage"
    if settings.base_path and scope.root_path.endswith(settings.base_path):
        rule = "the option base_path names it"
    if scope.root_path:
        reason = f"cut from the path, and passed as SCRIPT_NAME or root_path: {rule}"
        return [Decision("path", scope.root_path, reason)]
    if settings.strip_stage:
        rule += "; the option strip_stage leaves it out of SCRIPT_NAME and root_path"
    return [Decision("path", scope.path, f"the application gets this path, and nothing as SCRIPT_NAME: {rule}")]
