"""Response: what an application answered, and its headers in the form that payloads need."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from bridge.errors import InterfaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

# The characters of a header name (RFC 9110, 5.6.2).
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Response:
    """What the application answered.

    Attributes:
        status: the status code.
        headers: name and value pairs, in order, native strings (see :mod:`bridge.request`).
        body: the whole body.
        reason: the reason phrase, such as ``"OK"``; ``""`` where the application sent none.
        header_size: the number of characters in names and values, set by :meth:`fields`.
    """

    __slots__ = ("body", "header_size", "headers", "reason", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes, reason: str = "") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.reason = reason
        self.header_size = 0

    @classmethod
    def plain(cls, status: int, text: str) -> Response:
        """A response in plain text, as the bridge itself answers."""
        body = text.encode()
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
        return cls(status, headers, body)

    def fields(self, excluded: Container[str] = ()) -> Fields:
        """The headers, grouped by name, with values as JSON carries them.

        Args:
            excluded: lower-case names of headers to leave out.

        Raises:
            InterfaceError: a name is not a token, or a value contains a line break or NUL.
        """
        single = dict(self.headers)
        names = tuple(single)
        content_type, cookie, is_regular, size = _layouts.get(names) or _layout(names)
        values = " ".join(single.values())
        self.header_size = size + len(values)
        # A space at either end of a value makes two of them, or is the first or the last character.
        if (
            not is_regular
            or excluded
            or len(single) < len(self.headers)
            or not values.isascii()
            or "\n" in values
            or "\r" in values
            or "\t" in values
            or "\0" in values
            or "  " in values
            or values != values.strip()
        ):
            return self._grouped(excluded)
        fields = Fields()
        fields.single = single
        if content_type:
            fields.content_type = single[content_type]
        if cookie:
            fields.cookie_name = cookie
            fields.cookies = [single.pop(cookie)]
        return fields

    def _grouped(self, excluded: Container[str]) -> Fields:
        """The headers, grouped one by one."""
        self.header_size = sum([len(name) + len(value) for name, value in self.headers])
        groups: dict[str, tuple[str, list[str]]] = {}
        for name, value in self.headers:
            key = lower_name(name)
            if key not in excluded:
                groups.setdefault(key, (name, []))[1].append(_json_text(name, value))
        fields = Fields()
        fields.single = {}
        repeated: dict[str, list[str]] = {}
        for key, (name, values) in groups.items():
            if key == "set-cookie":
                fields.cookie_name, fields.cookies = name, values
            elif len(values) == 1:
                fields.single[name] = values[0]
            else:
                repeated[name] = values
        fields.repeated = repeated or None
        if "content-type" in groups:
            fields.content_type = groups["content-type"][1][-1]
        if "content-encoding" in groups:
            fields.is_encoded = groups["content-encoding"][1] != ["identity"]
        return fields

    def status_line(self) -> str:
        """Code and reason phrase, such as ``"404 Not Found"``; an ALB requires a phrase after the code."""
        return f"{self.status} {_reason(self.status, self.reason)}"


class Fields:
    """Response headers, grouped by name, in the order and the spelling of the first of each name.

    Attributes:
        single: headers that occur once, except Set-Cookie.
        repeated: headers that occur more than once, with their values; None if there are none.
        cookies: the values of Set-Cookie; None without one.
        cookie_name: the application's spelling of Set-Cookie.
        content_type: the last Content-Type; ``""`` without one.
        is_encoded: whether there is a Content-Encoding other than ``identity``.
    """

    single: dict[str, str]
    repeated: dict[str, list[str]] | None = None
    cookies: list[str] | None = None
    cookie_name = ""
    content_type = ""
    is_encoded = False

    def joined(self) -> dict[str, str]:
        """All headers but the cookies with one value each; repeated ones are joined by commas (RFC 9110, 5.3)."""
        if not self.repeated:
            return self.single
        return {**self.single, **{name: ", ".join(values) for name, values in self.repeated.items()}}

    def lists(self) -> dict[str, list[str]]:
        """All headers, cookies included, with a list of values each."""
        lists = {name: [value] for name, value in self.single.items()}
        if self.repeated:
            lists.update(self.repeated)
        if self.cookies:
            lists[self.cookie_name] = self.cookies
        return lists


# _layout() of names. An application has few combinations, but may take names from its clients.
_layouts: dict[tuple[str, ...], tuple[str, str, bool, int]] = {}
_MOST_LAYOUTS, _LONGEST_LAYOUT = 256, 2048


def _layout(names: tuple[str, ...]) -> tuple[str, str, bool, int]:
    """The spellings of Content-Type and Set-Cookie; whether all names differ, without Content-Encoding; the size."""
    spellings = {lower_name(name): name for name in names}
    is_regular = len(spellings) == len(names) and "content-encoding" not in spellings
    size = sum(map(len, names))
    layout = spellings.get("content-type", ""), spellings.get("set-cookie", ""), is_regular, size
    if size <= _LONGEST_LAYOUT:
        if len(_layouts) >= _MOST_LAYOUTS:
            _layouts.clear()
        _layouts[names] = layout
    return layout


def lower_name(name: str) -> str:
    """A header name in lower case; InterfaceError if it is no token (RFC 9110, 5.1): it could start another header."""
    if not name or not TOKEN.issuperset(name):
        raise InterfaceError(f"The application's header name {name!r} has characters that HTTP does not allow there.")
    return name.lower()


def _json_text(name: str, value: str) -> str:
    """A header value as JSON carries it: its bytes decoded as UTF-8, or else as ISO-8859-1.

    Whitespace around the value is not part of it (RFC 9110, 5.5); Django's cookies begin with a space. A line break or
    NUL in it is an InterfaceError.
    """
    value = value.strip(" \t")
    if "\n" in value or "\r" in value or "\0" in value:
        # RFC 9110, 5.5: a recipient may take the rest for another header.
        raise InterfaceError(f"The application's header {name!r} has a line break or NUL in its value: {value!r}.")
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


@lru_cache(256)
def _reason(status: int, reason: str) -> str:
    reason = reason.strip()
    if reason and reason.isascii() and reason.isprintable():
        return reason
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
