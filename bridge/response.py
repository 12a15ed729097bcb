"""Response: what an application answered, and its headers as payloads need them."""

from __future__ import annotations

import bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    Grouped = dict[str, tuple[str, list[str]]]

_REMEMBER = 256

# The characters of a header name (RFC 9110, 5.6.2).
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Response:
    """What the application answered.

    Attributes:
        status: the status code, an integer.
        reason: the reason phrase, such as ``"OK"``; ``""`` where the application gave none.
        headers: name and value pairs, in order, native strings (see :mod:`bridge.request`).
        body: the whole body.
        header_size: the characters of the headers, once they were sorted out, if there may be many.
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
        """A short answer of the bridge's own, in plain text."""
        body = text.encode()
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
        return cls(status, headers, body)

    def grouped(self, leave_out: Container[str] = ()) -> Grouped:
        """The headers by lower-case name: ``{"set-cookie": ("Set-Cookie", ["a=1", "b=2"])}``.

        The order is that of first appearance, the spelling that of the first one, and names in *leave_out*
        (lower-case) are not there. Values are Unicode text, as JSON carries them.

        Raises:
            InterfaceError: a name is none, or a value has a line break in it.
        """
        groups: Grouped = {}
        self.header_size = sum([len(name) + len(value) for name, value in self.headers])
        for name, value in self.headers:
            key = _names.get(name) or _learn(name)
            if value not in plain_values and not is_plain(value):
                value = _as_json_text(name, value)
            if key in groups:
                groups[key][1].append(value)
            elif key not in leave_out:
                groups[key] = (name, [value])
        return groups

    def fields(self, leave_out: Container[str] = ()) -> Fields:
        """The headers as payloads need them.

        Args:
            leave_out: lower-case names of those that are not wanted.

        Raises:
            InterfaceError: a name is none, or a value has a line break in it.
        """
        if not leave_out:
            usual = _usual_fields(self.headers)
            if usual is not None:
                return usual
        return _fields_of(self.grouped(leave_out))

    def status_line(self) -> str:
        """Code and reason phrase, ``"404 Not Found"``: never empty after the code, as an ALB demands."""
        key = (self.status, self.reason)
        return _lines.get(key) or _line_of(*key)


class Fields:
    """Response headers, sorted out for the payloads.

    Attributes:
        single: those that come once, but for Set-Cookie, as the application spells them.
        repeated: those that come more than once, with their values.
        cookies: the values of Set-Cookie, and *cookie_name* how the application spells it.
        content_type: the last Content-Type, ``""`` without one.
        is_encoded: whether there is a Content-Encoding other than ``identity``.
    """

    single: dict[str, str]
    repeated: dict[str, list[str]] = {}  # noqa: RUF012 - never written to; a new one is set
    cookies: list[str] = []  # noqa: RUF012
    cookie_name = ""
    content_type = ""
    is_encoded = False

    def joined(self) -> dict[str, str]:
        """All but the cookies with one value each, repeated ones joined by commas (RFC 9110, 5.3)."""
        if not self.repeated:
            return self.single
        return {**self.single, **{name: ", ".join(values) for name, values in self.repeated.items()}}

    def lists(self) -> dict[str, list[str]]:
        """All with a list of values each."""
        lists = {name: [value] for name, value in self.single.items()}
        if self.repeated:
            lists.update(self.repeated)
        if self.cookies:
            lists[self.cookie_name] = self.cookies
        return lists


# Where Content-Type and Set-Cookie are among these header names, "" for one that is not; only for names that are known,
# all different and without Content-Encoding. An application has few such lists.
layouts: dict[tuple[str, ...], tuple[str, str, int]] = {}


def _usual_fields(headers: list[tuple[str, str]]) -> Fields | None:
    """The fields, if the names are known together and the values are plain ASCII, as in most answers.

    It takes a third of the time that sorting out each header takes. None if they are to be looked at.
    """
    single: dict[str, str] = {}
    plain = plain_values
    try:
        for name, value in headers:
            if value not in plain and not is_plain(value):
                return None
            single[name] = value
        content_type, cookie, count = layouts[tuple(single)]
        if count != len(headers):
            return None
    except (KeyError, TypeError, ValueError):  # not known together; no pairs of texts, and grouped() says what is wrong
        return None
    fields = Fields()
    fields.single = single
    if content_type:
        fields.content_type = single[content_type]
    if cookie:
        fields.cookie_name = cookie
        fields.cookies = [single.pop(cookie)]
    return fields


# More headers, or longer ones, may be what makes a payload too large.
_FEW, _SHORT = 32, 2048

# Header values that need no second look. Most are the same in every answer; of the others only so many.
plain_values: set[str] = set()


def is_plain(value: str) -> bool:
    """Whether JSON carries a header value as it is: printable ASCII, no space around it."""
    is_plain = len(value) <= _SHORT and value.isascii() and value.isprintable() and value == value.strip(" ")
    if is_plain and len(plain_values) < _REMEMBER:
        plain_values.add(value)
    return is_plain


def _fields_of(groups: Grouped) -> Fields:
    fields = Fields()
    fields.single = {}
    for key, (name, values) in groups.items():
        if key == "set-cookie":
            fields.cookie_name, fields.cookies = name, values
        elif len(values) == 1:
            fields.single[name] = values[0]
        else:
            fields.repeated = {**fields.repeated, name: values}
    if "content-type" in groups:
        fields.content_type = groups["content-type"][1][-1]
    if "content-encoding" in groups:
        fields.is_encoded = groups["content-encoding"][1] != ["identity"]
    elif len(layouts) < _REMEMBER and not fields.repeated and len(fields.cookies) < 2:
        names = tuple(name for name, _ in groups.values())
        if len(names) <= _FEW:
            layouts[names] = groups.get("content-type", ("",))[0], fields.cookie_name, len(names)
    return fields


# Header names in lower case. Applications have few; one that answers with names of its clients' choosing fills no
# memory.
_names: dict[str, str] = {}


def _learn(name: str) -> str:
    """A header name in lower case, remembered.

    Raises:
        InterfaceError: it is no token (RFC 9110, 5.1): a line break in it would begin another header.
    """
    if not name or not TOKEN.issuperset(name):
        raise bridge.InterfaceError(
            f"The application's header name {name!r} has characters that HTTP does not allow in one."
        )
    lower = name.lower()
    if len(_names) < _REMEMBER:
        _names[name] = lower
    return lower


def _as_json_text(name: str, value: str) -> str:
    """A header value for JSON: what its bytes mean in UTF-8, or else in ISO-8859-1.

    Space around it is none of its own (RFC 9110, 5.5); Django's cookies begin with one.
    """
    value = value.strip(" \t")
    if "\n" in value or "\r" in value or "\0" in value:
        # RFC 9110, 5.5: dangerous, since a recipient may take the rest for another header
        raise bridge.InterfaceError(
            f"The application's header {name!r} has a line break or NUL in its value: {value!r}."
        )
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


# Status lines by code and reason; applications have few.
_lines: dict[tuple[int, str], str] = {}


def _line_of(status: int, given: str) -> str:
    if len(_lines) >= _REMEMBER:
        _lines.clear()
    reason = given.strip()
    if not (reason and reason.isascii() and reason.isprintable()):
        reason = _standard_reason(status)
    line = _lines[status, given] = f"{status} {reason}"
    return line


def _standard_reason(status: int) -> str:
    if status == 500:  # what is answered when nothing else can be, perhaps because no file can be opened any more
        return "Internal Server Error"
    from http import HTTPStatus  # a tenth of a millisecond and only an ALB asks for it

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
