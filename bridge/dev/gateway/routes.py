"""Matching a request to the routes of a REST or HTTP API.

An HTTP API selects the most specific route with the request's method, greedy routes after all others, then
``$default``: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html. A REST API
first selects the resource, segment by segment and whatever its methods, and then the method.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.dev.gateway.models import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.dev.gateway.cors import Cors

# How specific a segment of a template is; the lowest matches first.
_FIXED, _VARIABLE, _GREEDY = 0, 1, 2
_VARIABLE_SEGMENT = re.compile(r"\{[^{}+]+\+?\}")


@dataclass(frozen=True, slots=True)
class FunctionRoute:
    """A route to a function.

    Attributes:
        method: ``"GET"`` … or ``"ANY"``.
        template: ``"/dogs/{id}"``, ``"/{proxy+}"``, or ``"$default"``.
        function: the name of the function.
        preflight: the CORS configuration with which API Gateway answers this route itself; None if the function does.
    """

    method: str
    template: str
    function: str
    preflight: Cors | None = None


def invalid_template_reason(template: str) -> str | None:
    """Return why API Gateway refuses to create a route with the path *template*; None if it creates it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html and
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """
    *folders, last = template.strip("/").split("/")
    for segment in (*folders, last):
        if ("{" in segment or "}" in segment) and not _VARIABLE_SEGMENT.fullmatch(segment):
            return f"a path variable must be a whole segment, such as {{id}}, and {segment!r} is not"
    for segment in folders:
        if segment.endswith("+}"):
            return f"a greedy path variable must be the last segment, and {segment!r} is not"
    return None


def match(
    routes: Sequence[FunctionRoute], method: str, path: str, *, rest: bool
) -> tuple[FunctionRoute, Route | None] | None:
    """Return the route of a request, and the values of its path variables.

    Args:
        routes: all routes.
        method: the request's method.
        path: its path, percent-encoded, without the stage.
        rest: match as a REST API, not as an HTTP API.

    Returns:
        The route and its match, which is None for ``$default``; or None if no route matches.
    """
    candidates = [
        (matched[0], route, matched[1])
        for route in routes
        if (matched := _match_template(route.template, path)) is not None
    ]
    if rest and candidates:
        most_specific = min(rank for rank, _, _ in candidates)
        candidates = [candidate for candidate in candidates if candidate[0] == most_specific]
    candidates = [candidate for candidate in candidates if candidate[1].method in (method, "ANY")]
    if candidates:

        def order(candidate: tuple[tuple[int, ...], FunctionRoute, dict[str, str]]) -> tuple[object, ...]:
            rank, route, _ = candidate
            return not rest and rank[-1] == _GREEDY, rank, route.method == "ANY"

        _, route, parameters = min(candidates, key=order)
        return route, Route(route.method, route.template, parameters)
    default = next((route for route in routes if route.template == "$default"), None)
    return (default, None) if default is not None and not rest else None


def _match_template(template: str, path: str) -> tuple[tuple[int, ...], dict[str, str]] | None:
    """Return the rank of each segment of *template*, and its variables; None if it does not match *path*."""
    if template == "$default":
        return None
    expected, segments = template.strip("/").split("/"), path.strip("/").split("/")
    rank: list[int] = []
    parameters: dict[str, str] = {}
    for position, name in enumerate(expected):
        if name.startswith("{") and name.endswith("+}"):
            rest = "/".join(segments[position:])
            if not rest:
                return None
            parameters[name[1:-2]] = rest
            return (*rank, _GREEDY), parameters
        segment = segments[position] if position < len(segments) else None
        if name.startswith("{") and name.endswith("}") and segment:
            parameters[name[1:-1]] = segment
            rank.append(_VARIABLE)
        elif segment == name:
            rank.append(_FIXED)
        else:
            return None
    return (tuple(rank), parameters) if len(expected) == len(segments) else None
