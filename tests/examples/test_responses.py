"""What the client gets is what the application answered."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.examples.browser import Browser
    from tests.examples.shops import Way


def test_a_page_is_html_with_all_its_letters(browser: Browser) -> None:
    answer = browser.get("/")
    assert answer.status == 200
    assert answer.header("content-type").lower() == "text/html; charset=utf-8"
    page = answer.body.decode()
    assert "Tee, thé, чай, 茶 ☕" in page
    assert "Grüner Tee" in page
    assert "/items/gr%C3%BCn" in page or "/items/grün" in page  # Starlette leaves the encoding to the browser


def test_an_image_arrives_byte_for_byte(browser: Browser, way: Way) -> None:
    answer = browser.get("/image", accept="image/avif,image/webp,image/png,*/*;q=0.8")
    assert answer.status == 200
    assert answer.header("content-type") == "image/png"
    assert answer.body == way.shop.image


def test_an_image_that_the_client_has_is_answered_304_without_a_body(browser: Browser) -> None:
    etag = browser.get("/image").header("etag")
    answer = browser.get("/image", if_none_match=etag)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.header("etag") == etag


def test_a_stream_arrives_whole(browser: Browser) -> None:
    answer = browser.get("/stream")
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/plain")
    assert answer.body == b"cup 1\ncup 2\ncup 3\ncup 4\ncup 5\n"


def test_text_in_another_charset_keeps_its_bytes(browser: Browser) -> None:
    answer = browser.get("/latin1")
    assert answer.header("content-type").lower() == "text/plain; charset=iso-8859-1"
    assert answer.body == "Grüße, señor, ça va ?".encode("iso-8859-1")


def test_head_has_no_body(browser: Browser) -> None:
    answer = browser.request("HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-type").lower() == "text/html; charset=utf-8"


def test_a_deletion_is_answered_204_without_a_body(browser: Browser) -> None:
    answer = browser.request("DELETE", "/items/nothing")
    assert (answer.status, answer.body) == (204, b"")


def test_what_is_not_there_is_the_frameworks_own_404(browser: Browser) -> None:
    assert browser.get("/items/nothing").status == 404
    assert browser.get("/nowhere").status == 404


def test_an_error_is_answered_500_and_logged_and_the_next_request_is_served(
    browser: Browser, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = browser.get("/error")
    assert answer.status == 500
    assert b"on purpose" not in answer.body
    logged = caplog.text + capsys.readouterr().err
    assert "RuntimeError: This error is on purpose." in logged
    assert "Traceback (most recent call last)" in logged
    assert json.loads(browser.get("/items/sencha").body)["name"] == "Sencha"
