"""Validation of a function's payload, in the parts that several front doors read in the same way.

Each function takes the front door's answer to a failed function, and raises :class:`RefusedError` with it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.decisions import exceeds, explain
from bridge.dev.gateway.models import RefusedError
from bridge.limits import LAMBDA_PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import Answer, Headers

# RFC 9110, 7.6.1, and Proxy-Connection and Keep-Alive of HTTP/1.0.
HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade",
    }
)  # fmt: skip
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, 5.6.2
_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def through_json(value: Any) -> Any:
    """Return a copy of *value* as the other end of a JSON connection reads it.

    Raises:
        TypeError, ValueError: JSON cannot represent the value.
    """
    return json.loads(json.dumps(value))


def through_lambda(result: Any, failed: Answer) -> Any:
    """Return a function's result as Lambda passes it on: converted to JSON and back, up to Lambda's limit.

    Raises:
        RefusedError, TypeError, ValueError: as :func:`lambda_json`.
    """
    return json.loads(lambda_json(result, failed))


def lambda_json(result: Any, failed: Answer) -> str:
    """Return a function's result as the JSON that Lambda passes on, up to Lambda's limit.

    Raises:
        RefusedError: the payload is larger than Lambda's limit.
        TypeError, ValueError: JSON cannot represent the result.
    """
    text = json.dumps(result, ensure_ascii=False)
    size = len(text.encode("utf-8", "surrogatepass"))
    if exceeds("payload as JSON, Lambda", size, LAMBDA_PAYLOAD_LIMIT):
        raise RefusedError(
            failed,
            f"the payload has {size} bytes of JSON, but Lambda accepts {LAMBDA_PAYLOAD_LIMIT}; answer with less, or "
            "redirect to S3",
        )
    return text


def json_size(value: Any) -> int:
    """Return the number of bytes of *value* as JSON, in UTF-8, as the managed runtimes since Python 3.12 write it."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def json_type(value: Any) -> str:
    """Return the name of a value's JSON type."""
    return _JSON_NAMES.get(type(value), "number")


def check_object(payload: Any, failed: Answer) -> dict[str, Any]:
    """Return *payload*, which must be a JSON object."""
    if isinstance(payload, dict):
        return payload
    raise RefusedError(
        failed,
        f"the payload is a JSON {json_type(payload)}, not an object; return {{'statusCode': 200, 'body': '…'}}",
    )


def status_code(payload: dict[str, Any], failed: Answer, key: str = "statusCode") -> int:
    """Return the status code of a payload, a number or a string of digits."""
    status = payload.get(key)
    if isinstance(status, str) and re.fullmatch("[0-9]{3}", status):
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise RefusedError(failed, f"the payload's {key} is {status!r}; it must be a number from 200 to 599")
    return status


def header_map(payload: dict[str, Any], key: str, failed: Answer) -> dict[str, Any]:
    """Return the headers under *key*, which must be an object or null."""
    headers = payload.get(key)
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        raise RefusedError(failed, f"the payload's {key} is a JSON {json_type(headers)}; it must be an object")
    return headers


def header_lists(payload: dict[str, Any], key: str, failed: Answer) -> list[tuple[str, Any]]:
    """Return name and value of each header under *key*, which must be an object of lists, or null."""
    pairs: list[tuple[str, Any]] = []
    for name, values in header_map(payload, key, failed).items():
        if not isinstance(values, list):
            raise RefusedError(failed, f"the payload's {key}[{name!r}] is {values!r}; it must be a list of strings")
        pairs += [(name, value) for value in values]
    return pairs


def check_headers(pairs: Iterable[tuple[str, Any]], failed: Answer, *, only_strings: bool = False) -> Headers:
    """Return headers as native strings, with numbers and booleans as JSON writes them, and without null values.

    Args:
        pairs: names and values of the payload.
        failed: the answer to malformed headers.
        only_strings: refuse values of other types.
    """
    headers: Headers = []
    for name, value in pairs:
        if not _TOKEN.match(name):
            raise RefusedError(failed, f"{name!r} is not a valid header name; use a token, such as 'X-Name'")
        if not isinstance(value, str):
            if only_strings or isinstance(value, (dict, list)):
                raise RefusedError(failed, f"the header {name!r} is {value!r}; it must be a string")
            if value is None:
                explain("response header", name, "dropped: its value is null")
                continue
        text = value if isinstance(value, str) else json.dumps(value)
        if re.search("[\r\n\0]", text):
            raise RefusedError(failed, f"the header {name!r} has a line break or NUL in its value {text!r}; remove it")
        headers.append((name, text.encode("utf-8", "replace").decode("latin-1")))
    return headers


def drop_hop_by_hop(headers: Headers) -> Headers:
    """Return the headers without those of one connection, and without Content-Length, which the front door counts."""
    remaining = []
    for pair in headers:
        name = pair[0].lower()
        if name in HOP_BY_HOP:
            explain("response header", pair[0], "dropped: it concerns one connection only (hop-by-hop)")
        elif name != "content-length":
            remaining.append(pair)
    return remaining


def declared_length(headers: Headers) -> int | None:
    """Return the number in Content-Length; None without one."""
    for name, value in headers:
        if name.lower() == "content-length" and value.isascii() and value.isdecimal():
            return int(value)
    return None


def decode_body(payload: dict[str, Any], failed: Answer) -> bytes:
    """Return the bytes of ``body``, which is base64 if ``isBase64Encoded`` is true."""
    body = payload.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise RefusedError(
            failed, f"the payload's body is a JSON {json_type(body)}; it must be a string, such as json.dumps(…)"
        )
    if not payload.get("isBase64Encoded"):
        explain("response body", "body", "sent as it is, in UTF-8")
        return body.encode("utf-8", "replace")
    explain("response body", "body", "decoded from base64: isBase64Encoded is set")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(
            failed, "the payload sets isBase64Encoded, but its body is not base64; encode the body, or omit the flag"
        ) from None
