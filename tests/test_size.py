"""How large a payload may become, told without writing it."""

from __future__ import annotations

import tracemalloc
from json import dumps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bridge
from bridge.bodies import encode
from bridge.dev.gateway import Request, compose
from bridge.response import Response
from bridge.settings import Settings
from bridge.size import size_of, surely_fits

EACH_ASCII = bytes(range(128))


def carried(body: bytes, content_type: str) -> dict[str, Any]:
    text, _ = encode(body, Response(200, [("Content-Type", content_type)], body).fields(), Settings())
    return {"body": text}


def written(payload: dict[str, Any]) -> int:
    """The length of the body in JSON, without its quotes."""
    return len(dumps(payload["body"])) - 2


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(["text/plain", "image/png"]))
def test_what_is_said_to_fit_does(body: bytes, content_type: str) -> None:
    payload = carried(body, content_type)
    assert not surely_fits(body, payload, written(payload) - 1)


@pytest.mark.parametrize("body", [b"", b"plain", b'{"a": "b"}\n', b"\\", b"\x00\x7f", EACH_ASCII])
@pytest.mark.parametrize("content_type", ["text/plain", "image/png"])
def test_ascii_and_base64_are_known_to_fit_to_the_byte(body: bytes, content_type: str) -> None:
    payload = carried(body, content_type)
    assert surely_fits(body, payload, written(payload))


@pytest.mark.parametrize("letter", ["é", "漢", "😀"])
def test_letters_are_taken_for_no_more_than_twice_what_they_take(letter: str) -> None:
    body = letter.encode() * 100
    payload = carried(body, "text/plain")
    assert surely_fits(body, payload, 2 * written(payload))


def test_no_body_takes_nothing() -> None:
    assert surely_fits(b"", {"status": "204"}, 0)
    assert not surely_fits(b"", {"status": "204"}, -1)


@pytest.mark.parametrize("start", [0, 65_535, 65_536, 131_000])
def test_every_byte_is_looked_at(start: int) -> None:
    body = bytearray(b"x" * 131_080)
    body[start : start + 80] = b"\x1f" * 80
    payload = carried(bytes(body), "text/plain")
    assert surely_fits(bytes(body), payload, written(payload))
    assert not surely_fits(bytes(body), payload, written(payload) - 1)


@pytest.mark.parametrize(
    ("runtime", "size"), [("AWS_Lambda_python3.11", 18), ("AWS_Lambda_python3.12", 14), ("", 18), ("mine", 18)]
)
def test_a_payload_counts_as_the_runtime_writes_it(runtime: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", runtime)
    assert size_of({"body": "é"}) == size


@pytest.mark.parametrize(("content_type", "copies"), [("text/html", 1.1), ("image/png", 2.8)])
def test_a_large_answer_is_copied_no_more_often_than_it_must_be(content_type: str, copies: float) -> None:
    """Text once; base64 as bytes and as text, 4/3 each."""
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
