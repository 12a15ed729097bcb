"""Every example behaves behind every front door as its framework does behind a server.

The tests are a pairwise sample. Each behaviour is tested with every variant of the examples, each time behind one
front door, and the next behaviour pairs them differently: so every variant meets every front door, and every front door
every behaviour.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from bridge.dev.gateway import FRONT_DOORS
from tests.examples.applications import VARIANTS, pair

if TYPE_CHECKING:
    import httpx

    from tests.examples.applications import Variant


def behaviours() -> list[str]:
    """Return the names of the tests here that take a client, in order."""
    return [
        name
        for name, value in globals().items()
        if name.startswith("test_") and "client" in inspect.signature(value).parameters
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "client" in metafunc.fixturenames:
        shift = behaviours().index(metafunc.function.__name__)
        metafunc.parametrize(("variant", "source"), pair(VARIANTS, [*FRONT_DOORS], shift), ids=str)


def test_the_sample_has_every_variant_and_every_behaviour_behind_every_source() -> None:
    shifts = range(len(behaviours()))
    assert {each for shift in shifts for each in pair(VARIANTS, [*FRONT_DOORS], shift)} == {
        *product(VARIANTS, FRONT_DOORS)
    }
    assert all({source for _, source in pair(VARIANTS, [*FRONT_DOORS], shift)} == {*FRONT_DOORS} for shift in shifts)


# Requests


def echo_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer
    assert answer.headers["content-type"].startswith("application/json")
    echo: dict[str, Any] = answer.json()
    return echo


def test_method_path_and_headers_arrive(client: httpx.Client) -> None:
    echo = echo_of(client.get("/echo", headers={"x-tea": "Sencha", "accept": "application/json;q=0.9, */*"}))
    assert (echo["method"], echo["root_path"], echo["path"]) == ("GET", "", "/echo")
    assert echo["headers"]["host"] == "shop.example.com"
    assert echo["headers"]["x-tea"] == "Sencha"
    assert echo["headers"]["accept"] == "application/json;q=0.9, */*"
    assert echo["query"] == []
    assert echo["cookies"] == {}
    assert echo["body"]["size"] == 0


EVERY_BYTE = bytes(range(256))
BODIES = [
    ("application/octet-stream", EVERY_BYTE * 8),
    ("image/png", b"\x89PNG\r\n\x1a\n\0\xff"),
    ("text/plain; charset=utf-8", "Grüße, 茶\r\n".encode()),
    ("text/plain; charset=iso-8859-1", "Grüße".encode("latin-1")),
    ("application/json", b'{"a": [1, 2, "\\u0000"]}'),
    ("application/x-tea", b"plain"),
]


def test_a_body_of_any_type_arrives_byte_for_byte(client: httpx.Client) -> None:
    for content_type, body in BODIES:
        echo = echo_of(client.post("/echo", content=body, headers={"content-type": content_type}))
        assert echo["method"] == "POST"
        assert echo["headers"]["content-type"] == content_type
        assert echo["headers"]["content-length"] == str(len(body))
        assert echo["body"] == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_a_query_keeps_blank_values_repeated_names_pluses_and_escapes(client: httpx.Client, source: str) -> None:
    query = "b=2&blank=&a=1&plus=x+y&escaped=%2B%26%3D%25&caf%C3%A9=%E2%98%95"
    if source != "alb":  # without multi-value headers a load balancer passes on only the last of repeated parameters
        query += "&a=3&a=1"

    def by_name(pairs: Any) -> list[tuple[str, str]]:
        return sorted(map(tuple, pairs), key=lambda pair: pair[0])

    echo = echo_of(client.get(f"/echo?{query}"))
    assert by_name(echo["query"]) == by_name(parse_qsl(query, keep_blank_values=True))


PATHS = [
    ("/echo/caf%C3%A9/%E8%8C%B6", "/echo/café/茶"),
    ("/echo/a%20b+c", "/echo/a b+c"),
    ("/echo/100%25/%2541", "/echo/100%/%41"),
    ("/echo/x;v=1,2/@:!$&'()*~", "/echo/x;v=1,2/@:!$&'()*~"),
    ("/echo/a/", "/echo/a/"),
]


def test_a_path_is_decoded_exactly_once(client: httpx.Client, variant: Variant) -> None:
    for path, decoded in PATHS:
        if variant.example.name == "litestar":  # removes a trailing slash behind any server
            decoded = decoded.rstrip("/")
        assert echo_of(client.get(path))["path"] == decoded


def test_every_cookie_arrives_once(client: httpx.Client) -> None:
    echo = echo_of(client.get("/echo", headers={"cookie": "a=1; b=x%20y=z; c="}))
    assert echo["headers"]["cookie"] == "a=1; b=x%20y=z; c="
    assert set(echo["cookies"]) == {"a", "b", "c"}
    assert echo["cookies"]["a"] == "1"


# WebOb leaves the temporary file of a large request to the garbage collector, behind any server.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_an_uploaded_file_arrives_byte_for_byte(client: httpx.Client) -> None:
    for content in (b"", b"just text\n", EVERY_BYTE * 100 + b"\r\n--", b"\r\n" * 50):
        answer = client.post("/upload", files={"file": ("tea leaves.bin", content)})
        assert answer.status_code == 200, answer
        digest = hashlib.sha256(content).hexdigest()
        assert answer.json() == {"filename": "tea leaves.bin", "size": len(content), "sha256": digest}


# Responses


def test_a_page_is_html_in_utf_8(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].lower() == "text/html; charset=utf-8"
    page = answer.content.decode()
    assert "Tee, thé, чай, 茶 ☕" in page
    assert "Grüner Tee" in page
    assert "/items/gr%C3%BCn" in page or "/items/grün" in page  # Starlette leaves the encoding to the browser


def test_an_image_arrives_byte_for_byte(client: httpx.Client, variant: Variant) -> None:
    answer = client.get("/image", headers={"accept": "image/avif,image/webp,image/png,*/*;q=0.8"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == variant.example.image


def test_an_image_in_the_clients_cache_is_answered_304_without_a_body(client: httpx.Client) -> None:
    etag = client.get("/image").headers["etag"]
    answer = client.get("/image", headers={"if-none-match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag


def test_a_streamed_response_arrives_whole(client: httpx.Client) -> None:
    answer = client.get("/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.content == b"cup 1\ncup 2\ncup 3\ncup 4\ncup 5\n"


def test_text_in_another_charset_keeps_its_bytes(client: httpx.Client) -> None:
    answer = client.get("/latin1")
    assert answer.headers["content-type"].lower() == "text/plain; charset=iso-8859-1"
    assert answer.content == "Grüße, señor, ça va ?".encode("iso-8859-1")


def test_head_is_answered_without_a_body(client: httpx.Client) -> None:
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].lower() == "text/html; charset=utf-8"


def test_a_deletion_is_answered_204_without_a_body(client: httpx.Client) -> None:
    answer = client.delete("/items/nothing")
    assert (answer.status_code, answer.content) == (204, b"")


def test_an_unknown_item_or_path_is_answered_404_by_the_framework(client: httpx.Client) -> None:
    assert client.get("/items/nothing").status_code == 404
    assert client.get("/nowhere").status_code == 404


def test_an_exception_is_logged_and_answered_500_and_the_next_request_succeeds(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get("/error")
    assert answer.status_code == 500
    assert b"on purpose" not in answer.content
    logged = caplog.text + capsys.readouterr().err
    assert "RuntimeError: This error is on purpose." in logged
    assert "Traceback (most recent call last)" in logged
    assert client.get("/items/sencha").json()["name"] == "Sencha"


# Sessions


def test_a_login_sets_two_cookies_and_redirects_to_a_page_that_reads_them(client: httpx.Client) -> None:
    assert client.get("/me").status_code == 401
    page = client.post("/login", data={"name": "Jörg & Zoë"}, follow_redirects=True)
    (login,) = page.history
    assert login.status_code == 303
    # Django's values begin with a space, which clients skip (RFC 9110, 5.5).
    cookies = [value.strip() for value in login.headers.get_list("set-cookie")]
    assert len(cookies) == len(client.cookies) == 2
    assert any(cookie.startswith("theme=dark;") for cookie in cookies)
    assert page.status_code == 200
    assert page.json() == {"name": "Jörg & Zoë", "theme": "dark"}


def test_a_forged_session_is_refused(client: httpx.Client) -> None:
    client.post("/login", data={"name": "Ann"})
    assert client.get("/me").status_code == 200
    forged = {name: "forged" if name != "theme" else value for name, value in client.cookies.items()}
    client.cookies.clear()
    client.cookies.update(forged)
    assert client.get("/me").status_code == 401
