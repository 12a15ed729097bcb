"""The function's side of each AWS event source that sends HTTP requests.

Each module handles one source (or one family of twins): ``read`` makes a Scope of an event, ``write`` makes a payload
of a Response. ``STREAMED`` names the source whose responses may be streamed, and ``head`` makes what begins the stream.
:func:`recognise` tells the sources apart by fields that only one of them has. A module is imported when its first event
arrives: a function has one front door, and every import is part of the cold start.

``Scope.source``, the options of the tools and the documentation name the sources by front door:

===============================  ==========================================================
``rest-api``, ``http-api-v1``    ``rest_api``, ``rest_api_non_proxy``: the payload format 1
``http-api``, ``function-url``   ``http_api``: the payload format 2
``alb``, ``alb-multi``           ``alb``
``lattice``, ``lattice-v1``      ``vpc_lattice``
``edge``                         ``lambda_edge``
===============================  ==========================================================
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from bridge.request import Scope
    from bridge.response import Response
    from bridge.settings import Settings

    class Source(Protocol):
        """The functions of a source's module."""

        def read(self, event: dict[str, Any], context: Any, settings: Settings) -> Scope:
            """The request in *event*."""

        def write(self, response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
            """The payload that sends *response* to the client of *scope*."""


def recognise(event: Any) -> str | None:
    """The name of the module whose source sent *event*; None if the event is no HTTP request."""
    # Events of Lambda authorizers may have the fields of a request as well, and so may those of WebSocket APIs.
    if not isinstance(event, dict) or "methodArn" in event or "routeArn" in event:
        return None
    request_context = event.get("requestContext")
    if isinstance(request_context, dict):
        if "elb" in request_context:
            return "alb"
        if "connectionId" in request_context and "eventType" in request_context:
            return None
        if "http" in request_context:
            return "http_api"
        if "targetGroupArn" in request_context or "serviceArn" in request_context:
            return "vpc_lattice"
    if "httpMethod" in event and "path" in event:
        return "rest_api"
    if "requestPath" in event:
        return "rest_api_non_proxy"
    if "raw_path" in event and "method" in event:
        return "vpc_lattice"
    if "Records" in event and _is_edge_request(event["Records"]):
        return "lambda_edge"
    # Kong omits the method where it forwards only the path and headers. (In a non-proxy event `path` is a map; one
    # that an older template of the Serverless Framework made does not contain the path.)
    has_headers = "headers" in event or "multiValueHeaders" in event
    return "rest_api" if has_headers and isinstance(event.get("path"), str) else None


def is_websocket(event: Any) -> bool:
    """Whether *event* comes from a WebSocket API, and is not for its Lambda authorizer."""
    if not isinstance(event, dict) or "methodArn" in event:
        return False
    request_context = event.get("requestContext")
    return isinstance(request_context, dict) and "connectionId" in request_context and "eventType" in request_context


@cache
def source_named(name: str) -> Source:
    """The module called *name*."""
    source: Any = import_module(f"bridge.sources.{name}")
    return source  # type: ignore[no-any-return]


def _is_edge_request(records: Any) -> bool:
    try:
        cloudfront = records[0]["cf"]
        kind = (cloudfront.get("config") or {}).get("eventType")
        if kind is None:  # samples of AWS's own tools
            return "request" in cloudfront and "response" not in cloudfront
        return kind in ("viewer-request", "origin-request")
    except (AttributeError, LookupError, TypeError):
        return False
