"""Sessions, cookies and redirects, as a browser drives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.examples.browser import Browser


def test_a_login_sets_two_cookies_and_redirects_to_a_page_that_knows_the_visitor(browser: Browser) -> None:
    assert browser.get("/me").status == 401
    answer = browser.submit("/login", name="Jörg & Zoë")
    assert answer.status == 303
    # Django's values begin with a space, which every client passes over (RFC 9110, 5.5)
    cookies = [value.strip() for name, value in answer.headers if name.lower() == "set-cookie"]
    assert len(cookies) == 2
    assert any(cookie.startswith("theme=dark;") for cookie in cookies)
    page = browser.follow(answer, at="/login")
    assert page.status == 200
    assert json.loads(page.body) == {"name": "Jörg & Zoë", "theme": "dark"}


def test_a_forged_session_is_no_session(browser: Browser) -> None:
    browser.submit("/login", name="Ann")
    assert browser.get("/me").status == 200
    for name in browser.cookies.keys() - {"theme"}:
        browser.cookies[name] = "forged"
    assert browser.get("/me").status == 401
