"""Requests that are copied: the commands and tests send the same request again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway.gateway import AccessRecord
from bridge.dev.gateway.models import Request
from bridge.dev.inspector.snippets import as_curl, as_event, as_test
from tests.dev.cli.serve_process import WSGI, ServeProcess, environment
from tests.dev.inspector.inspected import Inspected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = """
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    status = "201 Created" if environ["REQUEST_METHOD"] == "POST" else "200 OK"
    kind = "application/json" if environ["PATH_INFO"] == "/json" else "text/plain; charset=utf-8"
    start_response(status, [("Content-Type", kind)])
    if environ["PATH_INFO"] == "/json":
        return [b'{"a": [1, null]}']
    return [" ".join([environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]]).encode() + b" " + body]
"""
REQUESTS: dict[str, dict[str, Any]] = {
    "a plain one": {},
    "a query": {"path": "/a/b", "query": "x=1&y=%20%26"},
    "quotes and globs": {"path": "/it's/[1-3]/{a,b}/$HOME", "query": "q='\"`$(id)`;|&*"},
    "dots": {"path": "/a/../b/./c"},
    "a head": {"method": "HEAD"},
    "a delete": {"method": "DELETE", "path": "/x"},
    "a body": {"method": "POST", "headers": [("content-type", "text/plain")], "body": "a 'b' \"c\" \n @d é".encode()},
    "a body without a type": {"method": "POST", "body": b"a=1"},
    "a body at a get": {"body": b"x"},
    "a binary body": {"method": "PUT", "headers": [("content-type", "image/png")], "body": bytes(range(256))},
    "an at sign": {"method": "POST", "headers": [("content-type", "a/b")], "body": b"@/etc/passwd"},
    "headers": {"headers": [("x-a", "it's"), ("x-empty", ""), ("x-b", "caf\xc3\xa9"), ("accept", "a/b;q=0.5")]},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    with ServeProcess(tmp_path_factory.mktemp("copies"), WSGI, "--no-reload", "--source", "function-url") as running:
        yield running


@pytest.mark.parametrize("fields", REQUESTS.values(), ids=REQUESTS)
def test_the_curl_command_sends_the_same_request(server: ServeProcess, fields: dict[str, Any]) -> None:
    command = as_curl(AccessRecord(Request(**fields)), server.url, with_secrets=True)
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=20, env=environment())
    number = server.inspect("/api/requests").json()[-1]["number"]
    event = json.loads(server.inspect(f"/api/requests/{number}/copy/event?secrets=1").text)
    expected = Request(**fields)
    assert (event["rawPath"], event["rawQueryString"]) == (expected.path, expected.query)
    assert event["requestContext"]["http"]["method"] == expected.method
    for name, value in expected.headers:
        assert event["headers"][name] == value.encode("latin-1").decode()
    if expected.body and not expected.headers:
        assert "content-type" not in event["headers"]
    body = event.get("body", "")
    assert (b64decode(body) if event["isBase64Encoded"] else body.encode()) == expected.body


def test_characters_that_control_a_terminal_are_escaped() -> None:
    request = Request(headers=[("x-a", "a\x1b[2Jb\x07")], path="/\u202ex")
    command = as_curl(AccessRecord(request), "http://localhost:5000", with_secrets=True)
    assert command.isprintable() or set(command) - {"\n"} == {each for each in command if each.isprintable()}
    assert r"\x1b[2Jb\x07" in command


def test_credentials_and_cookies_are_left_out_of_a_command_and_a_test() -> None:
    request = Request(headers=[("authorization", "Bearer 1"), ("cookie", "a=1"), ("x-a", "b")])
    record = AccessRecord(request)
    for text in (
        as_curl(record, "http://localhost:5000", with_secrets=False),
        as_test(record, "app:app", with_secrets=False),
    ):
        assert "Bearer" not in text
        assert "a=1" not in text
        assert "x-a" in text


def test_an_event_is_json_that_bridge_invoke_takes() -> None:
    inspected = Inspected(lambda environ, start_response: start_response("200 OK", []) or [])
    entry = inspected.send("/x?a=1")
    assert json.loads(as_event(entry.record, with_secrets=True)) == entry.record.event


def test_a_request_that_the_front_door_answers_has_no_event() -> None:
    assert as_event(AccessRecord(Request()), with_secrets=True) == ""


@pytest.mark.slow
@pytest.mark.parametrize("source", ["http-api", "rest-api", "alb"])
def test_the_copied_tests_pass(tmp_path: Path, source: str) -> None:
    namespace: dict[str, Any] = {}
    exec(APP, namespace)
    inspected = Inspected(namespace["app"], source, base_path="/shop")
    tests = []
    for number, fields in enumerate(
        [
            {"path": "/shop/plain"},
            {"path": "/shop/json"},
            {"path": "/shop/x", "query": "a=%20&b", "headers": [("x-a", "caf\xc3\xa9"), ("cookie", "a=1")]},
            {"path": "/shop/post", "method": "POST", "body": b"\x00\xff", "headers": [("content-type", "image/png")]},
            {"path": "/shop/it's", "method": "HEAD"},
            {"path": "/elsewhere"},
        ]
    ):
        record = AccessRecord(Request(**fields))  # type: ignore[arg-type]

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            pass

        asyncio.run(inspected.gateway.respond(record, receive, send))
        text = as_test(record, "app:app", with_secrets=True)
        tests.append(text.replace("def test_", f"def test_{number}_"))
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "test_app.py").write_text("\n".join(tests))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 0, done.stdout + "\n".join(tests)
    assert "6 passed" in done.stdout


@pytest.mark.parametrize(
    ("app", "imported", "expression"),
    [
        ("app:app", "from app import app", "bridge_client(app,"),
        ("shop.wsgi:application", "from shop.wsgi import application", "bridge_client(application,"),
        ("app:make()", "from app import make", "bridge_client(make(),"),
        ("app.handler", "from app import handler", "bridge_client(handler,"),
        ("src/app.py:app", "from bridge.loading import find_application", 'find_application("src/app.py:app")'),
    ],
)
def test_a_test_imports_the_application(app: str, imported: str, expression: str) -> None:
    text = as_test(AccessRecord(Request(), "alb"), app, with_secrets=True)
    assert imported in text
    assert expression in text
