"""What a source cannot carry: the table in docs/sources.md, and the same in code.

A request and an answer are taken as HTTP means them. Each rule here says how the application's view, or the client's,
differs from that. The table says for which sources; neither has a rule that the other has not.
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
from bridge.dev.gateway import SOURCES, Door, Request, compose
from tests.dev.gateway.recording_apps import Given

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
class Asked:
    """A request as HTTP means it: header names without case, values in order."""

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
class Answered:
    """An answer as HTTP means it."""

    status: int
    fields: Fields
    body: bytes


def fields_of(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Header pairs by lower-case name."""
    found: Fields = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value.encode("latin-1"))
    return found


def asked_by(request: Request, root: str) -> Asked:
    """What HTTP says that *request* asks of an application below *root*."""
    raw = request.path or "/"
    path = unquote_to_bytes(raw[len(root) :]) or b"/"
    fields = fields_of(request.headers)
    return Asked(
        request.method,
        root,
        path,
        raw.encode("latin-1"),
        request.query,
        fields,
        request.body,
        request.scheme,
        request.client,
    )


def answered_with(given: Given, method: str) -> Answered:
    """What HTTP says that the client gets."""
    body = b"" if method == "HEAD" or given.status in (204, 304) else given.body
    return Answered(given.status, fields_of(given.headers), body)


T = TypeVar("T", Asked, Answered)


@dataclass(frozen=True)
class Rule(Generic[T]):
    """One thing that cannot be carried.

    Attributes:
        apply: what arrives instead; an answer's also depends on the front door's set-up.
        request, given: an exchange that shows it.
        door: the set-up that shows it.
    """

    apply: Callable[[T, Door], T]
    request: Request = field(default_factory=Request)
    given: Given = field(default_factory=lambda: Given(200, [("Content-Type", "text/plain")], b"hello"))
    door: Door = field(default_factory=lambda: Door(binary_media_types=("*/*",)))


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    id: str
    sources: tuple[str, ...]
    direction: str
    what: str
    instead: str


@cache
def table() -> tuple[Row, ...]:
    """The table in docs/sources.md."""
    section = DOCUMENT.read_text("utf-8").partition(HEADING + "\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert cells[0] == ["id", "sources", "direction", "what", "what arrives instead"]
    return tuple(Row(row[0].strip("`"), _sources(row[1]), *row[2:]) for row in cells[2:])


def _sources(cell: str) -> tuple[str, ...]:
    return tuple(SOURCES) if cell == "all" else tuple(name.strip(" `") for name in cell.split(","))


def _latin_1(value: bytes) -> bytes:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1").encode("utf-8")
    return value


def _values(change: Callable[[str, list[bytes]], list[bytes]]) -> Callable[[T, Door], T]:
    """A rule about each header's values; one that is left without any is gone."""

    def apply(message: T, door: Door) -> T:
        changed = {name: change(name, values) for name, values in message.fields.items()}
        return replace(message, fields={name: values for name, values in changed.items() if values})

    return apply


def _gone(*names: str) -> Callable[[T, Door], T]:
    return _values(lambda name, values: [] if name in names else values)


def _query(change: Callable[[str], str]) -> Callable[[Asked, Door], Asked]:
    return lambda asked, door: replace(asked, query=change(asked.query))


def _each_part(change: Callable[[str], str]) -> Callable[[Asked, Door], Asked]:
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


def _forwarded(asked: Asked, door: Door) -> Asked:
    hops = [value for value in asked.fields.get("x-forwarded-for", []) if value]
    host = (asked.fields.get("host") or [b""])[-1].decode("latin-1")
    port = re.search(r":([0-9]+)\Z", host)
    own = {
        "x-forwarded-for": [b", ".join([*hops, asked.client.encode()])],
        "x-forwarded-proto": [asked.scheme.encode()],
        "x-forwarded-port": [(port[1] if port else "443" if asked.scheme == "https" else "80").encode()],
    }
    return replace(asked, fields={**asked.fields, **own})


def _cookies_apart(name: str, values: list[bytes]) -> list[bytes]:
    if name != "cookie":
        return values
    cookies = [cookie.strip(b" \t") for value in values for cookie in value.split(b";")]
    return [joined] if (joined := b"; ".join(filter(None, cookies))) else []


def _rename(message: Answered, door: Door) -> Answered:
    renamed = ("connection", "content-length", "date", "server")
    fields: Fields = {}
    for name, values in message.fields.items():
        fields.setdefault(f"x-amzn-remapped-{name}" if name in renamed else name, []).extend(values)
    return replace(message, fields=fields)


def _default_type(value: bytes) -> Callable[[Answered, Door], Answered]:
    return lambda message, door: replace(message, fields={"content-type": [value], **message.fields})


def _edge_refuses(name: str, values: list[bytes]) -> list[bytes]:
    refused = (
        "connection|content-length|expect|keep-alive|proxy-authenticate|proxy-authorization|proxy-connection|trailer|"
        "transfer-encoding|upgrade|via|x-cache|x-forwarded-proto|x-real-ip|(x-accel|x-amz-cf|x-amzn|x-edge)-.*"
    )
    return [] if re.fullmatch(refused, name) else values


def _base64_text(message: Answered, door: Door) -> Answered:
    """What the encoder sends as base64 stays so; whether it does is the encoder's own matter, tested with it."""
    if door.binary_media_types:
        return message

    def app(environ: Any, start_response: Any) -> list[bytes]:
        pairs = [(name, value.decode("latin-1")) for name, values in message.fields.items() for value in values]
        start_response(f"{message.status} Whatever", pairs)
        return [message.body]

    is_base64 = wsgi_handler(app)(compose(Request(), "http-api"))["isBase64Encoded"]
    return replace(message, body=b64encode(message.body)) if is_base64 else message


# In the order in which they are applied.
REQUEST_RULES: dict[str, Rule[Asked]] = {
    "header-latin-1": Rule(
        _values(lambda name, values: [_latin_1(value) for value in values]), Request(headers=[("X-Town", "K\xf6ln")])
    ),
    "hop-by-hop": Rule(_gone(*HOP_BY_HOP), Request(headers=[("TE", "trailers")])),
    "kept-headers": Rule(
        _gone("content-length", "expect", "max-forwards", "server", "content-md5", "www-authenticate"),
        Request(headers=[("Expect", "100-continue")]),
    ),
    "forwarded": Rule(_forwarded, Request(headers=[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "http")])),
    "trace-id": Rule(
        lambda asked, door: replace(asked, fields={**asked.fields, "x-amzn-trace-id": [TRACE]}),
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
    "path-spelling": Rule(lambda asked, door: replace(asked, raw_path=None), Request(path="/a%2Fb")),
    "path-question-mark": Rule(
        lambda asked, door: replace(asked, path=asked.path.partition(b"?")[0]), Request(path="/why%3F/because")
    ),
    "path-not-utf-8": Rule(
        lambda asked, door: replace(asked, path=asked.path.decode("utf-8", "replace").encode()),
        Request(path="/caf%E9"),
    ),
    "query-empty-part": Rule(_query(lambda query: "&".join(filter(None, query.split("&")))), Request(query="a=1&&b=2")),
    "query-equals-sign": Rule(_each_part(lambda part: part if "=" in part else f"{part}="), Request(query="a&b=2")),
    "query-not-utf-8": Rule(_query(_escapes_in_utf_8), Request(query="q=caf%E9")),
    "query-spelling": Rule(_each_part(_spelled_again), Request(query="q=%7ea%20b")),
    "query-order": Rule(_query(_grouped), Request(query="a=1&b=2&a=3")),
    "query-last": Rule(_query(_last), Request(query="a=1&a=2")),
    "scheme": Rule(lambda asked, door: replace(asked, scheme="https"), Request(scheme="http")),
}
RESPONSE_RULES: dict[str, Rule[Answered]] = {
    "response-latin-1": Rule(
        _values(lambda name, values: [_latin_1(value) for value in values]),
        given=Given(200, [("X-Town", "K\xf6ln")], b""),
    ),
    "response-renamed": Rule(_rename, given=Given(200, [("Server", "mine")], b"")),
    "response-forbidden": Rule(_values(_edge_refuses), given=Given(200, [("X-Cache", "mine")], b"")),
    "response-hop-by-hop": Rule(_gone(*HOP_BY_HOP), given=Given(200, [("Connection", "close")], b"")),
    "response-transfer-encoding": Rule(_gone("transfer-encoding"), given=Given(200, [("Transfer-Encoding", "x")], b"")),
    "response-content-length": Rule(_gone("content-length"), given=Given(200, [("Content-Length", "99")], b"")),
    "response-joined": Rule(
        _values(lambda name, values: values if name == "set-cookie" else [b", ".join(values)]),
        given=Given(200, [("Vary", "Accept"), ("Vary", "Cookie")], b""),
    ),
    "response-type-text": Rule(_default_type(b"text/plain; charset=utf-8"), given=Given(200, [], b"hello")),
    "response-type-json": Rule(_default_type(b"application/json"), given=Given(200, [], b"hello")),
    "response-base64": Rule(
        _base64_text, given=Given(200, [("Content-Type", "image/png")], b"\x89PNG"), door=Door(binary_media_types=())
    ),
}


def carried(asked: Asked, source: str, door: Door, *, but: str = "") -> Asked:
    """What *source* makes of a request, by the table; *but* leaves one row out."""
    for row in table():
        if row.direction == "request" and source in row.sources and row.id != but:
            asked = REQUEST_RULES[row.id].apply(asked, door)
    return asked


def carried_back(answered: Answered, source: str, door: Door, *, but: str = "") -> Answered:
    """What *source* makes of an answer, by the table; *but* leaves one row out."""
    for row in table():
        if row.direction == "response" and source in row.sources and row.id != but:
            answered = RESPONSE_RULES[row.id].apply(answered, door)
    return answered
