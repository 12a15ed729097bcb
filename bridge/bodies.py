"""The one rule that makes a body text or base64."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bridge.response import Fields
    from bridge.settings import Settings

# What JSON-in-Lambda carries as text without a change: media types whose content is characters.
_TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/json",
        "application/json-seq",
        "application/jsonl",
        "application/ndjson",
        "application/sql",
        "application/toml",
        "application/x-javascript",
        "application/x-json",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/xml-dtd",
        "application/xml-external-parsed-entity",
        "application/yaml",
        "image/svg+xml",
    }
)
# RFC 6839 and RFC 9512: structured syntax suffixes of formats that are text.
_TEXT_SUFFIXES = ("+json", "+xml", "+yaml", "+json-seq")

# A gateway sends a text body as UTF-8, whatever its Content-Type says. A body in another charset is the same in
# UTF-8 only where it is plain ASCII and the charset is a superset of ASCII.
_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_NOT_ASCII_SUPERSETS = ("utf-16", "utf16", "utf-32", "utf32", "utf-7", "utf7", "ucs", "iso-10646", "ebcdic", "cp037",
                        "ibm", "iso-2022", "iso2022", "hz-gb")  # fmt: skip

_REMEMBER = 256


def encode(body: bytes, fields: Fields, settings: Settings) -> tuple[str, bool]:
    """The body as a payload carries it.

    Args:
        body: what the application sent.
        fields: its headers, from :meth:`Response.fields`.
        settings: whose ``text_types`` say what else is text.

    Returns:
        ``(text, False)`` for text, ``(base64, True)`` for anything else. Nothing is raised.
    """
    if not body:
        return "", False
    if not fields.is_encoded:
        content_type = fields.content_type
        try:
            carries = carried[content_type]
        except KeyError:
            carries = _remember(content_type)
        if carries is None and settings.is_text is not None and settings.is_text(content_type):
            carries = _carried_by_charset(content_type)
        if carries is not None:
            try:
                return body.decode(carries), False
            except UnicodeDecodeError:
                pass
    from binascii import b2a_base64  # half a millisecond, and most answers are text

    return b2a_base64(body, newline=False).decode("ascii"), True


def media_type(content_type: str) -> str:
    """``"text/html"`` of ``"Text/HTML; charset=utf-8"``."""
    return content_type.partition(";")[0].strip().lower()


def _carried_by_charset(content_type: str) -> str | None:
    """The codec by which a body of this charset becomes text that reads the same as UTF-8; None where it cannot."""
    _, found, after = content_type.lower().partition("charset=")
    charset = after.partition(";")[0].strip(" \t\"'") if found else ""
    if charset in _UTF8:
        return "utf-8"
    return None if charset.startswith(_NOT_ASCII_SUPERSETS) else "ascii"


def _is_text(media: str) -> bool:
    return (
        # No type at all says nothing against text, and text that is valid reaches the client on every source,
        # a REST API without binaryMediaTypes included.
        not media
        or media.startswith("text/")
        or media in _TEXT_TYPES
        or media.endswith(_TEXT_SUFFIXES)
        or (media.startswith("application/vnd.") and media.endswith((".json", "openapi")))
    )


carried: dict[str, str | None] = {}


def _remember(content_type: str) -> str | None:
    """The answer for this Content-Type, kept for next time; applications have few, and no client chooses them."""
    carries = _carried_by_charset(content_type) if _is_text(media_type(content_type)) else None
    if len(carried) < _REMEMBER:
        carried[content_type] = carries
    return carries
