"""The function's side of each AWS event source that speaks HTTP.

Each module knows one source (or one family of twins): ``read`` makes a Scope of an event, ``write`` makes a payload
of a Response. Here is how each is recognised: by what only it has. A module is loaded when its first event arrives,
since a function has one front door and every import costs a cold start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from bridge.request import Scope
    from bridge.response import Response
    from bridge.settings import Settings

    class Source(Protocol):
        """What a source's module offers."""

        def read(self, event: dict[str, Any], context: Any, settings: Settings) -> Scope:
            """The request in *event*."""

        def write(self, response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
            """The payload that gives *response* to the client of *scope*."""


# One limit for everything that Lambda answers synchronously: 6 MB, which its own runtime API enforces as 6 MiB and
# 100 bytes. A load balancer's is less.
LAMBDA_LIMIT = 6_291_556
ALB_LIMIT = 1_048_576

loaded: dict[str, Source] = {}


def recognise(event: Any) -> str | None:
    """The name of the module whose source sent *event*; None if it is no HTTP request from any of them."""
    if type(event) is not dict and not isinstance(event, dict):
        return None
    about = event.get("requestContext")
    if type(about) is dict or isinstance(about, dict):
        if "elb" in about:
            return "alb"
        if "http" in about:
            # A Lambda authorizer's event has the request's fields too, and is a question, not a request.
            return None if "routeArn" in event else "http_api"
        if "targetGroupArn" in about or "serviceArn" in about:
            return "lattice"
    if "httpMethod" in event and "path" in event:
        return None if "methodArn" in event else "rest_api"
    if "requestPath" in event:
        return "non_proxy"
    if "raw_path" in event and "method" in event:
        return "lattice"
    if "Records" in event and _is_edge_request(event["Records"]):
        return "edge"
    # Kong leaves out the method where it forwards only the path and headers. (In a non-proxy event `path` is a map;
    # one from before Serverless Framework's template named the route says nowhere what was asked for.)
    has_headers = "headers" in event or "multiValueHeaders" in event
    return "rest_api" if has_headers and isinstance(event.get("path"), str) else None


def source_named(name: str) -> Source:
    """The module called *name*."""
    try:
        return loaded[name]
    except KeyError:
        from importlib import import_module

        source: Any = import_module(f"bridge.sources.{name}")
        loaded[name] = source
        return loaded[name]


def _is_edge_request(records: Any) -> bool:
    try:
        return records[0]["cf"]["config"]["eventType"] in ("viewer-request", "origin-request")
    except (LookupError, TypeError):
        return False
