"""The front doors on this machine by the name of their source, and the two functions that apply their rules."""

from __future__ import annotations

from typing import Any

from bridge.dev.gateway import alb, function_url, http_api, lambda_edge, rest_api, vpc_lattice
from bridge.dev.gateway.models import Answer, FrontDoor, FrontDoorConfig, Request
from bridge.errors import SettingError

FRONT_DOORS: dict[str, FrontDoor] = {
    "rest-api": rest_api.FRONT_DOOR,
    "http-api": http_api.FRONT_DOOR,
    "http-api-v1": http_api.V1_FRONT_DOOR,
    "function-url": function_url.FRONT_DOOR,
    "alb": alb.FRONT_DOOR,
    "alb-multi": alb.MULTI_VALUE_FRONT_DOOR,
    "lattice": vpc_lattice.FRONT_DOOR,
    "lattice-v1": vpc_lattice.V1_FRONT_DOOR,
    "edge": lambda_edge.FRONT_DOOR,
}


def front_door(source: str) -> FrontDoor:
    """Return the rules of a front door.

    Args:
        source: a key of :data:`FRONT_DOORS`.

    Raises:
        SettingError: there is no such source.
    """
    try:
        return FRONT_DOORS[source]
    except KeyError:
        raise SettingError(f"There is no source {source!r}. The sources are: {', '.join(FRONT_DOORS)}.") from None


def compose(request: Request, source: str = "http-api", **door: Any) -> dict[str, Any]:
    """Return the event that AWS sends to the function for *request*.

    Args:
        request: the client's request.
        source: the front door, a key of :data:`FRONT_DOORS`.
        **door: the configuration of the front door; see :class:`FrontDoorConfig`.

    Raises:
        RefusedError: the front door answers such a request itself; the error has the answer.
        SettingError: there is no such source.
        TypeError: a field of the request has the wrong type.
    """
    _check_types(request)
    return front_door(source).compose(request, FrontDoorConfig(**door))


def interpret(payload: Any, source: str = "http-api", request: Request | None = None, **door: Any) -> Answer:
    """Return the response that AWS sends to the client for *payload*.

    Args:
        payload: what the function returned.
        source: the front door, a key of :data:`FRONT_DOORS`.
        request: the client's request; a REST API reads its Accept header.
        **door: the configuration of the front door; see :class:`FrontDoorConfig`.

    Raises:
        RefusedError: the front door refuses such a payload; the error has the answer.
        SettingError: there is no such source.
        TypeError: a field of the request has the wrong type.
    """
    if request is not None:
        _check_types(request)
    return front_door(source).interpret(payload, request or Request(), FrontDoorConfig(**door))


def _check_types(request: Request) -> None:
    """Raise an error that names the field, for requests that callers build by hand."""
    for name, value in (("method", request.method), ("path", request.path), ("query", request.query)):
        if not isinstance(value, str):
            raise TypeError(f"The request's {name} is {value!r}; it must be a string, as it is on the wire.")
    if not isinstance(request.body, bytes):
        raise TypeError(f"The request's body is a {type(request.body).__name__}; it must be bytes.")
    pairs = request.headers if isinstance(request.headers, list) else [None]
    if not all(isinstance(pair, tuple) and list(map(type, pair)) == [str, str] for pair in pairs):
        kind = type(request.headers).__name__
        raise TypeError(f"The request's headers are a {kind}; they must be a list of pairs, [('accept', '*/*')].")
