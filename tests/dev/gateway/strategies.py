"""Strategies for requests and responses that HTTP allows: RFC 9110, 5, and RFC 3986, 3.3 and 3.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from bridge.dev.gateway import Request
from tests.dev.gateway.recording_app import AppResponse

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from tests.dev.gateway.recording_app import Pairs

_TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ESCAPES = (
    "%20", "%2F", "%2f", "%25", "%2525", "%252F", "%3F", "%23", "%26", "%3D", "%2B", "%3B", "%41", "%7E", "%7e", "%00",
    "%0D%0A", "%C3%A9", "%E2%82%AC", "%F0%9F%98%80", "%E9", "%FF", "%C3", "%ED%A0%80",
)  # fmt: skip
_PCHARS = ("a", "Zz", "0", "-", ".", "_", "~", "!", "$", "'", "(", ")", "*", "+", ",", ";", "=", ":", "@", "&")
_REQUEST_NAMES = (
    "Accept", "Accept-Language", "Authorization", "If-None-Match", "Range", "Referer", "User-Agent", "X-Y", "X_Y",
    "Proxy", "Date", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Connection",
    "Proxy-Authenticate", "Proxy-Authorization", "Expect", "Max-Forwards", "Server", "Content-MD5", "WWW-Authenticate",
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Amzn-Trace-Id", "Forwarded",
    "Via", "Content-Language", "x-y",
)  # fmt: skip
_RESPONSE_NAMES = (
    "Location", "ETag", "Vary", "vary", "Cache-Control", "X-Y", "X_Y", "WWW-Authenticate", "Link", "link", "Date",
    "Server", "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Trailer", "TE", "Via", "X-Cache",
    "X-Edge-Location", "X-Amz-Cf-Id", "X-Amzn-RequestId", "X-Real-IP", "Content-Language", "Expect",
    "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "X-Forwarded-Proto", "X-Accel-Buffering",
)  # fmt: skip
_TYPES = (
    "text/plain", "text/html; charset=iso-8859-1", "text/html; charset=utf-8", "application/json", "image/svg+xml",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "image/png",
    "TEXT/PLAIN;charset=UTF-16", "application/octet-stream", "",
)  # fmt: skip
_ENCODINGS = ("gzip", "br", "identity", "")
_HOSTS = ("example.com", "example.com:8443", "[2001:db8::1]", "[2001:db8::1]:8080", "localhost:5000", "EXAMPLE.com:80")
_CLIENTS = ("127.0.0.1", "203.0.113.9", "2001:db8::9")

_escapes = st.sampled_from(_ESCAPES) | st.integers(0, 255).map("%{:02X}".format)
_path_parts = st.sampled_from(("/", "/", "//", "/../", "/./", "..", ";v=1", "prod", "shop", *_PCHARS)) | _escapes
_query_parts = st.sampled_from(("&", "&", "=", "a=1", "a=2", "a", "b=", "&&", "/", "?", "%61=", *_PCHARS)) | _escapes
_paths = st.lists(_path_parts, max_size=8).map(lambda parts: "/" + "".join(parts)) | st.just("")
_queries = st.lists(_query_parts, max_size=8).map("".join)

# Native strings: visible ASCII, UTF-8, and any other bytes.
_visible = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
_utf_8 = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=6).map(lambda t: t.encode().decode("latin-1"))
_any_bytes = st.text(st.sampled_from("a b\t;,=\x80\x85\xa0\xc3\xe9\xff"), max_size=6)
_values = (_visible | _utf_8 | _any_bytes).map(lambda text: text.strip(" \t"))
_cookie_parts = st.sampled_from(("a=1", "b=", "c", ";", "; ", " ", "\t", '"q"', "\xc3\xa9", "\xe9", "\xa0", ","))
_cookies = st.lists(_cookie_parts, max_size=6).map(lambda parts: "".join(parts).strip(" \t"))
_tokens = st.text(_TOKEN, min_size=1, max_size=6).filter(lambda name: name.lower() != "host")
_methods = st.sampled_from(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get", "PROPFIND")) | _tokens
_bodies = st.binary(max_size=24) | st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace"))


def _fields(names: SearchStrategy[str], values: SearchStrategy[str] = _values, most: int = 5) -> SearchStrategy[Pairs]:
    return st.lists(st.tuples(names, values), max_size=most)


_request_fields = _fields(st.sampled_from(_REQUEST_NAMES) | _tokens)
_response_fields = _fields(st.sampled_from(_RESPONSE_NAMES) | _tokens)
_cookie_fields = _fields(st.sampled_from(("Cookie", "cookie")), _cookies, 2)
_set_cookie_fields = _fields(st.sampled_from(("Set-Cookie", "set-cookie")), most=3)
_hosts = _fields(st.just("Host"), st.sampled_from(_HOSTS), 1)
_types = _fields(st.just("Content-Type"), st.sampled_from(_TYPES) | _values, 1)
_encodings = _fields(st.just("Content-Encoding"), st.sampled_from(_ENCODINGS), 1)


@st.composite
def requests(draw: DrawFn, prefix: str = "") -> Request:
    """Any request with a path below *prefix*."""
    body = draw(_bodies)
    length = [("Content-Length", str(len(body)))] if body or draw(st.booleans()) else []
    parts = [draw(_request_fields), draw(_cookie_fields), draw(_hosts), draw(_types), draw(_encodings), length]
    return Request(
        method=draw(_methods),
        path=prefix + draw(_paths),
        query=draw(_queries),
        headers=[pair for part in parts for pair in part],
        body=body,
        client=draw(st.sampled_from(_CLIENTS)),
        scheme=draw(st.sampled_from(("http", "https"))),
    )


@st.composite
def responses(draw: DrawFn) -> AppResponse:
    """Any response of an application."""
    body = draw(_bodies)
    length = [("Content-Length", str(len(body)))] if draw(st.booleans()) else []
    parts = [draw(_response_fields), draw(_set_cookie_fields), draw(_types), draw(_encodings), length]
    status = draw(st.integers(200, 599) | st.sampled_from((200, 204, 304)))
    return AppResponse(status, [pair for part in parts for pair in part], body)
