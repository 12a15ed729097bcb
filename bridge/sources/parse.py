"""Fields of events as a Scope has them: texts, paths, queries, headers, bodies, addresses and users.

The rule of trust: an address is trusted only from fields that the front door itself wrote. API Gateway, Function URLs
and CloudFront name the client in a field of the event that no client can set. An ALB and VPC Lattice append it to
``X-Forwarded-For``, so the last hop is theirs and everything before it was sent by the client. (With an ALB set to
``preserve`` instead of ``append`` that header is the client's: do not rely on the address then.)
"""

from __future__ import annotations

from binascii import a2b_base64
from functools import lru_cache
from itertools import product
from urllib.parse import quote_from_bytes, quote_plus, unquote_to_bytes

from bridge.errors import EventError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

_PATH_MARKS = "/:@!$&'()*+,;="
_PATH_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~" + _PATH_MARKS)
# All spellings of Cookie but the usual ones.
_ODD_COOKIES = frozenset(map("".join, product(*zip("cookie", "COOKIE", strict=True)))) - {"cookie", "Cookie"}
_ADDRESS_CHARACTERS = frozenset("0123456789abcdefABCDEF:.")
_NOT_IN_HOSTS = frozenset(' "#%,/<>?@[\\]^`{|}')
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# Clients choose what is cached, so its length is limited as well as its number.
_LONGEST_VALUE, _LONGEST_HOST = 64, 256


def native(text: str) -> str:
    """The UTF-8 bytes of *text* as a native string: AWS has decoded UTF-8 when it wrote the event."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def as_text(value: object) -> str:
    """A field as text, also one that should have been a string and is a number or boolean; ``""`` for null."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def field(value: Any, path: str) -> Any:
    """The field at a path such as ``requestContext.http``; None if there is none."""
    for key in path.split("."):
        try:
            value = value[int(key) if key.isdigit() else key]
        except (LookupError, TypeError):
            return None
    return value


# --- paths

# A prefix is removed on whole segments only: ``/prod`` is no prefix of ``/production``, nor of ``/prod%2Fx``. So paths
# are split into segments as they arrived, before they are decoded.


def unquote(text: str) -> str:
    """*text* percent-decoded exactly once, as a native string; a ``%`` without two hex digits stays."""
    return unquote_to_bytes(text.encode("utf-8", "surrogatepass")).decode("latin-1")


def encode_path(path: str) -> str:
    """A native string percent-encoded as a path (RFC 3986, 3.3)."""
    return path if _PATH_CHARACTERS.issuperset(path) else quote_from_bytes(path.encode("latin-1"), _PATH_MARKS)


def split_path(root: str, path: str, base_path: str = "") -> tuple[str, str, str]:
    """The whole path as it arrived, the decoded root path, and the decoded path.

    Args:
        root: the prefix that the source put before the path, as it arrived.
        path: the rest, as it arrived.
        base_path: the option ``base_path``, which may lengthen *root*.
    """
    if path[:1] != "/" and (path or not root):
        path = "/" + path
    whole = root + path
    if base_path:
        length = _prefix_length(base_path, whole) or len(root) + _prefix_length(base_path, path)
        root, path = whole[:length], whole[length:]
    if "%" in whole or not whole.isascii():
        return native(whole), unquote(root), unquote(path) or "/"
    return whole, root, path or "/"


def starts_with(path: str, prefix: str) -> bool:
    """Whether *path* starts with the whole segments of *prefix*."""
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/")


def prefix_before_route(path: str, template: str, parameters: Mapping[str, Any] | None) -> str | None:
    """The prefix of *path* before the part that a route matched: the base path of a custom domain, a stage, or ``""``.

    None if the route's template, such as ``/dogs/{id}`` or ``/{proxy+}``, does not fit the path.
    """
    if not template.startswith("/"):
        return None
    segments = []
    for segment in template.strip("/").split("/"):
        if segment.startswith("{") and segment.endswith("}"):
            value = (parameters or {}).get(segment[1:-1].rstrip("+"))
            if not isinstance(value, str):
                return None
            segments.append(value.strip("/"))
        else:
            segments.append(segment)
    tail = "/".join(["", *segments]).rstrip("/")
    trimmed = path.rstrip("/")  # as the value of a greedy variable
    if not trimmed.endswith(tail):
        # One of the two may be decoded and the other not. Base paths and stages have nothing to decode.
        tail, trimmed = unquote(tail), unquote(trimmed)
        if not trimmed.endswith(tail):
            return None
    root = trimmed[: len(trimmed) - len(tail)].rstrip("/")
    return root if starts_with(path, root) else None


def _prefix_length(prefix: str, path: str) -> int:
    """The number of characters of *path*, perhaps percent-encoded, that spell the segments of *prefix*; 0 if none."""
    if starts_with(path, prefix):
        return len(prefix)
    segments = path.split("/")
    count = prefix.count("/") + 1
    start = "/".join(segments[:count])
    return len(start) if len(segments) >= count and "%" in start and unquote(start) == native(prefix) else 0


# --- queries


def query_of(parameters: Mapping[str, Any] | None, *, encoded: bool = False) -> str:
    """The query string of parameters with one value or a list of values; *encoded* if they are percent-encoded."""
    if not parameters:
        return ""
    quote, quote_long = (native, native) if encoded else (_quote, _quote.__wrapped__)
    pairs = []
    for name, values in parameters.items():
        if not (name.isalnum() and name.isascii()):
            name = (quote if len(name) <= _LONGEST_VALUE else quote_long)(name)
        for value in values if isinstance(values, list) else (values,):
            if value is True:  # Kong passes `?a` as {"a": true}
                pairs.append(name)
                continue
            text = value if type(value) is str else as_text(value)
            if not (text.isalnum() and text.isascii()):
                text = (quote if len(text) <= _LONGEST_VALUE else quote_long)(text)
            pairs.append(f"{name}={text}")
    return "&".join(pairs)


@lru_cache(1024)
def _quote(text: str) -> str:
    return quote_plus(text.encode("utf-8", "surrogatepass"))


# --- headers


def merged(lists: Any, single: Any, fold: Callable[[str], str] = str.lower) -> Mapping[str, Any]:
    """An event's map of lists of values, with the names that only its map of single values has; either may be null.

    Front doors fill both maps; events that are written by hand often do not. *fold* makes equal names alike.
    """
    if not lists or not single or single.keys() <= lists.keys():
        return lists or single or {}
    names = set(map(fold, lists))
    return {**lists, **{name: value for name, value in single.items() if fold(name) not in names}}


def flat(lists: Mapping[str, Any]) -> Mapping[str, Any]:
    """A map of lists as a map of values, if every list has one value; otherwise the same map."""
    try:
        return {name: value for name, (value,) in lists.items()}
    except (TypeError, ValueError):
        return lists


def pairs_of(headers: Mapping[str, Any], cookies: list[Any] | None = None) -> Collection[tuple[str, str]]:
    """The header pairs of a Scope: native strings, without nulls, with all cookies in one header (RFC 9113, 8.2.3).

    *cookies* are those of an event that has a list of them. A Function URL repeats the list in the header; cookies
    that only the header has follow those of the list.
    """
    try:
        usual = {**headers, "cookie": "; ".join(cookies)} if cookies else headers
        has_others = cookies and headers.get("cookie", usual["cookie"]) != usual["cookie"]
        is_repeated = ("cookie" in usual and "Cookie" in usual) or not _ODD_COOKIES.isdisjoint(usual)
        if "".join(usual.values()).isascii() and not is_repeated and not has_others:
            return usual.items()
    except TypeError:  # a value is null, a list, a number
        pass
    pairs: list[tuple[str, str]] = []
    cookie_name, position = "cookie", None
    texts: list[str] = []
    listed: set[str] = set()
    if cookies:
        texts = [as_text(cookie) for cookie in cookies if cookie]
        listed = {"", *[part.strip() for text in texts for part in text.split(";")]}
    for name, values in headers.items():
        # The lower case of the Kelvin sign is a k.
        is_cookie = name.isascii() and name.lower() == "cookie"
        for text in _texts(values):
            if not is_cookie:
                pairs.append((name, native(text)))
                continue
            if position is None:
                cookie_name, position = name, len(pairs)
            if listed:
                texts += [part for part in map(str.strip, text.split(";")) if part not in listed]
            else:
                texts.append(text)
    if texts:
        pairs.insert(len(pairs) if position is None else position, (cookie_name, native("; ".join(texts))))
    return pairs


def _texts(values: Any) -> list[str]:
    values = values if isinstance(values, list) else (values,)
    return [value if type(value) is str else as_text(value) for value in values if value is not None]


def header(headers: Mapping[str, Any], lower: str, title: str) -> str:
    """The last value of a header; ``""`` without one. *title* is the name as HTTP/1.1 clients usually spell it."""
    value = headers.get(lower) or headers.get(title)
    if value is None:
        for name in headers:
            if name.lower() == lower:
                value = headers[name]
    if isinstance(value, list):
        value = value[-1] if value else ""
    return value if isinstance(value, str) else ""


# --- bodies


def body_of(body: Any, is_base64: Any) -> bytes:
    """The bytes of an event's body.

    Raises:
        EventError: the body is no string, or is marked as base64 and is not.
    """
    if not body:
        return b""
    if not isinstance(body, str):
        raise EventError(
            f"The event's body has the type {type(body).__name__}; front doors send a string. In a test event, write "
            "the body as a string; for API Gateway's non-proxy integration, see docs/sources.md."
        )
    if not is_base64:
        return body.encode("utf-8", "surrogatepass")
    try:
        # Without strict mode a2b_base64 skips characters that are not base64, and the rest is another body.
        return a2b_base64(body, strict_mode=True)
    except ValueError:
        pass
    try:
        return a2b_base64("".join(body.split()), strict_mode=True)  # some tools insert line breaks
    except ValueError as error:
        raise EventError(f"The event has isBase64Encoded set, but its body is not base64: {error}.") from None


# --- addresses and users


def server_of(headers: Mapping[str, Any], own: str = "", scheme: str = "https") -> tuple[str, str, str]:
    """Scheme, server name and server port, from ``Host``, ``X-Forwarded-Proto`` and ``X-Forwarded-Port``.

    Of several forwarded values the last one was written by the front door. A value that is no scheme or no port is
    ignored. *own*, the front door's own name or else ``"lambda"``, replaces a missing or malformed Host; *scheme*
    replaces a missing scheme.
    """
    get = headers.get
    host = get("host") or get("Host")
    proto = get("x-forwarded-proto") or get("X-Forwarded-Proto")
    port = get("x-forwarded-port") or get("X-Forwarded-Port")
    if not type(host) is type(proto) is type(port) is str:  # another spelling, lists, missing headers
        host = header(headers, "host", "Host")
        proto = header(headers, "x-forwarded-proto", "X-Forwarded-Proto")
        port = header(headers, "x-forwarded-port", "X-Forwarded-Port")
    if proto not in _DEFAULT_PORTS:
        proto = proto.rpartition(",")[2].strip().lower()
    if proto in _DEFAULT_PORTS:
        scheme = proto
    name, host_port = split_host(host) if len(host) < _LONGEST_HOST else split_host.__wrapped__(host)
    if not name:
        name, host_port = split_host(own)
    if port != _DEFAULT_PORTS[scheme]:
        port = port.rpartition(",")[2].strip()
        if not _is_port(port):
            port = host_port or _DEFAULT_PORTS[scheme]
    return scheme, name or "lambda", port


@lru_cache(256)
def split_host(host: str) -> tuple[str, str]:
    """Name and port of ``name:port`` or ``[address]:port``; two empty texts if it is malformed (RFC 9110, 7.2).

    An address without brackets has no port.
    """
    name, _, port = host.partition(":")
    if ":" in port or host.startswith("["):
        from ipaddress import AddressValueError, IPv6Address

        name, bracket, rest = host.removeprefix("[").partition("]")
        port = rest.removeprefix(":")
        has_both_brackets = host.startswith("[") == (bracket == "]")
        is_port_separate = not rest or rest.startswith(":")
        try:
            if not has_both_brackets or not is_port_separate:
                return "", ""
            IPv6Address(name)
        except AddressValueError:
            return "", ""
    is_name = name.isprintable() and _NOT_IN_HOSTS.isdisjoint(name) and (not port or _is_port(port))
    return (native(name), port) if name and is_name else ("", "")


def _is_port(text: str) -> bool:
    return len(text) < 6 and text.isascii() and text.isdigit() and text[0] != "0" and int(text) < 65536


def client_of(address: Any) -> str:
    """The address in a field of the event, without the port and the brackets that it has behind some proxies."""
    if type(address) is str and ":" not in address:
        return address
    text = as_text(address)
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def last_hop(forwarded_for: str) -> str:
    """The address that the front door appended to ``X-Forwarded-For``, without its port; ``""`` if it is none."""
    hop = client_of(forwarded_for.rpartition(",")[2].strip())
    return hop if ("." in hop or ":" in hop) and _ADDRESS_CHARACTERS.issuperset(hop) else ""


def caller(identity: Any) -> str:
    """The IAM user or role that signed a request, from ``requestContext.identity`` of a REST API or VPC Lattice."""
    return _user(identity, ("user", "userArn", "principal"))


def principal(authorizer: Any) -> str:
    """The user that an authorizer named: ``principalId`` of a Lambda authorizer, a token's ``sub``, an IAM user id."""
    return _user(authorizer, ("principalId", "claims.sub", "jwt.claims.sub", "iam.userId"))


def _user(fields: Any, paths: tuple[str, ...]) -> str:
    user = next((found for path in paths if (found := field(fields, path))), "")
    return native(user) if isinstance(user, str) else ""
