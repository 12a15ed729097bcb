"""The inspector answers its own page on the loopback interface, and no other client."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.inspector import InspectorApplication, Recorder, Served
from bridge.dev.inspector.access_token import user_token
from tests.dev.inspector.inspected import HOST, PORT, TOKEN, Inspected, request

if TYPE_CHECKING:
    from pathlib import Path


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "sid=secret-1; Path=/")])
    return [environ["PATH_INFO"].encode()]


@pytest.fixture
def inspected() -> Inspected:
    inspected = Inspected(app)
    inspected.send("/one", headers=[("Authorization", "Bearer secret-2"), ("Cookie", "a=secret-3; b=secret-4")])
    return inspected


@pytest.mark.parametrize("host", [HOST, f"127.0.0.1:{PORT}", f"[::1]:{PORT}"])
def test_requests_for_the_loopback_interface_are_answered(inspected: Inspected, host: str) -> None:
    assert inspected.get("/api/requests", host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "localhost", "localhost:80", f"localhost.evil.example:{PORT}", ""]
)
@pytest.mark.parametrize("path", ["/", "/events", "/api/requests", "/api/requests/1"])
def test_requests_for_another_host_are_refused(inspected: Inspected, host: str, path: str) -> None:
    assert inspected.get(path, host=host)[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:5000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_requests_from_other_pages_are_refused(inspected: Inspected, headers: dict[str, str]) -> None:
    assert inspected.get("/api/requests", **headers)[0] == 403


@pytest.mark.parametrize("token", ["", "another token"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/requests"),
        ("GET", "/api/requests/1"),
        ("GET", "/api/requests/1/copy/curl"),
        ("GET", "/events"),
        ("GET", "/events?token="),
        ("GET", "/events?token=another"),
        ("POST", "/api/clear"),
        ("POST", "/api/requests/1/replay"),
    ],
)
def test_a_request_without_the_access_token_is_refused(
    inspected: Inspected, method: str, path: str, token: str
) -> None:
    headers = [("x-bridge-inspector", token)]
    status, body = asyncio.run(request(inspected.app, method, path, body=b"{}", headers=headers))
    assert (status, body) == (403, b"Open the address that bridge serve prints: it has the access token.\n")
    assert list(inspected.recorder.entries) == [1]


def test_the_page_itself_needs_no_access_token(inspected: Inspected) -> None:
    assert asyncio.run(request(inspected.app, "GET", "/", headers=[("x-bridge-inspector", "")]))[0] == 200


def test_the_token_of_a_user_is_the_same_each_time_and_readable_for_that_user_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    token = user_token()
    assert user_token() == token
    assert len(token) >= 22
    file = tmp_path / "serverless-bridge" / "inspector-token"
    assert (file.read_text(), file.stat().st_mode & 0o777) == (token, 0o600)


def test_without_a_folder_to_write_to_each_token_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert user_token() != user_token()


@pytest.mark.parametrize(
    "path",
    [
        "/x", "/../recorder.py", "/inspector.py", "/api/requests/0", "/api/requests/-1", "/api/requests/²",
        "/api/requests/1/copy/x",
    ],
)  # fmt: skip
def test_other_addresses_are_not_found(inspected: Inspected, path: str) -> None:
    assert inspected.get(path)[0] == 404


def test_the_page_may_load_nothing_but_its_own_files(inspected: Inspected) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", HOST.encode())]}
    asyncio.run(inspected.app({**scope, "server": ("127.0.0.1", PORT)}, None, send))
    headers = dict(sent[0]["headers"])
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert b"unsafe" not in headers[b"content-security-policy"]
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert not any(name.startswith(b"access-control") for name in headers)


@pytest.mark.parametrize("path", ["/api/requests/1", "/api/requests/1/copy/event", "/api/requests/1/copy/curl"])
def test_secrets_are_sent_to_the_page_on_request_only(inspected: Inspected, path: str) -> None:
    _, hidden = asyncio.run(request(inspected.app, "GET", path))
    _, shown = asyncio.run(request(inspected.app, "GET", f"{path}?secrets=1"))
    assert b"secret-" not in hidden
    assert all(secret in shown for secret in (b"secret-2", b"secret-3", b"secret-4"))


def test_the_names_of_cookies_stay_visible(inspected: Inspected) -> None:
    view = json.dumps(inspected.view(1), ensure_ascii=False)
    assert "a=••••••; b=••••••" in view
    assert "Bearer ••••••" in view
    assert "sid=••••••; Path=/" in view


def test_a_list_of_requests_is_cleared_on_request(inspected: Inspected) -> None:
    assert asyncio.run(request(inspected.app, "POST", "/api/clear")) == (200, b"{}")
    assert inspected.get("/api/requests") == (200, [])


def test_news_are_sent_as_they_come(inspected: Inspected) -> None:
    async def read() -> list[str]:
        messages: asyncio.Queue[Any] = asyncio.Queue()
        disconnect = asyncio.Event()

        async def receive() -> Any:
            await disconnect.wait()
            return {"type": "http.disconnect"}

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/events",
            "query_string": f"token={TOKEN}".encode(),
            "headers": [(b"host", HOST.encode())],
        }
        task = asyncio.create_task(inspected.app({**scope, "server": ("127.0.0.1", PORT)}, receive, messages.put))
        start = await messages.get()
        assert dict(start["headers"])[b"content-type"].startswith(b"text/event-stream")
        events = [(await messages.get())["body"].decode()]
        record = inspected.recorder.entries[1].record
        inspected.recorder.on_request(record)
        events.append((await messages.get())["body"].decode())
        disconnect.set()
        await asyncio.wait_for(task, 5)
        return events

    hello, news = asyncio.run(read())
    assert hello.startswith("event: hello\ndata: {")
    assert json.loads(hello.split("data: ")[1])["requests"][0]["target"] == "/one"
    assert [summary["number"] for summary in json.loads(news.split("data: ")[1])["requests"]] == [2]


def test_an_application_that_cannot_be_served_has_an_inspector_without_requests() -> None:
    app = InspectorApplication(Recorder(), Served("It cannot be served.", "http://localhost:5000"), TOKEN)
    assert asyncio.run(request(app, "GET", "/api/requests")) == (200, b"[]")
    assert asyncio.run(request(app, "GET", "/"))[0] == 200
