"""The losses of each source: the table in docs/sources.md, and the same rules in code.

A rule changes a request from what the client sends to what the application receives, or a response from what the
application sends to what the client receives. The table lists the sources of each rule. Both have the same rules.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote_plus, unquote_plus, unquote_to_bytes

from bridge import wsgi_handler
from bridge.dev.gateway import FRONT_DOORS, FrontDoorConfig, Request, compose
from tests.dev.gateway.recording_app import AppResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Fields = dict[str, list[bytes]]

DOCUMENT = Path(__file__).parents[3] / "docs" / "sources.md"
HEADING = "## What a source cannot carry"
HOP_BY_HOP = (
    "connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",
)  # fmt: skip
TRACE = b"(the front door's own)"


@dataclass(frozen=True)
class HttpRequest:
    """A request with the meaning that HTTP gives it: header names without case, values in order."""

    method: str
    root: str
    path: bytes
    raw_path: bytes | None
    query: str
    fields: Fields
    body: bytes
    scheme: str
    client: str


@dataclass(frozen=True)
class HttpResponse:
    """A response with the meaning that HTTP gives it."""

    status: int
    fields: Fields
    body: bytes


def fields_of(pairs: Iterable[tuple[str, str]]) -> Fields:
    """The values of headers by lower-case name."""
    found: Fields = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value.encode("latin-1"))
    return found


def http_request(sent: Request, root: str) -> HttpRequest:
    """The request that an application below *root* receives if nothing is lost."""
    raw = sent.path or "/"
    return HttpRequest(
        sent.method,
        root,
        unquote_to_bytes(raw[len(root) :]) or b"/",
        raw.encode("latin-1"),
        sent.query,
        fields_of(sent.headers),
        sent.body,
        sent.scheme,
        sent.client,
    )


def http_response(sent: AppResponse, method: str) -> HttpResponse:
    """The response that the client receives if nothing is lost."""
    body = b"" if method == "HEAD" or sent.status in (204, 304) else sent.body
    return HttpResponse(sent.status, fields_of(sent.headers), body)


T = TypeVar("T", HttpRequest, HttpResponse)


@dataclass(frozen=True)
class Rule(Generic[T]):
    """A rule about something that is lost.

    Attributes:
        apply: returns what arrives instead, which may depend on the configuration of the front door.
        request, response, door: a request, a response and a configuration to which the rule applies.
    """

    apply: Callable[[T, FrontDoorConfig], T]
    request: Request = field(default_factory=Request)
    response: AppResponse = field(default_factory=lambda: AppResponse(200, [("Content-Type", "text/plain")], b"hello"))
    door: FrontDoorConfig = field(default_factory=lambda: FrontDoorConfig(binary_media_types=("*/*",)))


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    id: str
    sources: tuple[str, ...]
    direction: str
    what: str
    instead: str


@cache
def table() -> tuple[Row, ...]:
    """The rows of the table in docs/sources.md."""
    section = DOCUMENT.read_text("utf-8").partition(HEADING + "\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert cells[0] == ["id", "sources", "direction", "what", "what arrives instead"]
    return tuple(Row(row[0].strip("`"), _sources(row[1]), *row[2:]) for row in cells[2:])


def _sources(cell: str) -> tuple[str, ...]:
    return tuple(FRONT_DOORS) if cell == "all" else tuple(name.strip(" `") for name in cell.split(","))


def _latin_1(value: bytes) -> bytes:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1").encode("utf-8")
    return value


def _values(change: Callable[[str, list[bytes]], list[bytes]]) -> Callable[[T, FrontDoorConfig], T]:
    """A rule that changes the values of each header; a header without values is dropped."""

    def apply(message: T, door: FrontDoorConfig) -> T:
        changed = {name: change(name, values) for name, values in message.fields.items()}
        return replace(message, fields={name: values for name, values in changed.items() if values})

    return apply


def _dropped(*names: str) -> Callable[[T, FrontDoorConfig], T]:
    return _values(lambda name, values: [] if name in names else values)


def _query(change: Callable[[str], str]) -> Callable[[HttpRequest, FrontDoorConfig], HttpRequest]:
    return lambda request, door: replace(request, query=change(request.query))


def _each_part(change: Callable[[str], str]) -> Callable[[HttpRequest, FrontDoorConfig], HttpRequest]:
    return _query(lambda query: "&".join([part and change(part) for part in query.split("&")]))


def _escapes_in_utf_8(query: str) -> str:
    def utf_8(escapes: re.Match[str]) -> str:
        text = unquote_to_bytes(escapes[0]).decode("utf-8", "replace")
        return quote_plus(text) if "\ufffd" in text else escapes[0]

    return re.sub("(%[0-9A-Fa-f]{2})+", utf_8, query)


def _spelled_again(part: str) -> str:
    respelled = [quote_plus(unquote_plus(text, "latin-1"), encoding="latin-1") for text in part.split("=", 1)]
    return "=".join(respelled)


def _grouped(query: str) -> str:
    groups: dict[str, list[str]] = {}
    for part in query.split("&"):
        groups.setdefault(part.partition("=")[0], []).append(part)
    return "&".join(part for parts in groups.values() for part in parts)


def _last(query: str) -> str:
    return "&".join({part.partition("=")[0]: part for part in query.split("&")}.values())


def _forwarded(request: HttpRequest, door: FrontDoorConfig) -> HttpRequest:
    hops = [value for value in request.fields.get("x-forwarded-for", []) if value]
    host = (request.fields.get("host") or [b""])[-1].decode("latin-1")
    port = re.search(r":([0-9]+)\Z", host)
    own = {
        "x-forwarded-for": [b", ".join([*hops, request.client.encode()])],
        "x-forwarded-proto": [request.scheme.encode()],
        "x-forwarded-port": [(port[1] if port else "443" if request.scheme == "https" else "80").encode()],
    }
    return replace(request, fields={**request.fields, **own})


def _kept_by_rest_apis(name: str, values: list[bytes]) -> list[bytes]:
    if name in ("content-length", "expect", "max-forwards", "server", "content-md5", "www-authenticate"):
        return []
    return [value for value in values if name != "authorization" or not value.startswith(b"AWS4-")]


def _last_cookies(name: str, values: list[bytes]) -> list[bytes]:
    if name != "set-cookie":
        return values
    last: dict[Any, bytes] = {}
    for value in values:
        pair, *attributes = [part.strip(" \t") for part in value.decode("latin-1").split(";")]
        scope = {name.strip(" \t").lower(): of.strip(" \t") for name, _, of in (a.partition("=") for a in attributes)}
        domain = scope.get("domain", "").lstrip(".").lower()
        key = pair.partition("=")[0].strip(" \t"), scope.get("path", ""), domain
        last.pop(key, None)
        last[key] = value
    return list(last.values())


def _cookies_apart(name: str, values: list[bytes]) -> list[bytes]:
    if name != "cookie":
        return values
    cookies = [cookie.strip(b" \t") for value in values for cookie in value.split(b";")]
    return [joined] if (joined := b"; ".join(filter(None, cookies))) else []


def _rename(message: HttpResponse, door: FrontDoorConfig) -> HttpResponse:
    renamed = (
        "authorization", "connection", "content-length", "content-md5", "date", "max-forwards", "server", "user-agent",
        "www-authenticate",
    )  # fmt: skip
    fields: Fields = {}
    for name, values in message.fields.items():
        fields.setdefault(f"x-amzn-remapped-{name}" if name in renamed else name, []).extend(values)
    return replace(message, fields=fields)


def _default_type(value: bytes) -> Callable[[HttpResponse, FrontDoorConfig], HttpResponse]:
    return lambda message, door: replace(message, fields={"content-type": [value], **message.fields})


def _edge_refuses(name: str, values: list[bytes]) -> list[bytes]:
    refused = (
        "connection|content-length|expect|keep-alive|proxy-authenticate|proxy-authorization|proxy-connection|trailer|"
        "transfer-encoding|upgrade|via|x-cache|x-forwarded-proto|x-real-ip|(x-accel|x-amz-cf|x-amzn|x-edge)-.*"
    )
    return [] if re.fullmatch(refused, name) else values


def _base64_text(message: HttpResponse, door: FrontDoorConfig) -> HttpResponse:
    """The body as base64 if the handler encodes it so, which other tests cover."""
    if door.binary_media_types:
        return message

    def app(environ: Any, start_response: Any) -> list[bytes]:
        pairs = [(name, value.decode("latin-1")) for name, values in message.fields.items() for value in values]
        start_response(f"{message.status} Whatever", pairs)
        return [message.body]

    is_base64 = wsgi_handler(app)(compose(Request(), "http-api"))["isBase64Encoded"]
    return replace(message, body=b64encode(message.body)) if is_base64 else message


# In the order in which they are applied.
REQUEST_RULES: dict[str, Rule[HttpRequest]] = {
    "header-latin-1": Rule(
        _values(lambda name, values: [_latin_1(value) for value in values]), Request(headers=[("X-Town", "K\xf6ln")])
    ),
    "hop-by-hop": Rule(_dropped(*HOP_BY_HOP), Request(headers=[("TE", "trailers")])),
    "kept-headers": Rule(
        _values(_kept_by_rest_apis),
        Request(headers=[("Expect", "100-continue"), ("Authorization", "AWS4-HMAC-SHA256 Credential=x")]),
    ),
    "forwarded": Rule(_forwarded, Request(headers=[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "http")])),
    "trace-id": Rule(
        lambda request, door: replace(request, fields={**request.fields, "x-amzn-trace-id": [TRACE]}),
        Request(headers=[("X-Amzn-Trace-Id", "Root=mine")]),
    ),
    "header-last": Rule(
        _values(lambda name, values: values[-1:]), Request(headers=[("Cookie", "a=1"), ("Cookie", "b=2")])
    ),
    "header-joined": Rule(
        _values(lambda name, values: values if name == "cookie" else [b",".join(values)]),
        Request(headers=[("Accept", "text/html"), ("Accept", "text/plain")]),
    ),
    "cookie-spaces": Rule(_values(_cookies_apart), Request(headers=[("Cookie", "a=1;b=2")])),
    "path-spelling": Rule(lambda request, door: replace(request, raw_path=None), Request(path="/a%2Fb")),
    "path-question-mark": Rule(
        lambda request, door: replace(request, path=request.path.partition(b"?")[0]), Request(path="/why%3F/because")
    ),
    "path-not-utf-8": Rule(
        lambda request, door: replace(request, path=request.path.decode("utf-8", "replace").encode()),
        Request(path="/caf%E9"),
    ),
    "query-empty-part": Rule(_query(lambda query: "&".join(filter(None, query.split("&")))), Request(query="a=1&&b=2")),
    "query-equals-sign": Rule(_each_part(lambda part: part if "=" in part else f"{part}="), Request(query="a&b=2")),
    "query-not-utf-8": Rule(_query(_escapes_in_utf_8), Request(query="q=caf%E9")),
    "query-spelling": Rule(_each_part(_spelled_again), Request(query="q=%7ea%20b")),
    "query-order": Rule(_query(_grouped), Request(query="a=1&b=2&a=3")),
    "query-last": Rule(_query(_last), Request(query="a=1&a=2")),
    "scheme": Rule(lambda request, door: replace(request, scheme="https"), Request(scheme="http")),
}
RESPONSE_RULES: dict[str, Rule[HttpResponse]] = {
    "response-latin-1": Rule(
        _values(lambda name, values: [_latin_1(value) for value in values]),
        response=AppResponse(200, [("X-Town", "K\xf6ln")], b""),
    ),
    "response-renamed": Rule(
        _rename, response=AppResponse(401, [("Server", "mine"), ("WWW-Authenticate", "Basic realm=x")], b"")
    ),
    "response-forbidden": Rule(_values(_edge_refuses), response=AppResponse(200, [("X-Cache", "mine")], b"")),
    "response-hop-by-hop": Rule(_dropped(*HOP_BY_HOP), response=AppResponse(200, [("Connection", "close")], b"")),
    "response-dropped": Rule(
        _dropped("expect", "host", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "via"),
        response=AppResponse(200, [("Transfer-Encoding", "x"), ("Via", "1.1 proxy")], b""),
    ),
    "response-cookie-order": Rule(
        _values(_last_cookies), response=AppResponse(200, [("Set-Cookie", "a=; Max-Age=0"), ("Set-Cookie", "a=1")], b"")
    ),
    "response-content-length": Rule(
        _dropped("content-length"), response=AppResponse(200, [("Content-Length", "99")], b"")
    ),
    "response-joined": Rule(
        _values(lambda name, values: values if name == "set-cookie" else [b", ".join(values)]),
        response=AppResponse(200, [("Vary", "Accept"), ("Vary", "Cookie")], b""),
    ),
    "response-type-text": Rule(_default_type(b"text/plain; charset=utf-8"), response=AppResponse(200, [], b"hello")),
    "response-type-json": Rule(_default_type(b"application/json"), response=AppResponse(200, [], b"hello")),
    "response-base64": Rule(
        _base64_text,
        response=AppResponse(200, [("Content-Type", "image/png")], b"\x89PNG"),
        door=FrontDoorConfig(binary_media_types=()),
    ),
}


def received_request(request: HttpRequest, source: str, door: FrontDoorConfig, *, without: str = "") -> HttpRequest:
    """Apply the request rules of *source*, except for the row *without*."""
    for row in table():
        if row.direction == "request" and source in row.sources and row.id != without:
            request = REQUEST_RULES[row.id].apply(request, door)
    return request


def received_response(response: HttpResponse, source: str, door: FrontDoorConfig, *, without: str = "") -> HttpResponse:
    """Apply the response rules of *source*, except for the row *without*."""
    for row in table():
        if row.direction == "response" and source in row.sources and row.id != without:
            response = RESPONSE_RULES[row.id].apply(response, door)
    return response
