"""Text of an event, as bytes in native strings: percent-encoding, query strings, bodies.

The standard library's ``urllib.parse`` does the same and costs a cold start 5 ms.
"""

from __future__ import annotations

import bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

_HEX = "0123456789ABCDEFabcdef"
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"  # RFC 3986, 2.3

_decoded: dict[str, str] = {}
_encoded: dict[int, str] = {}
# What was encoded before: names come again and again. Clients choose them, so only so many and short ones.
_quoted: dict[str, str] = {}
_REMEMBER = 1024
_SHORT = 64


def native(text: str) -> str:
    """The UTF-8 bytes of *text* as a native string. AWS decodes what is UTF-8 when it writes an event."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def unquote(text: str) -> str:
    """*text* percent-decoded exactly once, as a native string; a ``%`` that starts no escape stays."""
    if "%" not in text:
        return native(text)
    if not _decoded:
        _decoded.update({high + low: chr(int(high + low, 16)) for high in _HEX for low in _HEX})
    first, *rest = native(text).split("%")
    parts = [first]
    for part in rest:
        byte = _decoded.get(part[:2])
        parts.append("%" + part if byte is None else byte + part[2:])
    return "".join(parts)


def quote(value: object) -> str:
    """*value* percent-encoded for a query string, a space as ``+``."""
    text = value if type(value) is str else as_text(value)
    if text in _quoted:
        return _quoted[text]
    if not _encoded:
        _encoded.update({code: f"%{code:02X}" for code in range(256) if chr(code) not in _UNRESERVED})
        _encoded[0x20] = "+"
    encoded = text if text.isalnum() and text.isascii() else native(text).translate(_encoded)
    if len(_quoted) < _REMEMBER and len(text) < _SHORT:
        _quoted[text] = encoded
    return encoded


def as_text(value: object) -> str:
    """A field that should have been text, as the text JSON would write."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def query_of(parameters: Mapping[str, Any] | None, *, encoded: bool = False) -> str:
    """The query string that *parameters* came from, as far as they tell.

    Args:
        parameters: names with one value or a list of values.
        encoded: names and values are still percent-encoded, as an ALB hands them over.
    """
    if not parameters:
        return ""
    pairs = []
    get = _quoted.get
    for name, values in parameters.items():
        written = name if encoded else get(name) or quote(name)
        for value in values if type(values) is list else (values,):
            if type(value) is str:
                pairs.append(f"{written}={value if encoded or not value else get(value) or quote(value)}")
            else:  # Kong hands over `?a` as {"a": true}
                text = as_text(value)
                pairs.append(written if value is True else f"{written}={text if encoded else quote(text)}")
    return native("&".join(pairs))


def body_of(body: Any, is_base64: Any) -> bytes:
    """The bytes of an event's body.

    Raises:
        EventError: the body is no text, or is marked as base64 and is not.
    """
    if not body:
        return b""
    if not isinstance(body, str):
        raise bridge.EventError(
            f"The event's body is a JSON {type(body).__name__}; a front door sends text. In a test event, write the "
            "body as a string; with API Gateway's non-proxy integration, see docs/sources.md."
        )
    if not is_base64:
        return body.encode("utf-8", "surrogatepass")
    from binascii import a2b_base64  # half a millisecond, and most requests have no such body

    try:
        # Unless it is strict, a2b_base64 passes over what is no base64, and what is left is another body.
        return a2b_base64(body, strict_mode=True)
    except ValueError:
        pass
    try:
        return a2b_base64("".join(body.split()), strict_mode=True)  # tools break it into lines
    except ValueError as error:
        raise bridge.EventError(f"The event says isBase64Encoded, but its body is not base64: {error}.") from None


def tidy(pairs: Iterable[tuple[Any, Any]]) -> Collection[tuple[str, str]]:
    """Header pairs as a Scope has them: nulls gone, native strings, all cookies in one header.

    RFC 9113, 8.2.3: several cookie fields are one, joined by ``"; "``.
    """
    kept: list[tuple[str, str]] = []
    cookies: list[str] = []
    position = 0
    for name, value in pairs:
        if value is None:
            continue
        text = native(as_text(value))
        if name.isascii() and name.lower() == "cookie":  # a Kelvin sign in lower case is a k
            if not cookies:
                position = len(kept)
                kept.append((name, ""))
            cookies.append(text)
        else:
            kept.append((name, text))
    if cookies:
        kept[position] = (kept[position][0], "; ".join(cookies))
    return kept


def pairs_of(headers: Mapping[str, Any] | None) -> Collection[tuple[str, str]]:
    """The pairs of a header map with single values."""
    if not headers:
        return ()
    try:
        if "".join(headers.values()).isascii() and not ("cookie" in headers and "Cookie" in headers):
            return headers.items()
    except TypeError:
        pass  # a value is null, a list, or not text
    return tidy((name, value) for name, values in headers.items() for value in _each(values))


def pairs_of_many(headers: Mapping[str, Any]) -> Collection[tuple[str, str]]:
    """The pairs of a header map with a list of values for each name."""
    try:
        # One value for each name, as in nearly every request: half the time of the general way.
        values = [value for (value,) in headers.values()]
        if "".join(values).isascii() and not ("cookie" in headers and "Cookie" in headers):
            return [*zip(headers, values, strict=True)]
    except (TypeError, ValueError):
        pass
    return tidy((name, value) for name, values in headers.items() for value in _each(values))


def with_cookies(headers: dict[str, Any], cookies: list[Any]) -> dict[str, Any]:
    """The headers with the cookies of the list instead of those that a Function URL repeats in them."""
    together = {**headers}
    together.pop("Cookie", None)
    try:
        together["cookie"] = "; ".join(cookies)
    except TypeError:  # one of them is null
        together["cookie"] = "; ".join([as_text(cookie) for cookie in cookies if cookie])
    return together


def _each(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list) else (values,)
