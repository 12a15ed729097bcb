"""The inspector's page in a browser."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.dev.cli.serve_process import ServeProcess
from tests.dev.cli.webdriver import Chromium, missing
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"No {' and no '.join(missing())} here; scripts/browser installs them."),
]

SHOP = f"{Path(__file__).with_name('shop.py')}:app"
AXE = sorted(Path(__file__).parents[3].glob(".cache/axe-core-*/axe.min.js"))
SECRETS = {"authorization": "Bearer secret-token", "cookie": "a=secret-a"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as opened:
        opened.set_size(1400, 1000)
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    folder = tmp_path_factory.mktemp("shop")
    with ServeProcess(folder, SHOP, "--no-reload", "--no-debugger", "--source", "rest-api") as running:
        yield running


@pytest.fixture
def page(browser: Chromium, server: ServeProcess) -> Page:
    """The page, with one request in the list."""
    server.inspect("/api/clear", "POST")
    server.client.post("/orders?page=1", content=b"tea", headers=SECRETS)
    page = Page(browser, server)
    page.open()
    return page


class Page:
    """The inspector's page.

    Args:
        browser: the browser.
        server: the server that it inspects.
    """

    def __init__(self, browser: Chromium, server: ServeProcess) -> None:
        self.browser = browser
        self.server = server

    def open(self, fragment: str = "") -> None:
        """Open the page anew."""
        self.browser.open("about:blank")
        self.browser.open(self.server.inspector_link)
        if fragment:
            self.browser.open(f"{self.server.inspector}/{fragment}")
        self.wait("document.getElementById('connection').textContent === 'Live'")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + 10
        while not self.browser.run(f"return Boolean({condition})"):
            assert time.monotonic() < deadline, f"{condition}\n{self.browser.text}"
            time.sleep(0.03)

    def wait_for_text(self, text: str) -> None:
        """Wait until the page shows *text*."""
        self.wait(f"document.body.innerText.includes({json.dumps(text)})")

    def rows(self) -> list[str]:
        """Return the texts of the visible rows, the newest first."""
        script = "return [...document.querySelectorAll('#list li:not([hidden]) .row-target')].map((e) => e.textContent)"
        rows: list[str] = self.browser.run(script)
        return rows

    def select(self, row: int = 1) -> None:
        """Open the request of a row by a click."""
        self.browser.click(f"#list li:nth-child({row}) a")
        self.wait("document.getElementById('panel-answer')")

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.browser.run(f"return document.querySelector({json.dumps(selector)}).innerText"))


def test_requests_are_shown_as_they_come(page: Page) -> None:
    assert page.rows() == ["POST /orders?page=1"]
    page.server.client.get("/later")
    page.wait("document.querySelectorAll('#list li').length === 2")
    assert page.rows() == ["GET /later", "POST /orders?page=1"]


def test_a_request_is_shown_with_its_six_stages_and_the_reasons(page: Page) -> None:
    page.select()
    for name in ("request", "event", "scope", "response", "payload", "answer"):
        assert page.text(f"#panel-{name}").strip()
    assert "renamed to x-amzn-Remapped-Connection" in page.text("#why")
    assert "text/plain is a text type" in page.text("#why")
    assert "request headers" in page.text("#limits")
    assert "compose" in page.text(".keys")


def test_secrets_are_hidden_until_they_are_clicked(page: Page) -> None:
    page.select()
    html = "return document.documentElement.outerHTML"
    assert "secret-" not in page.browser.run(html)
    page.browser.click("#panel-request .secret")
    page.wait_for_text("secret-token")
    for secret in ("secret-token", "secret-a", "secret-cookie"):
        assert secret in page.browser.text
    page.open("#1")  # another visit hides them again
    assert "secret-" not in page.browser.run(html)


def test_the_button_shows_all_secrets(page: Page) -> None:
    page.select()
    page.browser.click("#secrets")
    page.wait_for_text("secret-token")
    assert page.browser.run("return document.getElementById('secrets')") is None


def test_a_request_is_replayed(page: Page) -> None:
    page.select()
    page.browser.click("#replay")
    page.wait("document.querySelector('.facts a')?.textContent.startsWith('Replay of #')")
    assert page.rows() == ["POST /orders?page=1"] * 2


def test_a_request_is_replayed_behind_another_source_and_the_differences_are_shown(page: Page) -> None:
    page.select()
    page.browser.run("document.getElementById('behind').value = 'alb'")
    page.browser.click("#compare")
    page.wait("document.getElementById('differences')")
    differences = page.text("#differences")
    assert "rest-api" in differences
    assert "alb" in differences
    assert "header x-amzn-remapped-connection" in differences
    assert "secret-" not in differences
    page.browser.click("#differences button:not(.secret)")
    page.wait("!document.getElementById('differences')")


@pytest.mark.parametrize(
    ("button", "text"),
    [
        ("#copy-curl", "curl -i --globoff"),
        ("#copy-event", '"httpMethod": "POST"'),
        ("#copy-pytest", "def test_post_orders(bridge_client):"),
    ],
)
def test_a_request_is_copied(page: Page, button: str, text: str) -> None:
    page.browser.command("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.select()
    page.browser.click(button)
    page.wait("document.getElementById('copied')")
    assert text in page.text("#copied")
    assert "without secrets" in page.text("#message")
    copied = page.browser.run("return navigator.clipboard.readText()")
    assert text in copied
    assert "secret-" not in copied
    page.browser.click("#copied button")
    page.wait("!document.getElementById('copied')")


def test_secrets_are_copied_once_they_are_shown(page: Page) -> None:
    page.select()
    page.browser.click("#secrets")
    page.wait_for_text("secret-token")
    page.browser.click("#copy-curl")
    page.wait("document.getElementById('copied')")
    assert "Bearer secret-token" in page.text("#copied")


def test_requests_are_searched_and_filtered(page: Page) -> None:
    page.server.client.get("/missing/one")
    page.server.client.get("/picture", headers={"x-type": "image/png"})
    page.wait("document.querySelectorAll('#list li').length === 3")
    page.browser.type("#search", "get miss")
    assert page.rows() == ["GET /missing/one"]
    assert page.text("#count") == "1 of 3 requests"
    page.browser.type("#search", "x")
    assert page.text("#empty") == "No request matches."
    page.browser.run("document.getElementById('search').value = ''")
    for value, rows in {
        "errors": ["GET /missing/one"],
        "base64": ["GET /picture"],
        "stream": [],
        "replays": [],
    }.items():
        page.browser.run(
            f"const f = document.getElementById('filter'); f.value = '{value}'; f.dispatchEvent(new Event('change'))"
        )
        assert page.rows() == rows


def test_the_list_is_cleared(page: Page) -> None:
    page.browser.click("#clear")
    page.wait("document.querySelectorAll('#list li').length === 0")
    assert "No requests yet" in page.text("#empty")
    assert page.server.inspect("/api/requests").json() == []


def test_the_keyboard_reaches_everything(page: Page) -> None:
    down, up, escape, enter = "\ue015", "\ue013", "\ue00c", "\ue007"
    page.server.client.get("/second")
    page.wait("document.querySelectorAll('#list li').length === 2")
    focused = "return document.activeElement.id || document.activeElement.textContent"
    page.browser.press("/")
    assert page.browser.run(focused) == "search"
    page.browser.press(down)
    assert "/second" in page.browser.run(focused)
    page.browser.press(down)
    assert "/orders" in page.browser.run(focused)
    page.browser.press(enter)
    page.wait("document.getElementById('panel-answer')")
    page.browser.press(up)
    assert "/second" in page.browser.run(focused)
    page.browser.press(up)
    assert page.browser.run(focused) == "search"
    page.browser.press(escape)
    assert "/orders" in page.browser.run(focused)
    reached = set()
    for _ in range(40):
        page.browser.press("\ue004")  # Tab
        reached.add(page.browser.run("return document.activeElement.id"))
    assert {"replay", "behind", "compare", "copy-curl", "copy-event", "copy-pytest", "secrets"} <= reached


HOSTILE = [
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<svg onload=window.hacked=1>",
    '"><script>window.hacked=1</script>',
    "'><img src=x onerror=window.hacked=1>",
    "</pre><script>window.hacked=1</script>",
    "</title><script>window.hacked=1</script>",
    "</textarea><img src=x onerror=window.hacked=1>",
    "<iframe src=javascript:parent.hacked=1>",
    "<a href=javascript:window.hacked=1>x</a>",
    "<body onload=window.hacked=1>",
    "<style>body{display:none}</style>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<meta http-equiv=refresh content=0;url=http://evil.example/>",
    "<base href=http://evil.example/>",
    "<form action=http://evil.example/><input type=submit>",
    "<math><mi xlink:href=javascript:window.hacked=1>",
    "<details open ontoggle=window.hacked=1>",
    "<video><source onerror=window.hacked=1></video>",
    "{{constructor.constructor('window.hacked=1')()}}",
    "${window.hacked=1}",
    "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "\u202e<script>window.hacked=1</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_paths_headers_and_bodies_are_shown_as_text(page: Page, text: str) -> None:
    line = text.replace("\u202e", "")
    path = "/" + "".join(letter if letter not in " \u202e" else f"%{ord(letter) & 0xFF:02X}" for letter in text)
    with httpx.Client() as client:
        request = client.build_request(
            "POST",
            f"{page.server.url}/x",
            content=text.encode(),
            headers=[(b"x-echo", line.encode()), (b"x-type", b"text/html")],
        )
        request.extensions["target"] = path.encode()
        client.send(request)
    page.wait("document.querySelectorAll('#list li').length === 2")
    page.wait("!document.getElementById('list').innerText.includes('in flight')")
    page.select(1)
    page.browser.click("#copy-curl")
    page.wait("document.getElementById('copied')")
    page.browser.run("document.getElementById('behind').value = 'function-url'")
    page.browser.click("#compare")
    page.wait("document.getElementById('differences')")
    assert page.browser.run("return window.hacked") is None
    elements = (
        "#detail :is(img, script, iframe, form, a[href^=javascript], style, link, meta, base, video, math, details)"
    )
    assert page.browser.run(f"return document.querySelectorAll('{elements}, #list img, #list script').length") == 0
    assert page.browser.run("return document.scripts.length") == 1
    assert page.browser.run("return getComputedStyle(document.body).display") == "flex"
    for panel in ("request", "scope", "response", "answer"):
        assert line in page.text(f"#panel-{panel}")
    assert page.rows()[1] == f"POST {path}"  # the replay is above it
    assert page.browser.run("return location.host") == page.server.inspector.removeprefix("http://")


@pytest.mark.skipif(not AXE, reason="axe-core is not here; scripts/axe downloads it.")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_no_accessibility_violation(page: Page, scheme: str, width: int) -> None:
    page.server.client.get("/missing")
    page.server.client.get("/fails")
    page.browser.set_size(width, 1000)
    page.browser.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        for fragment in ("", "#1"):
            number = page.server.inspect("/api/requests").json()[0]["number"]
            page.open(f"#{number}" if fragment else "")
            if fragment:
                page.wait("document.getElementById('panel-answer')")
                page.browser.run("document.getElementById('copy-curl').click()")
                page.wait("document.getElementById('copied')")
                page.browser.run("document.getElementById('compare').click()")
                page.wait("document.getElementById('differences')")
            assert violations(page.browser) == []
            assert page.browser.run("return document.documentElement.scrollWidth") <= width
    finally:
        page.browser.set_size(1400, 1000)
        page.browser.command("Emulation.setEmulatedMedia", features=[])


def violations(browser: Chromium) -> list[str]:
    """Return a line for each violation that axe-core finds in the page."""
    browser.command("Runtime.evaluate", expression=AXE[-1].read_text())  # the page's policy forbids a script element
    browser.run("window.axeResult = null; axe.run().then((result) => { window.axeResult = result; })")
    deadline = time.monotonic() + 20
    while (result := browser.run("return window.axeResult")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert result["passes"]
    return [
        f"{each['id']}: {each['nodes'][0]['html']}: {each['nodes'][0]['failureSummary']}"
        for each in result["violations"]
    ]


def test_on_a_phone_the_list_and_a_request_are_separate_views(page: Page) -> None:
    page.browser.set_size(390, 844)
    try:
        page.open()
        visible = "return ['.list-pane', '.detail'].map((pane) => document.querySelector(pane).offsetParent !== null)"
        assert page.browser.run(visible) == [True, False]
        page.select()
        assert page.browser.run(visible) == [False, True]
        page.browser.click(".back")
        page.wait("document.querySelector('.list-pane').offsetParent !== null")
    finally:
        page.browser.set_size(1400, 1000)


def test_the_page_reconnects_after_a_restart(browser: Chromium, tmp_path: Path) -> None:
    source = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%s']\n"
    (tmp_path / "app.py").write_text(source % "one")
    with ServeProcess(tmp_path, "app:app") as server:
        page = Page(browser, server)
        server.client.get("/first")
        page.open("#1")
        page.wait("document.getElementById('panel-answer')")
        assert "one" in page.text("#panel-answer")
        (tmp_path / "app.py").write_text(source % "another")  # other size: stale bytecode of the same second is seen
        server.wait_for_stderr(r"^Serving .* at ", times=2)
        page.wait("document.getElementById('connection').textContent === 'Live'")
        server.client.get("/second")
        page.wait("document.querySelectorAll('#list li').length === 2")
        page.browser.click("#replay")
        page.wait("document.querySelector('.facts a')")
        page.wait("document.getElementById('panel-answer').innerText.includes('another')")


def test_without_the_access_token_the_page_says_how_to_get_it(browser: Chromium, tmp_path: Path) -> None:
    with ServeProcess(tmp_path, SHOP, "--no-reload", XDG_STATE_HOME=str(tmp_path)) as server:
        page = Page(browser, server)
        server.client.get("/first")
        browser.open(f"{server.inspector}/")
        page.wait_for_text("No access: open the address that bridge serve prints")
        assert page.rows() == []
        browser.open(server.inspector_link)
        page.wait("document.querySelectorAll('#list li').length === 1")
        assert browser.run("return location.href") == f"{server.inspector}/"


def test_a_stream_grows_while_it_is_sent(browser: Chromium, tmp_path: Path) -> None:
    app = f"{EXAMPLES / 'streaming' / 'app.py'}:app"
    options = ("--no-reload", "--runtime", "--source", "function-url", "--response-mode", "stream")
    with ServeProcess(tmp_path, app, *options) as server:
        page = Page(browser, server)
        page.open()
        client = threading.Thread(target=server.client.get, args=("/events?count=8&seconds=0.4",))
        client.start()
        page.wait("document.querySelector('#list li')")
        page.open("#1")
        page.wait("document.querySelectorAll('#chunks tbody tr').length > 1")
        assert "in flight" in page.text(".keys")
        page.wait("document.querySelectorAll('#chunks .chunk').length >= 8")
        client.join()
        page.wait("!document.querySelector('.keys').innerText.includes('in flight')")
        page.browser.click("#processes-link")
        page.wait("document.getElementById('plot')")
        assert "1 cold start; at most 1 process and 1 request at once" in page.text("#plot")
        if AXE:
            assert violations(browser) == []


def test_the_screenshot_of_the_readme_is_made(tmp_path: Path) -> None:
    script = Path(__file__).parents[3] / "scripts" / "screenshot.py"
    subprocess.run([sys.executable, script, tmp_path / "inspector.png"], check=True, timeout=60)
    content: Any = (tmp_path / "inspector.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 50_000
