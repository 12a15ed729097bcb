"""Bodies in payloads: text or base64, and how many bytes Lambda makes of a payload."""

from __future__ import annotations

import json
import os
from binascii import b2a_base64
from functools import lru_cache

from bridge.errors import InterfaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.response import Fields

    TextTest = Callable[[str], bool]

# Media types whose content is characters, beside text/*.
_TEXT_TYPES = frozenset(
    {
        "application/ecmascript", "application/graphql", "application/javascript", "application/json",
        "application/json-seq", "application/jsonl", "application/ndjson", "application/sql", "application/toml",
        "application/x-javascript", "application/x-json", "application/x-ndjson", "application/x-sh",
        "application/x-www-form-urlencoded", "application/x-yaml", "application/xml", "application/xml-dtd",
        "application/xml-external-parsed-entity", "application/yaml", "image/svg+xml",
    }
)  # fmt: skip
# RFC 6839 and RFC 9512: structured syntax suffixes of text formats.
_TEXT_SUFFIXES = ("+json", "+xml", "+yaml", "+json-seq")

# A gateway sends a text body as UTF-8, whatever its Content-Type says. A body in another charset is the same in
# UTF-8 only where it is plain ASCII and the charset is a superset of ASCII.
_UTF8_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_NOT_ASCII_SUPERSETS = ("utf-16", "utf16", "utf-32", "utf32", "utf-7", "utf7", "ucs", "iso-10646", "ebcdic", "cp037",
                        "ibm", "iso-2022", "iso2022", "hz-gb")  # fmt: skip

# What json.dumps makes of a character: itself, two characters, or six for control characters. A character beyond
# ASCII takes up to six for each byte of its UTF-8.
LONGEST_ESCAPE = 6
_UNESCAPED = bytes(code for code in range(0x20, 0x7F) if code not in b'"\\')
_TWO_CHARACTERS = b'"\\\b\f\n\r\t'
_NOT_ASCII = bytes(range(0x80, 0x100))
_BLOCK = 16_384
# Upper bound for the JSON of a payload without its headers' text and its body: keys, quotes, commas.
PAYLOAD_FRAME = 65_536
# The same for one header, in characters of the longest escape: CloudFront's form repeats its keys for each value.
HEADER_FRAME = 8


def encode(
    body: bytes, fields: Fields, is_text: TextTest | None = None, explain: Callable[[str], object] | None = None
) -> tuple[str, bool]:
    """A body as a payload carries it: ``(text, False)`` or ``(base64, True)``.

    Args:
        body: what the application sent.
        fields: the response's headers.
        is_text: decides about Content-Types that are not text by the rule of this module.
        explain: called with the rule that decides, in words.
    """
    if not body:
        return "", False
    text = codec = None
    content_type = fields.content_type
    if fields.is_encoded:
        rule = "it has a Content-Encoding"
    else:
        codec, rule = (text_codec if len(content_type) <= _LONGEST_CACHED else text_codec.__wrapped__)(content_type)
        if codec is None and is_text is not None and is_text(content_type):
            codec, rule = _codec_of_charset(content_type), "the option text_types names its Content-Type"
    if codec is not None:
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            rule = f"its bytes are not valid {codec.upper()}"
    if explain is not None:
        explain(rule)
    return (text, False) if text is not None else (b2a_base64(body, newline=False).decode("ascii"), True)


_LONGEST_CACHED = 128


@lru_cache(256)
def text_codec(content_type: str) -> tuple[str | None, str]:
    """The codec by which a body of this type becomes text, None where it is base64; and the rule that decides."""
    media = media_type(content_type)
    if not media:
        # Valid text reaches the client through every source, a REST API without binaryMediaTypes included.
        rule = "it has no Content-Type"
    elif media.startswith("text/") or media in _TEXT_TYPES:
        rule = f"{media} is a text type"
    elif media.endswith(_TEXT_SUFFIXES) or (
        media.startswith("application/vnd.") and media.endswith((".json", "openapi"))
    ):
        rule = f"{media} has the suffix of a text format"
    else:
        return None, f"{media} is not a text type"
    codec = _codec_of_charset(content_type)
    return codec, rule if codec is not None else "its charset is not a superset of ASCII"


def media_type(content_type: str) -> str:
    """The media type in lower case: ``"text/html"`` of ``"Text/HTML; charset=utf-8"``."""
    return content_type.partition(";")[0].strip().lower()


def _codec_of_charset(content_type: str) -> str | None:
    """The codec by which a body of this charset becomes text that is the same in UTF-8; None where there is none."""
    _, separator, rest = content_type.lower().partition("charset=")
    charset = rest.partition(";")[0].strip(" \t\"'") if separator else ""
    if charset in _UTF8_CHARSETS:
        return "utf-8"
    return None if charset.startswith(_NOT_ASCII_SUPERSETS) else "ascii"


def as_bytes(chunk: Any) -> bytes:
    """A copy of a body chunk whose buffer the application may reuse; InterfaceError if it has none."""
    try:
        return bytes(memoryview(chunk))
    except TypeError:
        raise InterfaceError(f"The application's body has a {type(chunk).__name__}, not bytes.") from None


def excess(payload: dict[str, Any], body: bytes, header_size: int, limit: int) -> int:
    """The size of a payload that is larger than *limit* bytes of JSON; 0 for one that fits.

    *body* is the body before it was encoded; *header_size* the number of characters in the headers, and
    :data:`HEADER_FRAME` for each of them.
    """
    if _body_fits(body, payload, limit - header_size * LONGEST_ESCAPE - PAYLOAD_FRAME):
        return 0
    size = json_size(payload)
    return size if size > limit else 0


def json_size(payload: Any) -> int:
    """How many bytes AWS's client makes of the payload: of UTF-8 on its runtimes from Python 3.12 on, else of ASCII."""
    minor = os.environ.get("AWS_EXECUTION_ENV", "").removeprefix("AWS_Lambda_python3.")
    is_utf8 = minor.isdigit() and int(minor) >= 12
    return len(json.dumps(payload, ensure_ascii=not is_utf8).encode("utf-8", "surrogatepass"))


def _body_fits(body: bytes, payload: dict[str, Any], room: int) -> bool:
    """Whether JSON certainly makes at most *room* bytes of the body, without writing it; exact for base64 and ASCII."""
    length = len(payload.get("body", ""))
    if length > len(body):  # base64: a character of text takes at least one byte
        return length <= room
    unseen = len(body)
    room -= unseen
    for start in range(0, len(body), _BLOCK):
        if unseen * (LONGEST_ESCAPE - 1) <= room:  # fits even if the rest were control characters
            return True
        escaped = body[start : start + _BLOCK].translate(None, _UNESCAPED)
        long = escaped.translate(None, _TWO_CHARACTERS)
        control = long.translate(None, _NOT_ASCII)
        # Two bytes of UTF-8 or four become at most six characters or twelve, three become six.
        room -= len(escaped) + len(long) + 3 * len(control)
        unseen -= _BLOCK
    return room >= 0
