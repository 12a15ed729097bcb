"""What AWS does for pages of other origins: preflights answered without the function, headers added.

HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
REST APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html, a mock integration for OPTIONS
Function URLs: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.dev.gateway.models import Answer

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Headers, Request


@dataclass(frozen=True, slots=True)
class Cors:
    """What pages of other origins may do.

    Attributes:
        origins: whose pages: ``"https://shop.example.com"``, ``"https://*"`` or ``"*"``.
        methods, headers: what they may send.
        exposed: the response headers that they may read.
        credentials: whether browsers send cookies along.
        max_age: how long a browser remembers it, in seconds; None for its own default.
    """

    origins: tuple[str, ...] = ("*",)
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None

    def allows(self, origin: str) -> bool:
        """Whether pages of *origin* are among them."""
        return any(re.fullmatch(re.escape(allowed).replace(r"\*", ".*"), origin) for allowed in self.origins)


@dataclass(frozen=True, slots=True)
class FunctionUrlCors(Cors):
    """A Function URL's. It answers with the origin that asks even where any is allowed, as people have seen it do."""

    def allows(self, origin: str) -> bool:
        """Whether pages of *origin* are among them: it is named as a whole, or any is."""
        return "*" in self.origins or origin in self.origins


def preflight(cors: Cors, request: Request) -> Answer | None:
    """An HTTP API's answer to a preflight that no route takes; None if the request is none."""
    return Answer(204, _added(cors, request)) if is_preflight(request) else None


def add(cors: Cors, request: Request, answer: Answer) -> Answer:
    """The function's answer with the front door's own headers.

    An HTTP API ignores what the function says of CORS; a Function URL sends both.
    """
    if isinstance(cors, FunctionUrlCors):
        added = _added(cors, request)
        note = "added a second access-control-allow-origin to the function's own, which browsers refuse"
        is_double = bool(added) and bool(answer.header("access-control-allow-origin"))
        return replace(answer, headers=answer.headers + added, note=note if is_double else answer.note)
    kept = [(name, value) for name, value in answer.headers if not name.lower().startswith("access-control-")]
    return replace(answer, headers=kept + _added(cors, request))


def mock(cors: Cors, request: Request) -> Answer:
    """The answer to OPTIONS without the function, where it has a route of its own.

    A REST API's mock integration sends the first origin, unless that of the request is another one.
    """
    if isinstance(cors, FunctionUrlCors):
        return Answer(200, _added(cors, request))
    origin = request.header("origin")
    headers = [
        ("content-type", "application/json"),
        ("access-control-allow-origin", origin if origin and cors.allows(origin) and _lists(cors) else cors.origins[0]),
    ]
    return Answer(200, headers + _allowed(cors) + _credentials(cors))


def is_preflight(request: Request) -> bool:
    """Whether a browser asks what a page of another origin may do."""
    is_asked = request.header("origin") and request.header("access-control-request-method")
    return request.method == "OPTIONS" and bool(is_asked)


def _lists(cors: Cors) -> bool:
    return cors.origins != ("*",) or isinstance(cors, FunctionUrlCors)


def _added(cors: Cors, request: Request) -> Headers:
    origin = request.header("origin")
    if not origin or not cors.allows(origin):
        return []
    headers = [("access-control-allow-origin", origin if _lists(cors) else "*"), *_credentials(cors)]
    if is_preflight(request):
        return headers + _allowed(cors)
    return headers + ([("access-control-expose-headers", ",".join(cors.exposed))] if cors.exposed else [])


def _credentials(cors: Cors) -> Headers:
    return [("access-control-allow-credentials", "true")] if cors.credentials else []


def _allowed(cors: Cors) -> Headers:
    headers = []
    if cors.methods:
        headers.append(("access-control-allow-methods", ",".join(cors.methods)))
    if cors.headers:
        headers.append(("access-control-allow-headers", ",".join(cors.headers)))
    if cors.max_age is not None:
        headers.append(("access-control-max-age", str(cors.max_age)))
    return headers
