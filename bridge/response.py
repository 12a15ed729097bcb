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
        fields = Fields()
        single = fields.single
        names: dict[str, str] = {}  # by their lower-case form, as the application spells them first
        size = 0
        for name, value in self.headers:
            size += len(name) + len(value)
            key = lower_name(name)
            if not (value.isascii() and value.isprintable()) or value[:1] == " " or value[-1:] == " ":
                value = _json_text(name, value)
            if key in excluded:
                continue
            if key == "set-cookie":
                fields.add_cookie(name, value)
                continue
            if key == "content-type":
                fields.content_type = value
            elif key == "content-encoding" and value != "identity":
                fields.is_encoded = True
            if key in names:
                fields.repeat(names[key], value)
            else:
                names[key] = name
                single[name] = value
        self.header_size = size
        return fields

    def status_line(self) -> str:
        """Code and reason phrase, such as ``"404 Not Found"``; an ALB requires a phrase after the code."""
        return f"{self.status} {_reason(self.status, self.reason)}"


class Fields:
    """Response headers, grouped by name.

    The order is that of first appearance, the spelling that of the first one.

    Attributes:
        single: headers that occur once, except Set-Cookie.
        repeated: headers that occur more than once, with their values; None if there are none.
        cookies: the values of Set-Cookie; None without one.
        cookie_name: the application's spelling of Set-Cookie.
        content_type: the last Content-Type; ``""`` without one.
        is_encoded: whether there is a Content-Encoding other than ``identity``.
    """

    __slots__ = ("content_type", "cookie_name", "cookies", "is_encoded", "repeated", "single")

    def __init__(self) -> None:
        self.single: dict[str, str] = {}
        self.repeated: dict[str, list[str]] | None = None
        self.cookies: list[str] | None = None
        self.cookie_name = ""
        self.content_type = ""
        self.is_encoded = False

    def add_cookie(self, name: str, value: str) -> None:
        """Add a Set-Cookie header, spelled *name*."""
        if self.cookies is None:
            self.cookies = []
            self.cookie_name = name
        self.cookies.append(value)

    def repeat(self, name: str, value: str) -> None:
        """Add another value of the header that was first spelled *name*."""
        if self.repeated is None:
            self.repeated = {}
        if name in self.single:
            self.repeated[name] = [self.single.pop(name)]
        self.repeated[name].append(value)

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


@lru_cache(512)
def lower_name(name: str) -> str:
    """A header name in lower case.

    Raises:
        InterfaceError: the name is not a token (RFC 9110, 5.1); a line break in it would start another header.
    """
    if not name or not TOKEN.issuperset(name):
        raise InterfaceError(f"The application's header name {name!r} has characters that HTTP does not allow there.")
    return name.lower()


def _json_text(name: str, value: str) -> str:
    """A header value as JSON carries it: its bytes decoded as UTF-8, or else as ISO-8859-1.

    Whitespace around the value is not part of it (RFC 9110, 5.5); Django's cookies begin with a space.
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
