"""Parts of an event that several front doors compose in the same way."""

from __future__ import annotations

import base64
import secrets
import time
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from bridge.dev.gateway.decisions import exceeds, explain
from bridge.dev.gateway.models import RefusedError
from bridge.dev.gateway.payload_validation import HOP_BY_HOP, json_size
from bridge.dev.limits import LAMBDA_REQUEST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import Answer, FrontDoorConfig, Headers, Request

# The front door replaces these headers with its own.
_REPLACED = HOP_BY_HOP | {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}


def decode_header(value: str) -> str:
    """Return a header value as the text that an event carries: UTF-8, or ISO-8859-1 if the bytes are not UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def host_and_port(request: Request) -> tuple[str, str]:
    """Return the host of the Host header, and its port or else the scheme's."""
    host = decode_header(request.header("host"))
    name, _, port = host.rpartition(":")
    if name and port.isascii() and port.isdigit():
        return name, port
    return host, "443" if request.scheme == "https" else "80"


def forwarded_headers(request: Request) -> Headers:
    """Return the request's headers, without those of the connection and with the front door's X-Forwarded-*."""
    headers = []
    for name, value in request.headers:
        lower = name.lower()
        if lower not in _REPLACED:
            headers.append((name, decode_header(value)))
        elif lower in HOP_BY_HOP:
            explain("request header", name, "dropped: it concerns one connection only (hop-by-hop)")
        elif lower == "x-forwarded-for":
            explain("request header", name, "continued: the front door appends the client's address")
        else:
            explain("request header", name, "replaced: the front door writes this header itself")
    hops = [decode_header(value) for name, value in request.headers if value and name.lower() == "x-forwarded-for"]
    return [
        *headers,
        ("x-forwarded-for", ", ".join([*hops, request.client])),
        ("x-forwarded-port", host_and_port(request)[1]),
        ("x-forwarded-proto", request.scheme),
        ("x-amzn-trace-id", new_trace_root()),
    ]


def last_values(headers: Headers) -> dict[str, str]:
    """Return the last value of each header, under the last spelling of its name."""
    return dict({name.lower(): (name, value) for name, value in headers}.values())


def all_values(pairs: Iterable[tuple[str, str]], *, ignore_case: bool = True) -> dict[str, list[str]]:
    """Return the list of values of each name, under the first spelling of the name."""
    values: dict[str, tuple[str, list[str]]] = {}
    for name, value in pairs:
        values.setdefault(name.lower() if ignore_case else name, (name, []))[1].append(value)
    return dict(values.values())


def joined_values(headers: Headers) -> dict[str, str]:
    """Return one value for each lower-case name: joined by commas, cookies by semicolons (RFC 9113, 8.2.3)."""
    values = all_values((name.lower(), value) for name, value in headers)
    return {name: ("; " if name == "cookie" else ",").join(several) for name, several in values.items()}


def query_pairs(query: str, *, decode: bool) -> list[tuple[str, str]]:
    """Return the names and values of a query string, without empty parts such as that of ``a=1&&b=2``."""
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    if decode:
        return [(unquote_plus(name, errors="replace"), unquote_plus(value, errors="replace")) for name, value in pairs]
    return pairs


def encode_body(body: bytes, *, is_text: bool, rule: str) -> tuple[str, bool]:
    """Return a request's body as an event carries it, and whether that is base64: if not *is_text*, or not UTF-8.

    Args:
        body: the body.
        is_text: whether it is text by the rule of the front door.
        rule: that rule, a sentence without its full stop.
    """
    if not body:
        return "", False
    if is_text:
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            rule = "its bytes are not valid UTF-8"
        else:
            explain("request body", "body", f"text: {rule}")
            return text, False
    explain("request body", "body", f"base64: {rule}")
    return base64.b64encode(body).decode("ascii"), True


def check_event_size(event: dict[str, Any], request: Request, too_large: Answer) -> None:
    """Apply Lambda's limit, which counts the event as JSON, with a binary body in base64.

    Raises:
        RefusedError: the event is larger.
    """
    size = max(request.size, json_size(event))
    if exceeds("event as JSON, Lambda", size, LAMBDA_REQUEST_LIMIT):
        raise RefusedError(
            too_large,
            f"with a body of {request.size} bytes the event has {size} bytes, but Lambda accepts {LAMBDA_REQUEST_LIMIT}"
            "; send less, or upload to S3",
        )


def strip_prefix(request: Request, door: FrontDoorConfig, no_route: Answer) -> str:
    """Return the path without the stage or base path that it must begin with, as whole segments.

    Raises:
        RefusedError: the path does not begin with it.
    """
    path, prefix = request.path, door.prefix
    if prefix and path != prefix and not path.startswith(prefix + "/"):
        kind = "stage" if door.stage else "base path"
        raise RefusedError(no_route, f"the path does not begin with the {kind}; request {prefix}/…")
    return path[len(prefix) :]


def header_size(request: Request) -> int:
    """Return the number of bytes of the request's header names and values."""
    return sum(map(len, chain.from_iterable(request.headers)))


def request_time() -> tuple[str, int]:
    """Return the current time as API Gateway writes it, ``20/Nov/2026:09:00:00 +0000``, and in milliseconds."""
    now = time.time()
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)), int(now * 1000)


def new_trace_root() -> str:
    """Return the root of a new X-Ray trace.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
