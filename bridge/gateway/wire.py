"""HTTP and JSON: what every front door does to headers, bodies and answers of its own."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from bridge.gateway.message import Answer, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.gateway.message import Headers, Request

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
LAMBDA_REQUEST_LIMIT = 6_291_456


def text_of(native: str) -> str:
    """Header bytes as JSON text: AWS decodes what is UTF-8; what is not is taken for ISO-8859-1."""
    try:
        return native.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return native


def native_of(text: str) -> str:
    """JSON text as header bytes."""
    return text.encode("utf-8", "replace").decode("latin-1")


def forwarded(request: Request) -> Headers:
    """The request's headers as a front door passes them on: none of one hop, and with its own."""
    own = {
        "x-forwarded-for": ", ".join([value for name, value in request.headers if name.lower() == "x-forwarded-for"]),
        "x-forwarded-port": _port(request),
        "x-forwarded-proto": request.scheme,
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}",
    }
    own["x-forwarded-for"] = f"{own['x-forwarded-for']}, {request.client}".removeprefix(", ")
    dropped = HOP_BY_HOP | own.keys()
    passed = [(name, text_of(value)) for name, value in request.headers if name.lower() not in dropped]
    return [*passed, *own.items()]


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
    """Lower-case names, repeated values joined by commas."""
    return {name.lower(): ",".join(values) for name, values in all_values(headers).items()}


def query_pairs(query: str, *, decode: bool) -> list[tuple[str, str]]:
    """The pairs of a query string; empty ones between two ``&`` are none."""
    read = (lambda text: unquote_plus(text, errors="replace")) if decode else str
    return [(read(name), read(value)) for name, _, value in (part.partition("=") for part in query.split("&") if part)]


def event_body(body: bytes, *, is_text: bool) -> tuple[str, bool]:
    """A request's body as an event carries it."""
    if is_text:
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def payload_body(payload: dict[str, Any], refuse: Answer) -> bytes:
    """The bytes of a payload's body, by its own flag.

    Raises:
        RefusedError: the body is marked as base64 and is not, or is no text.
    """
    body = payload.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise refused(refuse, f"the payload's body is a JSON {type(body).__name__}, not text")
    if not payload.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise refused(refuse, "the payload says isBase64Encoded, but its body is not base64") from None


def json_answer(status: int, content: Any, why: str = "", *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """A JSON answer of the front door's own."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return Answer(status, [("content-type", "application/json"), *headers], body, why)


def html_answer(status: int, phrase: str, why: str = "") -> Answer:
    """The page of a load balancer."""
    page = f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n<center><h1>{status} {phrase}</h1>"
    body = f"{page}</center>\r\n</body>\r\n</html>\r\n"
    return Answer(status, [("content-type", "text/html"), ("server", "awselb/2.0")], body.encode(), why)


def refused(answer: Answer, why: str) -> RefusedError:
    """*answer*, with the reason for the log."""
    return RefusedError(Answer(answer.status, answer.headers, answer.body, why))


def status_of(payload: dict[str, Any], refuse: Answer, key: str = "statusCode") -> int:
    """The status code of a payload; text of digits counts.

    Raises:
        RefusedError: there is none that HTTP allows.
    """
    status = payload.get(key)
    if isinstance(status, str) and status.strip().isdigit():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
        raise refused(refuse, f"the payload's {key} is {status!r}; it must be a number from 100 to 599")
    return status


def header_text(value: Any) -> str:
    """A header value as API Gateway writes it: numbers and booleans as JSON has them."""
    return native_of(value if isinstance(value, str) else json.dumps(value))


def http_time() -> tuple[str, int]:
    """Now as API Gateway writes it, ``20/Nov/2026:09:00:00 +0000`` and in milliseconds."""
    now = time.time()
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)), int(now * 1000)


def _port(request: Request) -> str:
    host = request.header("host")
    _, colon, port = host.rpartition(":")
    return port if colon and port.isdigit() else ("443" if request.scheme == "https" else "80")
