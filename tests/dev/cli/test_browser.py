"""The example shop in a browser, through three front doors."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.serve_process import ServeProcess
from tests.dev.cli.webdriver import Chromium, missing
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"No {' and no '.join(missing())} here; scripts/browser installs them."),
]

OPTIONS = {
    "http-api": ("--source", "http-api"),
    "rest-api": ("--source", "rest-api", "--binary-media-types", "*/*"),
    "rest-api-stage": ("--source", "rest-api", "--binary-media-types", "*/*", "--stage", "prod"),
    "alb": ("--source", "alb"),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("framework", "door"),
    [
        ("flask", "http-api"),
        ("fastapi", "http-api"),
        ("flask", "rest-api"),
        ("fastapi", "rest-api-stage"),
        ("flask", "alb"),
        ("fastapi", "alb"),
    ],
)
def test_images_forms_cookies_and_uploads_work(browser: Chromium, tmp_path: Path, framework: str, door: str) -> None:
    with ServeProcess(tmp_path, f"{EXAMPLES / framework / 'app.py'}:app", "--no-reload", *OPTIONS[door]) as server:
        home = server.url + ("/prod" if door == "rest-api-stage" else "")
        browser.open(f"{home}/")
        browser.delete_cookies()
        assert "thé, чай, 茶 ☕" in browser.text
        assert browser.run("return document.images[0].complete && document.images[0].naturalWidth > 0")

        browser.type("[name=name]", "Jörg & Zoë")
        browser.click("button")
        browser.wait_for(f"{home}/me")
        assert json.loads(browser.text) == {"name": "Jörg & Zoë", "theme": "dark"}
        browser.open(f"{home}/me")  # by the cookie
        assert json.loads(browser.text)["name"] == "Jörg & Zoë"

        content = os.urandom(100_000)
        (tmp_path / "cup of tëa.bin").write_bytes(content)
        browser.open(f"{home}/")
        form = f"<form method=post enctype=multipart/form-data action={home}/upload>"
        browser.run(f"document.body.innerHTML = '{form}<input type=file name=file><button>'")
        browser.type("[name=file]", str(tmp_path / "cup of tëa.bin"))
        browser.click("button")
        browser.wait_for(f"{home}/upload")
        assert json.loads(browser.text) == {
            "filename": "cup of tëa.bin",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        refused = [line for line in server.stderr.splitlines() if "by itself" in line and "favicon.ico" not in line]
        assert refused == []


@pytest.mark.parametrize("source", ["function-url", "rest-api"])
def test_a_stream_is_shown_while_it_is_sent(browser: Chromium, tmp_path: Path, source: str) -> None:
    app = f"{EXAMPLES / 'streaming' / 'app.py'}:app"
    with ServeProcess(
        tmp_path, app, "--no-reload", "--runtime", "--source", source, "--response-mode", "stream"
    ) as server:
        browser.open(f"{server.url}/?count=4&seconds=0.5")
        seen = [("", 0)]
        while seen[-1][0] != "closed":
            state, count = browser.run(
                "return [document.getElementById('state').textContent, document.querySelectorAll('li').length]"
            )
            if (state, count) != seen[-1]:
                seen.append((state, count))
        counts = [count for state, count in seen if state == "connected"]
        assert len({1, 2, 3} & set(counts)) > 1  # before the end; polling may miss one
        assert seen[-1] == ("closed", 4)
