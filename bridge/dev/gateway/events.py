"""HTTP and JSON: what every front door does to requests, and answers of its own."""

from __future__ import annotations

import base64
import json
import time
from functools import lru_cache
from itertools import chain
from random import getrandbits
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from bridge import logger
from bridge.dev.gateway.models import Answer, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import Door, Headers, Request

# RFC 9110, 7.6.1, and what HTTP/1.1 proxies keep to themselves
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# What a front door does not pass on as the client wrote it.
_NOT_PASSED = HOP_BY_HOP | {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}
LAMBDA_REQUEST_LIMIT = 6_291_456
# The most that JSON makes of one byte of a body: \u001f of a control character.
_WORST_ESCAPE = 6


def text_of(native: str) -> str:
    """Header bytes as JSON text: AWS decodes what is UTF-8; what is not is taken for ISO-8859-1."""
    if native.isascii():
        return native
    try:
        return native.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return native


def native_of(text: str) -> str:
    """JSON text as header bytes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("latin-1")


def host_and_port(request: Request) -> tuple[str, str]:
    """The host that the client asked for and the port, ``("", "443")`` if it named none."""
    return _host_and_port(request.header("host"), request.scheme)


@lru_cache(64)  # asked for twice by each request
def _host_and_port(header: str, scheme: str) -> tuple[str, str]:
    host = text_of(header)
    name, _, port = host.rpartition(":")
    if name and port.isascii() and port.isdigit():
        return name, port
    return host, "443" if scheme == "https" else "80"


def forwarded(request: Request) -> Headers:
    """The request's headers as a front door passes them on: none of one hop, and with its own."""
    passed = [pair for pair in request.headers if pair[0].lower() not in _NOT_PASSED]
    hops = [request.client]
    if len(passed) < len(request.headers):
        hops[:0] = [text_of(value) for name, value in request.headers if value and name.lower() == "x-forwarded-for"]
    if not "".join([value for _, value in passed]).isascii():
        passed = [(name, text_of(value)) for name, value in passed]
    passed.append(("x-forwarded-for", ", ".join(hops)))
    passed.append(("x-forwarded-port", host_and_port(request)[1]))
    passed.append(("x-forwarded-proto", request.scheme))
    passed.append(("x-amzn-trace-id", trace_root()))
    return passed


def last_values(headers: Headers) -> dict[str, str]:
    """One value for each name, the last; the spelling of the last, too."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        found[name.lower()] = (name, value)
    return dict(found.values())


def all_values(pairs: Iterable[tuple[str, str]], *, fold: bool = True) -> dict[str, list[str]]:
    """A list of values for each name, names compared without case if *fold*."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, value in pairs:
        found.setdefault(name.lower() if fold else name, (name, []))[1].append(value)
    return dict(found.values())


def joined_values(headers: Headers) -> dict[str, str]:
    """Lower-case names, repeated values joined by commas; cookies by semicolons (RFC 9113, 8.2.3)."""
    found: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in found:
            found[lower] += ("; " if lower == "cookie" else ",") + value
        else:
            found[lower] = value
    return found


def query_pairs(query: str, *, decode: bool) -> list[tuple[str, str]]:
    """The pairs of a query string; empty ones between two ``&`` are none."""
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    if decode and ("%" in query or "+" in query):
        return [(unquote_plus(name, errors="replace"), unquote_plus(value, errors="replace")) for name, value in pairs]
    return pairs


def event_body(body: bytes, *, is_text: bool) -> tuple[str, bool]:
    """A request's body as an event carries it; nothing is text."""
    if is_text or not body:
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def check_event_size(event: dict[str, Any], request: Request, refuse: Answer) -> None:
    """Lambda's own limit, which counts the event as JSON, a binary body in base64.

    Raises:
        RefusedError: the event is larger.
    """
    size = request.size
    if size * _WORST_ESCAPE + 65_536 > LAMBDA_REQUEST_LIMIT:
        size = max(size, len(json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")))
    if size > LAMBDA_REQUEST_LIMIT:
        raise refused(
            refuse,
            f"with a body of {request.size} bytes the event is {size} bytes, Lambda takes {LAMBDA_REQUEST_LIMIT}; send "
            "less, or upload to S3",
        )


def strip_prefix(request: Request, door: Door, refuse: Answer) -> str:
    """The path without the stage or base path that it must begin with, as whole segments.

    Raises:
        RefusedError: it does not.
    """
    path, prefix = request.path, door.prefix
    if prefix and path != prefix and not path.startswith(prefix + "/"):
        what = "stage" if door.stage else "base path"
        raise refused(refuse, f"the path does not begin with the {what}; ask for {prefix}/…")
    return path[len(prefix) :]


def header_size(request: Request) -> int:
    """The bytes of the request's headers."""
    return sum(map(len, chain.from_iterable(request.headers)))


def json_answer(status: int, content: Any, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """A JSON answer of the front door's own."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return Answer(status, [("content-type", "application/json"), *headers], body)


def html_answer(status: int, phrase: str) -> Answer:
    """The page of a load balancer."""
    page = f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n<center><h1>{status} {phrase}</h1>"
    body = f"{page}</center>\r\n</body>\r\n</html>\r\n"
    return Answer(status, [("content-type", "text/html"), ("server", "awselb/2.0")], body.encode())


def refused(answer: Answer, why: str) -> RefusedError:
    """*answer*, with the reason for the log."""
    return RefusedError(Answer(answer.status, answer.headers, answer.body, why))


def outgoing(answer: Answer, method: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body as they go to the client: no body where HTTP has none, and no count of it but the server's.

    HEAD is told what the body of GET would be counted as, if the function says so (RFC 9110, 8.6).
    """
    may_have_body = answer.status not in (204, 304)  # RFC 9110, 6.4.1
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers]
    headers = [pair for pair in headers if pair[0] != b"content-length"]
    if method != "HEAD":
        return headers, answer.body if may_have_body else b""
    if may_have_body and answer.length is not None:
        headers.append((b"content-length", b"%d" % answer.length))
    return headers, b""


def log_own(answer: Answer, request: Request, source: str) -> None:
    """Say why the front door answered by itself, if it did, or what it did to the function's answer."""
    if answer.why:
        logger().warning(
            "%s %s: %s answered %d by itself: %s", request.method, request.path, source, answer.status, answer.why
        )
    elif answer.note:
        logger().warning("%s %s: %s %s", request.method, request.path, source, answer.note)


def http_time() -> tuple[str, int]:
    """Now as API Gateway writes it, ``20/Nov/2026:09:00:00 +0000`` and in milliseconds."""
    now = time.time()
    return _written(int(now)), int(now * 1000)


@lru_cache(1)
def _written(second: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))


def request_id() -> str:
    """A random UUID; the standard library's takes five times as long."""
    digits = random_hex(32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def trace_root() -> str:
    """A new X-Ray trace, as a trace header begins with it."""
    return f"Root=1-{int(time.time()):08x}-{random_hex(24)}"


def random_hex(digits: int) -> str:
    """Random hexadecimal digits for what is to be different each time, and no secret; the system is not asked."""
    return f"{getrandbits(digits * 4):0{digits}x}"
