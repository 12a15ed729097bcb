"""Cross-origin resource sharing (CORS): preflights that AWS answers without the function, and headers that it adds.

- HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
- REST APIs, by a mock integration for OPTIONS:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
- Function URLs: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.dev.gateway.decisions import explain
from bridge.dev.gateway.models import Answer

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Headers, Request


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS configuration of an HTTP or REST API.

    Attributes:
        origins: the allowed origins: ``"https://shop.example.com"``, ``"https://*"`` or ``"*"``.
        methods: the methods that pages of these origins may use.
        headers: the request headers that they may send.
        exposed: the response headers that they may read.
        credentials: whether browsers may send cookies.
        max_age: how long browsers may cache a preflight, in seconds; None for the browser's default.
    """

    origins: tuple[str, ...] = ("*",)
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None

    def allows(self, origin: str) -> bool:
        """Return whether *origin* matches an allowed origin, in which ``*`` stands for any text."""
        return any(re.fullmatch(re.escape(allowed).replace(r"\*", ".*"), origin) for allowed in self.origins)

    def allow_origin_header(self, origin: str) -> str:
        """Return Access-Control-Allow-Origin for an allowed *origin*."""
        return "*" if self.origins == ("*",) else origin


@dataclass(frozen=True, slots=True)
class FunctionUrlCors(Cors):
    """The CORS configuration of a function URL, which answers with the request's origin even if it allows any."""

    def allows(self, origin: str) -> bool:
        """Return whether *origin* is an allowed origin, or any is allowed."""
        return "*" in self.origins or origin in self.origins

    def allow_origin_header(self, origin: str) -> str:
        """Return Access-Control-Allow-Origin for an allowed *origin*."""
        return origin


def is_preflight(request: Request) -> bool:
    """Return whether *request* is a CORS preflight (https://fetch.spec.whatwg.org/#cors-preflight-request)."""
    has_headers = request.header("origin") and request.header("access-control-request-method")
    return request.method == "OPTIONS" and bool(has_headers)


def preflight_answer(cors: Cors, request: Request) -> Answer | None:
    """Return an HTTP API's answer to a preflight that no route matches; None for any other request."""
    return Answer(204, _cors_headers(cors, request)) if is_preflight(request) else None


def options_answer(cors: Cors, request: Request) -> Answer:
    """Return the answer to OPTIONS of a function URL, or of a REST API's mock integration.

    A mock integration sends its first origin, unless the request's origin is another allowed one.
    """
    if isinstance(cors, FunctionUrlCors):
        return Answer(200, _cors_headers(cors, request))
    origin = request.header("origin")
    allowed = cors.allow_origin_header(origin) if origin and cors.allows(origin) else cors.origins[0]
    headers = [("content-type", "application/json"), ("access-control-allow-origin", allowed)]
    return Answer(200, headers + _preflight_headers(cors) + _credentials_header(cors))


def add_headers(cors: Cors, request: Request, answer: Answer) -> Answer:
    """Return the function's answer with the front door's CORS headers.

    An HTTP API discards the function's CORS headers; a function URL sends both.
    """
    added = _cors_headers(cors, request)
    for name, _ in added:
        explain("response header", name, "added by the front door's CORS configuration")
    if isinstance(cors, FunctionUrlCors):
        note = answer.note
        if added and answer.header("access-control-allow-origin"):
            note = "added a second access-control-allow-origin to the function's own, which browsers refuse"
        return replace(answer, headers=answer.headers + added, note=note)
    headers = []
    for name, value in answer.headers:
        if name.lower().startswith("access-control-"):
            explain("response header", name, "dropped: the API's CORS configuration replaces the function's")
        else:
            headers.append((name, value))
    return replace(answer, headers=headers + added)


def _cors_headers(cors: Cors, request: Request) -> Headers:
    origin = request.header("origin")
    if not origin or not cors.allows(origin):
        return []
    headers = [("access-control-allow-origin", cors.allow_origin_header(origin)), *_credentials_header(cors)]
    if is_preflight(request):
        return headers + _preflight_headers(cors)
    return headers + ([("access-control-expose-headers", ",".join(cors.exposed))] if cors.exposed else [])


def _credentials_header(cors: Cors) -> Headers:
    return [("access-control-allow-credentials", "true")] if cors.credentials else []


def _preflight_headers(cors: Cors) -> Headers:
    headers = []
    if cors.methods:
        headers.append(("access-control-allow-methods", ",".join(cors.methods)))
    if cors.headers:
        headers.append(("access-control-allow-headers", ",".join(cors.headers)))
    if cors.max_age is not None:
        headers.append(("access-control-max-age", str(cors.max_age)))
    return headers
