"""A function's payload: what every front door does to read it, and to refuse it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.events import native_of, refused
from bridge.dev.gateway.json_text import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import Answer, Headers

# 6 MiB and 100 bytes, as Lambda's runtime API enforces it.
LAMBDA_PAYLOAD_LIMIT = 6_291_556

_REMEMBER = 1024
_names: set[str] = set()  # those that were found to be names
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, 5.6.2
_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def through_lambda(result: Any, refuse: Answer) -> Any:
    """What a function returned as it comes out of Lambda: through JSON.

    Raises:
        RefusedError: it is larger than Lambda takes.
        TypeError, ValueError: it is nothing that JSON can write.
    """
    text = to_json(result)
    if len(text) > LAMBDA_PAYLOAD_LIMIT:
        size = size_of(result)  # as the managed runtimes since Python 3.12 write it
        if size > LAMBDA_PAYLOAD_LIMIT:
            why = f"the payload is {size} bytes of JSON, Lambda takes {LAMBDA_PAYLOAD_LIMIT}"
            raise refused(refuse, f"{why}; answer with less, or redirect to S3")
    return from_json(text)


def size_of(content: Any) -> int:
    """The bytes of *content* as JSON."""
    return len(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def json_name(value: Any) -> str:
    """What JSON calls a value like this one."""
    return _JSON_NAMES.get(type(value), "number")


def object_of(payload: Any, refuse: Answer) -> dict[str, Any]:
    """*payload*, if it is a JSON object.

    Raises:
        RefusedError: it is none.
    """
    if isinstance(payload, dict):
        return payload
    raise refused(
        refuse, f"the payload is a JSON {json_name(payload)}, no object; return {{'statusCode': 200, 'body': '…'}}"
    )


def status_of(payload: dict[str, Any], refuse: Answer, key: str = "statusCode") -> int:
    """The status code of a payload; text of digits counts.

    Raises:
        RefusedError: there is none that can end a request.
    """
    status = payload.get(key)
    if isinstance(status, str) and re.fullmatch("[0-9]{3}", status):
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise refused(refuse, f"the payload's {key} is {status!r}; it must be a number from 200 to 599")
    return status


def map_of(payload: dict[str, Any], key: str, refuse: Answer) -> dict[str, Any]:
    """The headers of a payload under *key*; null counts as none.

    Raises:
        RefusedError: they are no object.
    """
    headers = payload.get(key)
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        raise refused(refuse, f"the payload's {key} is a JSON {json_name(headers)}; it must be an object")
    return headers


def lists_of(payload: dict[str, Any], key: str, refuse: Answer) -> list[tuple[str, Any]]:
    """Name and value of each header in a map of lists.

    Raises:
        RefusedError: it is no object of lists.
    """
    pairs: list[tuple[str, Any]] = []
    for name, values in map_of(payload, key, refuse).items():
        if not isinstance(values, list):
            raise refused(refuse, f"the payload's {key}[{name!r}] is {values!r}; it must be a list of texts")
        pairs += [(name, value) for value in values]
    return pairs


def header_pairs(pairs: Iterable[tuple[str, Any]], refuse: Answer, *, only_text: bool = False) -> Headers:
    """Headers as they go out: numbers and booleans as JSON writes them, null not at all.

    Args:
        pairs: names and values as the payload has them.
        refuse: the answer to what is malformed.
        only_text: refuse every value that is no text.

    Raises:
        RefusedError: a name or value that HTTP does not allow.
    """
    headers: Headers = []
    for name, value in pairs:
        if name in _names and type(value) is str and value.isascii() and value.isprintable():  # as nearly always
            headers.append((name, value))
            continue
        if not _TOKEN.match(name):
            raise refused(refuse, f"{name!r} is no name for a header; it must be a token, such as 'X-Name'")
        if len(_names) < _REMEMBER:
            _names.add(name)
        text = value
        if not isinstance(value, str):
            if only_text or isinstance(value, (dict, list)):
                raise refused(refuse, f"the header {name!r} is {value!r}; it must be text")
            if value is None:
                continue
            text = json.dumps(value)
        if "\r" in text or "\n" in text or "\0" in text:
            raise refused(refuse, f"the header {name!r} has a line break or NUL in its value {text!r}; take it out")
        headers.append((name, native_of(text)))
    return headers


def length_of(headers: Headers) -> int | None:
    """What Content-Length says; None if it says nothing, or no number."""
    for name, value in headers:
        if name.lower() == "content-length" and value.isascii() and value.isdecimal():
            return int(value)
    return None


def body_of(payload: dict[str, Any], refuse: Answer) -> bytes:
    """The bytes of a payload's body, by its own flag.

    Raises:
        RefusedError: the body is marked as base64 and is not, or is no text.
    """
    body = payload.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise refused(refuse, f"the payload's body is a JSON {json_name(body)}; it must be text, such as json.dumps(…)")
    if not payload.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise refused(
            refuse, "the payload says isBase64Encoded, but its body is not base64; encode it, or leave the flag out"
        ) from None
