"""Connections of a WebSocket API in the inspector: its data, and its page in a browser."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.dev.cli.serve_process import ServeProcess
from tests.dev.cli.webdriver import Chromium, missing
from tests.dev.inspector.test_page import AXE, Page, violations

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

APPLICATION = """
async def app(scope, receive, send):
    assert scope["type"] == "websocket"
    await receive()
    if b"refuse" in scope["query_string"]:
        return await send({"type": "websocket.close"})
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})
"""
INJECTION = "<img/src=x/onerror=document.title='hacked'><script>document.title='hacked'</script>"


@pytest.fixture(scope="module", params=[(), ("--runtime",)], ids=["in process", "runtime"])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ServeProcess]:
    folder = tmp_path_factory.mktemp("chat")
    (folder / "app.py").write_text(APPLICATION)
    with ServeProcess(folder, "app:app", "--source", "websocket", "--no-reload", *request.param) as running:
        yield running


@pytest.fixture
def address(server: ServeProcess) -> str:
    """The address of the WebSocket API, of which nothing is recorded."""
    server.inspect("/api/clear", "POST")
    return f"ws{server.url.removeprefix('http')}/?name=ann"


def _rows(server: ServeProcess, count: int) -> list[dict[str, Any]]:
    """Wait until so many requests are recorded and answered, and return their rows."""
    deadline = time.monotonic() + 20
    while True:
        rows: list[dict[str, Any]] = server.inspect("/api/requests").json()
        if len(rows) >= count and all(row["isOver"] for row in rows):
            return rows
        assert time.monotonic() < deadline, rows
        time.sleep(0.02)


def _view(server: ServeProcess, row: dict[str, Any]) -> dict[str, Any]:
    view: dict[str, Any] = server.inspect(f"/api/requests/{row['number']}").json()
    return view


def test_a_connection_is_shown_with_its_messages(server: ServeProcess, address: str) -> None:
    with connect(address, additional_headers={"Cookie": "id=secret"}) as client:
        client.send("tea")
        assert client.recv(20) == "TEA"
    rows = _rows(server, 4)
    assert {row["connection"] for row in rows} == {rows[0]["connection"]}
    by_method = {row["method"]: row for row in rows}
    assert {name: row["status"] for name, row in by_method.items()} == {
        "CONNECT": 101, "MESSAGE": 200, "POST": 200, "DISCONNECT": 1000,
    }  # fmt: skip
    assert by_method["CONNECT"]["target"] == "/?name=ann"
    view = _view(server, by_method["CONNECT"])
    assert view["panels"]["answer"]["line"] == "HTTP/1.1 101 Switching Protocols"
    assert ["query", "name=ann"] in view["panels"]["scope"]["fields"]
    assert "secret" not in json.dumps(view)
    assert {(each["method"], each["text"]) for each in view["messages"]} == {
        ("CONNECT", ""), ("MESSAGE", "tea"), ("POST", "TEA"), ("DISCONNECT", ""),
    }  # fmt: skip
    view = _view(server, by_method["MESSAGE"])
    assert view["panels"]["request"]["body"]["text"] == "tea"
    assert json.loads(view["panels"]["event"]["json"])["body"] == "tea"
    assert view["panels"]["answer"] is None
    assert "requests to @connections" in view["missing"]["answer"]
    assert view["reasons"][0]["reason"] == "no other route matches the message"
    assert view["limits"] == [{"subject": "message", "size": 3, "limit": 131_072, "isNear": False}]
    view = _view(server, by_method["POST"])
    assert view["panels"]["request"]["body"]["text"] == "TEA"
    assert view["missing"]["event"] == "A request to a connection reaches no function."
    assert _view(server, by_method["DISCONNECT"])["reasons"][0]["reason"].startswith("closed with 1000: ")


def test_a_refused_connection_says_who_refused_it(server: ServeProcess, address: str) -> None:
    for path in ("/?refuse", "/elsewhere"):
        with pytest.raises(InvalidStatus):
            connect(address.replace("/?name=ann", path))
    refused, elsewhere = _rows(server, 2)
    assert _view(server, refused)["reasons"][0]["reason"] == "the function refused the connection with the status 403"
    view = _view(server, elsewhere)
    assert view["reasons"][0]["reason"].startswith("the WebSocket API answered 403 itself: clients of a WebSocket API ")
    assert view["panels"]["event"] is None


def test_events_are_copied_and_not_sent_again(server: ServeProcess, address: str) -> None:
    with connect(address):
        pass
    (row, *_) = _rows(server, 2)
    event = server.inspect(f"/api/requests/{row['number']}/copy/event").json()
    assert event["requestContext"]["eventType"] == "CONNECT"
    for kind in ("curl", "pytest"):
        assert server.inspect(f"/api/requests/{row['number']}/copy/{kind}").status_code == 400
    assert server.inspect(f"/api/requests/{row['number']}/replay", "POST").status_code == 400


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as opened:
        opened.set_size(1400, 1000)
        yield opened


@pytest.fixture
def page(server: ServeProcess, address: str, request: pytest.FixtureRequest) -> Page:
    if missing():
        pytest.skip(f"No {' and no '.join(missing())} here; scripts/browser installs them.")
    page = Page(request.getfixturevalue("browser"), server)
    page.open()
    return page


def test_messages_appear_as_they_come_and_as_text(page: Page, address: str) -> None:
    with connect(address + INJECTION) as client:
        page.wait("document.querySelectorAll('#list li').length === 1")
        page.select()
        page.wait("document.querySelectorAll('#messages tbody tr').length === 1")
        client.send(INJECTION)
        assert client.recv(20) == INJECTION.upper()
        page.wait("document.querySelectorAll('#messages tbody tr').length === 3")
        assert INJECTION in page.text("#messages")
        assert " open" in page.text("#messages h3")
        page.browser.run("location.hash = '#connections'")
        page.wait("document.querySelectorAll('#connections tbody tr').length === 1")
        page.wait("/open\\s+1\\s+1\\s*$/.test(document.querySelector('#connections tbody').innerText)")
    page.wait_for_text("closed: 1000")
    page.browser.click("#connections tbody a")
    page.wait("document.querySelectorAll('#messages tbody tr').length === 4")
    assert " closed" in page.text("#messages h3")
    for row in range(1, 5):
        page.select(row)
    assert page.browser.run("return document.querySelectorAll('#list img, #detail img, #detail script').length") == 0
    assert "hacked" not in page.browser.run("return document.title")
    assert page.browser.run("return document.getElementById('replay')") is None


@pytest.mark.skipif(not AXE, reason="axe-core is not here; scripts/axe downloads it.")
def test_axe_finds_no_accessibility_violation(page: Page, address: str) -> None:
    with connect(address) as client:
        client.send("tea")
        client.recv(20)
        page.wait("document.querySelectorAll('#list li').length === 3")
        page.select()
        page.wait("document.querySelectorAll('#messages tbody tr').length === 3")
        assert violations(page.browser) == []
        page.browser.run("location.hash = '#connections'")
        page.wait("document.querySelectorAll('#connections tbody tr').length === 1")
        assert violations(page.browser) == []
