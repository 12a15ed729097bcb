"""The payloads that each front door accepts, and what it sends to the client of one."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# One event for each form of payload.
EVENTS = ["rest_api", "rest_api_nulls", "scaleway", "http_api_v1", "http_api", "function_url", "alb", "alb_multi",
         "lattice_v1", "lattice_v2", "edge_viewer_request", "rest_lambda_integration"]  # fmt: skip

_REFUSED_BY_EDGE = re.compile(
    r"connection|expect|keep-alive|proxy-authenticate|proxy-authorization|proxy-connection|trailer|upgrade|"
    r"x-accel-.*|x-amz-cf-.*|x-amzn-.*|x-cache|x-edge-.*|x-forwarded-proto|x-real-ip|"  # not allowed
    r"content-length|transfer-encoding|via"  # read-only
)


def rest_api(payload: dict[str, Any]) -> None:
    """REST API: any other key is answered 502."""
    assert payload.keys() <= {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
    assert type(payload["statusCode"]) is int
    _texts(payload.get("headers", {}))
    _lists(payload.get("multiValueHeaders", {}))
    names = [name.lower() for part in ("headers", "multiValueHeaders") for name in payload.get(part, {})]
    assert len(names) == len(set(names))
    _body(payload)


def payload_2_0(payload: dict[str, Any]) -> None:
    """HTTP APIs and Function URLs: each header name once, whatever its case; cookies in a list."""
    assert payload.keys() - {"cookies"} == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert type(payload["statusCode"]) is int
    _texts(payload["headers"])
    names = [name.lower() for name in payload["headers"]]
    assert len(names) == len(set(names))
    assert "set-cookie" not in names
    assert "cookies" not in payload or all(type(cookie) is str for cookie in payload["cookies"])
    assert payload.get("cookies") != []
    _body(payload)


def alb(payload: dict[str, Any]) -> None:
    """ALB: null, a value that is not text and a status without description are answered 502."""
    assert payload.keys() == {"statusCode", "statusDescription", "headers", "body", "isBase64Encoded"}
    _texts(payload["headers"])
    _described(payload)
    _body(payload)


def alb_multi(payload: dict[str, Any]) -> None:
    """ALB whose target group has multi-value headers: it reads only those."""
    assert payload.keys() == {"statusCode", "statusDescription", "multiValueHeaders", "body", "isBase64Encoded"}
    _lists(payload["multiValueHeaders"])
    _described(payload)
    _body(payload)


def lattice(payload: dict[str, Any]) -> None:
    """VPC Lattice: like an ALB, with several cookies in a list."""
    assert payload.keys() - {"cookies"} == {"statusCode", "statusDescription", "headers", "body", "isBase64Encoded"}
    _texts(payload["headers"])
    assert not ("cookies" in payload and "set-cookie" in [name.lower() for name in payload["headers"]])
    _described(payload)
    _body(payload)


def edge(payload: dict[str, Any]) -> None:
    """CloudFront: lists of key and value, and none of the headers that it refuses."""
    assert payload.keys() - {"body", "bodyEncoding"} == {"status", "statusDescription", "headers"}
    assert re.fullmatch(r"[1-9]\d\d", payload["status"])
    assert type(payload["statusDescription"]) is str
    for name, items in payload["headers"].items():
        assert name == name.lower()
        assert not _REFUSED_BY_EDGE.fullmatch(name), name
        assert items
        for item in items:
            assert item.keys() == {"key", "value"}
            assert item["key"].lower() == name
            assert type(item["value"]) is str
    assert ("body" in payload) == ("bodyEncoding" in payload)
    assert payload.get("bodyEncoding") in (None, "text", "base64")


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "rest-api": rest_api,
    "http-api-v1": rest_api,
    "non-proxy": rest_api,
    "http-api": payload_2_0,
    "function-url": payload_2_0,
    "alb": alb,
    "alb-multi": alb_multi,
    "lattice": lattice,
    "lattice-v1": lattice,
    "edge": edge,
}


def body_of(payload: dict[str, Any]) -> bytes:
    """The body that the client gets."""
    text: str = payload.get("body", "")
    encoded = payload.get("isBase64Encoded") or payload.get("bodyEncoding") == "base64"
    return b64decode(text, validate=True) if encoded else text.encode("utf-8")


def values_of(payload: dict[str, Any], name: str) -> list[str]:
    """All values of a header that the client gets, in the order of the payload."""
    found: list[str] = []
    for key, value in payload.get("headers", {}).items():
        if key.lower() == name.lower():
            found += [item["value"] for item in value] if isinstance(value, list) else [value]
    for key, values in payload.get("multiValueHeaders", {}).items():
        if key.lower() == name.lower():
            found += values
    if name.lower() == "set-cookie":
        found += payload.get("cookies", [])
    return found


def _texts(headers: dict[str, Any]) -> None:
    for name, value in headers.items():
        assert type(name) is str
        assert type(value) is str


def _lists(headers: dict[str, Any]) -> None:
    names = [name.lower() for name in headers]
    assert len(names) == len(set(names))
    for values in headers.values():
        assert type(values) is list
        assert values
        assert all(type(value) is str for value in values)


def _described(payload: dict[str, Any]) -> None:
    assert type(payload["statusCode"]) is int
    assert re.fullmatch(r"\d{3} \S.*", payload["statusDescription"])
    assert payload["statusDescription"].startswith(str(payload["statusCode"]))


def _body(payload: dict[str, Any]) -> None:
    assert type(payload["body"]) is str
    assert type(payload["isBase64Encoded"]) is bool
