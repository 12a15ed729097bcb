"""The size of a payload in JSON: when it exceeds a limit, and what computing it costs."""

from __future__ import annotations

import tracemalloc
from json import dumps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bridge
from bridge.bodies import _body_fits, encode, excess, json_size
from bridge.dev.gateway import Request, compose
from bridge.response import Response

ASCII = bytes(range(128))


def payload_of(body: bytes, content_type: str) -> dict[str, Any]:
    text, _ = encode(body, Response(200, [("Content-Type", content_type)], body).fields())
    return {"body": text}


def body_size(payload: dict[str, Any]) -> int:
    """The length of the body in JSON, without its quotes."""
    return len(dumps(payload["body"])) - 2


bodies = st.binary(max_size=60) | st.text(max_size=60).map(str.encode)
content_types = st.sampled_from(["text/plain", "image/png"])


@given(bodies, content_types, st.integers(-2, 2))
def test_only_a_payload_over_the_limit_has_an_excess(body: bytes, content_type: str, distance: int) -> None:
    payload = payload_of(body, content_type)
    size = json_size(payload)
    assert excess(payload, body, 0, size + distance) == (size if distance < 0 else 0)


@given(bodies, content_types)
def test_a_body_never_fits_into_less_room_than_it_takes(body: bytes, content_type: str) -> None:
    payload = payload_of(body, content_type)
    assert not _body_fits(body, payload, body_size(payload) - 1)


@pytest.mark.parametrize("body", [b"", b"plain", b'{"a": "b"}\n', b"\\", b"\x00\x7f", ASCII])
@pytest.mark.parametrize("content_type", ["text/plain", "image/png"])
def test_ascii_and_base64_fit_into_exactly_the_room_that_they_take(body: bytes, content_type: str) -> None:
    payload = payload_of(body, content_type)
    assert _body_fits(body, payload, body_size(payload))


@pytest.mark.parametrize("letter", ["é", "漢", "😀"])
def test_other_characters_fit_into_twice_the_room_that_they_take(letter: str) -> None:
    body = letter.encode() * 100
    payload = payload_of(body, "text/plain")
    assert _body_fits(body, payload, 2 * body_size(payload))


def test_no_body_fits_into_no_room() -> None:
    assert _body_fits(b"", {"status": "204"}, 0)
    assert not _body_fits(b"", {"status": "204"}, -1)


@pytest.mark.parametrize("start", [0, 65_535, 65_536, 131_000])
def test_control_characters_count_anywhere_in_a_large_body(start: int) -> None:
    body = bytearray(b"x" * 131_080)
    body[start : start + 80] = b"\x1f" * 80
    payload = payload_of(bytes(body), "text/plain")
    assert _body_fits(bytes(body), payload, body_size(payload))
    assert not _body_fits(bytes(body), payload, body_size(payload) - 1)


@pytest.mark.parametrize(
    ("runtime", "size"), [("AWS_Lambda_python3.11", 18), ("AWS_Lambda_python3.12", 14), ("", 18), ("mine", 18)]
)
def test_the_size_is_that_of_the_json_that_the_runtime_writes(
    runtime: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", runtime)
    assert json_size({"body": "é"}) == size


@pytest.mark.parametrize(("content_type", "copies"), [("text/html", 1.1), ("image/png", 2.8)])
def test_a_large_response_is_copied_once_as_text_and_twice_as_base64(content_type: str, copies: float) -> None:
    """A copy in base64 has 4/3 of the size; there is one of bytes and one of text."""
    body = b"<p>Leave it with the neighbours on the third floor.</p>\n" * 40_000

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", content_type)])
        return [body]

    handler = bridge.wsgi_handler(app)
    event = compose(Request("GET", "/page"), "http-api")
    handler(event)
    tracemalloc.start()
    try:
        payload = handler(event)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert payload["statusCode"] == 200
    assert peak / len(body) < copies
