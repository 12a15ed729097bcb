"""AWS's side of each front door, on this machine: an HTTP request to an event, a payload to an HTTP response.

``compose`` and ``interpret`` are pure functions for tests and tools; :class:`bridge.dev.gateway.app.Gateway` makes an
ASGI application of a handler with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway import alb, edge, function_url, http_api, lattice, rest_api
from bridge.dev.gateway.models import Answer, Door, RefusedError, Request, Route
from bridge.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.gateway.gateway import Gateway

__all__ = [
    "SOURCES",
    "Answer",
    "Door",
    "FrontDoor",
    "Gateway",
    "RefusedError",
    "Request",
    "Route",
    "compose",
    "interpret",
]


if not TYPE_CHECKING:  # with this in sight a type checker would let any name pass

    def __getattr__(name: str) -> object:
        """``Gateway``, when it is asked for: who only composes events needs no handler."""
        if name != "Gateway":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from bridge.dev.gateway.gateway import Gateway

        return Gateway


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The rules of one front door.

    Attributes:
        compose: a request to an event; raises :class:`RefusedError`.
        interpret: a payload to an answer; raises :class:`RefusedError`.
        failed: the answer when the function fails.
        timed_out: the answer when it takes too long.
        no_route: the answer when no route takes the request.
        timeout: how long the front door waits, in seconds.
        begin: what a stream begins with to an answer without body; raises :class:`RefusedError`. None if the front door
            takes whole payloads only.
        takes_bare_streams: whether a stream may be all body.
    """

    compose: Callable[[Request, Door], dict[str, Any]]
    interpret: Callable[[Any, Request, Door], Answer]
    failed: Answer
    timed_out: Answer
    no_route: Answer
    timeout: float
    begin: Callable[[Any, Request, Door], Answer] | None = None
    takes_bare_streams: bool = False


def _front_door(module: Any, suffix: str = "") -> FrontDoor:
    interpret_ = getattr(module, f"interpret{suffix}", module.interpret)
    return FrontDoor(
        getattr(module, f"compose{suffix}"),
        interpret_,
        module.FAILED,
        module.TIMED_OUT,
        module.NO_ROUTE,
        module.TIMEOUT_SECONDS,
        getattr(module, "begin", None),
        getattr(module, "TAKES_BARE_STREAMS", False),
    )


SOURCES: dict[str, FrontDoor] = {
    "rest-api": _front_door(rest_api),
    "http-api": _front_door(http_api),
    "http-api-v1": _front_door(http_api, "_v1"),
    "function-url": _front_door(function_url),
    "alb": _front_door(alb),
    "alb-multi": _front_door(alb, "_multi"),
    "lattice": _front_door(lattice),
    "lattice-v1": _front_door(lattice, "_v1"),
    "edge": _front_door(edge),
}


def front_door(source: str) -> FrontDoor:
    """The rules of the front door called *source*.

    Raises:
        SettingError: there is none of that name.
    """
    try:
        return SOURCES[source]
    except KeyError:
        raise SettingError(f"There is no source {source!r}. The sources are: {', '.join(SOURCES)}.") from None


def compose(request: Request, source: str = "http-api", **door: Any) -> dict[str, Any]:
    """The event that AWS would send to the function for *request*.

    Args:
        request: the request on the wire.
        source: the front door, a key of :data:`SOURCES`.
        **door: how it is set up; see :class:`Door`.

    Raises:
        RefusedError: the front door answers such a request itself; the answer is in it.
        SettingError: there is no such source.
        TypeError: a field of the request is of another type than it must be.
    """
    _check_types(request)
    return front_door(source).compose(request, Door(**door))


def interpret(payload: Any, source: str = "http-api", request: Request | None = None, **door: Any) -> Answer:
    """The response that AWS would give to the client for *payload*.

    Args:
        payload: what the function returned.
        source: the front door, a key of :data:`SOURCES`.
        request: the request that is answered; a REST API looks at its Accept header.
        **door: how the front door is set up; see :class:`Door`.

    Raises:
        RefusedError: the front door refuses such a payload; its answer is in it.
        SettingError: there is no such source.
        TypeError: a field of the request is of another type than it must be.
    """
    if request is not None:
        _check_types(request)
    return front_door(source).interpret(payload, request or Request(), Door(**door))


def _check_types(request: Request) -> None:
    """Name the field that somebody has filled otherwise than an HTTP library would; servers fill them right."""
    for name, value in (("method", request.method), ("path", request.path), ("query", request.query)):
        if not isinstance(value, str):
            raise TypeError(f"The request's {name} is {value!r}; it must be text, as it is on the wire.")
    if not isinstance(request.body, bytes):
        raise TypeError(f"The request's body is a {type(request.body).__name__}; it must be bytes.")
    pairs = request.headers if isinstance(request.headers, list) else [None]
    if not all(isinstance(pair, tuple) and list(map(type, pair)) == [str, str] for pair in pairs):
        kind = type(request.headers).__name__
        raise TypeError(f"The request's headers are a {kind}; they must be a list of pairs, [('accept', '*/*')].")
