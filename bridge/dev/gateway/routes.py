"""Matching a request to explicit routes, as API Gateway does.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html: the most specific route with
the request's method wins, greedy ones after all others, then ``$default``. A REST API first finds the resource,
segment by segment and whatever its methods, and then the method on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.dev.gateway.models import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.dev.gateway.cors import Cors

_FIXED, _VARIABLE, _GREEDY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class FunctionRoute:
    """A route and the function behind it.

    Attributes:
        method: ``"GET"`` … or ``"ANY"``.
        template: ``"/dogs/{id}"``, ``"/{proxy+}"``, or ``"$default"``.
        function: the name of the function.
        preflight: what API Gateway answers here by itself, instead of the function; None where the function answers.
    """

    method: str
    template: str
    function: str
    preflight: Cors | None = None


def match(
    routes: Sequence[FunctionRoute], method: str, path: str, *, rest: bool
) -> tuple[FunctionRoute, Route | None] | None:
    """The route that takes a request, and what its variables matched.

    Args:
        routes: all routes.
        method: the request's method.
        path: its path, percent-encoded, without the stage.
        rest: match as a REST API does, not as an HTTP API.

    Returns:
        The route; with None for the match of ``$default``. None if no route takes the request.
    """
    candidates = [
        (rank, route, found) for route in routes if (placed := _place(route.template, path)) for rank, found in [placed]
    ]
    if rest and candidates:
        best = min(rank for rank, _, _ in candidates)
        candidates = [candidate for candidate in candidates if candidate[0] == best]
    allowed = [candidate for candidate in candidates if candidate[1].method in (method, "ANY")]
    if allowed:

        def order(
            candidate: tuple[tuple[int, ...], FunctionRoute, dict[str, str]],
        ) -> tuple[bool, tuple[int, ...], bool]:
            rank, route, _ = candidate
            return not rest and rank[-1] == _GREEDY, rank, route.method == "ANY"

        _, route, parameters = min(allowed, key=order)
        return route, Route(route.method, route.template, parameters)
    if rest:
        return None
    default = next((route for route in routes if route.template == "$default"), None)
    return (default, None) if default is not None else None


def _place(template: str, path: str) -> tuple[tuple[int, ...], dict[str, str]] | None:
    """How specific *template* is for *path*, lower is more, and its variables; None if it does not match."""
    if template == "$default":
        return None
    wanted, given = template.strip("/").split("/"), path.strip("/").split("/")
    rank: list[int] = []
    parameters: dict[str, str] = {}
    for position, segment in enumerate(wanted):
        if segment.startswith("{") and segment.endswith("+}"):
            rest = "/".join(given[position:])
            if not rest:
                return None
            parameters[segment[1:-2]] = rest
            return (*rank, _GREEDY), parameters
        if position >= len(given):
            return None
        if segment.startswith("{") and segment.endswith("}"):
            if not given[position]:
                return None
            parameters[segment[1:-1]] = given[position]
            rank.append(_VARIABLE)
        elif segment == given[position]:
            rank.append(_FIXED)
        else:
            return None
    return (tuple(rank), parameters) if len(wanted) == len(given) else None
