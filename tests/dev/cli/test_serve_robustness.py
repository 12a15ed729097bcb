"""Misbehaving clients and applications: nothing hangs, and the next request is answered."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.dev.cli.serve_process import ASGI, ServeProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., ServeProcess]

# Each front door's status for a body of 50 MB, a header of 100 KB, and an application that never responds.
ANSWERS = {
    "http-api": (413, 431, 503),
    "rest-api": (413, 431, 504),
    "function-url": (413, None, 502),
    "alb": (413, 400, 502),
    "lattice": (413, None, 504),
    "edge": (None, None, 503),
}


def is_served(server: ServeProcess) -> bool:
    return server.client.get("/next").status_code == 200


async def test_two_hundred_concurrent_requests_are_answered(server: ServeProcess) -> None:
    url = urlsplit(server.url)

    async def send_request(number: int) -> bytes:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"GET /many/%d/nap HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % number)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    answers = await asyncio.gather(*map(send_request, range(200)))
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 200 "] * 200
    paths = [json.loads(answer.partition(b"\r\n\r\n")[2])["path"] for answer in answers]
    assert paths == [f"/many/{number}/nap" for number in range(200)]
    assert len(re.findall(r"^GET /many/\d+/nap 200 ", server.stdout, re.MULTILINE)) == 200


def test_a_client_may_disconnect_before_the_response(server: ServeProcess) -> None:
    with _connection(server) as connection:
        connection.sendall(b"GET /gone/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert is_served(server)
    server.wait_for_stdout(r"^GET /gone/slow 200 ")
    assert is_served(server)


def test_an_incomplete_request_does_not_reach_the_application(server: ServeProcess) -> None:
    with _connection(server) as connection:
        connection.sendall(b"POST /cut/off HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
    assert is_served(server)
    server.client.get("/after/slow")
    assert "/cut/off" not in server.stdout


def test_a_slow_client_does_not_delay_others(server: ServeProcess) -> None:
    with _connection(server) as connection:
        connection.sendall(b"POST /drop/by/drop HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        assert is_served(server)
        connection.sendall(b"ngth: 2\r\n\r\nt")
        assert is_served(server)
        connection.sendall(b"e")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_compressed_body_arrives_unchanged(server: ServeProcess) -> None:
    body = gzip.compress(b"tea" * 100)
    answer = server.client.post("/tea", content=body, headers={"content-encoding": "gzip"})
    assert answer.json()["size"] == len(body)


def test_the_server_sends_100_continue(server: ServeProcess, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * 2_000_000)
    done = subprocess.run(
        ["curl", "-sSv", "-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path}/body", f"{server.url}/continue"],
        capture_output=True,
    )
    assert b"HTTP/1.1 100 " in done.stderr
    assert b'"size": 2000000' in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("server", ["wsgi"], indirect=True)
def test_an_application_that_never_responds_fails_only_its_request(server: ServeProcess) -> None:
    answer = server.client.get("/hang")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})
    assert is_served(server)
    server.wait_for_stderr("http-api answered 503 by itself: the function did not answer in 3 s")
    server.wait_for_stderr("GET /hang has run for ")


@pytest.mark.slow
@pytest.mark.parametrize("source", ANSWERS)
def test_large_and_late_requests_get_the_front_doors_own_response(serve: Serve, source: str) -> None:
    server = serve(ASGI, "--no-reload", "--no-debugger", "--source", source, "--timeout", "0.3")
    body, header, late = ANSWERS[source]
    content = b"x" * 52_428_800 if source != "alb" else (b"x" * 1_048_576 for _ in range(50))  # a chunked body
    large = server.client.post("/large-body", content=content)
    if body is not None:
        assert large.status_code == body
        server.wait_for_stdout(r"^POST /large-body 413 \d+ ms \d+ B -$")
        server.wait_for_stderr(rf"POST /large-body: {source} answered 413 by itself: .*\b52428800 bytes")
    assert is_served(server)
    answer = server.client.get("/large-header", headers={"x-large": "x" * 100_000})
    if header is not None:
        assert answer.status_code == header
        server.wait_for_stderr(rf"{source} answered {header} by itself: .*\b100\d{{3}} bytes")
    assert "Invalid HTTP request" not in server.stderr
    assert is_served(server)
    assert server.client.get("/hang").status_code == late
    server.wait_for_stderr(f"{source} answered {late} by itself: the function did not answer in 0.3 s")
    assert is_served(server)


def test_sys_exit_fails_only_its_request(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import sys\nasync def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n    if scope['path'] == '/exit':\n        sys.exit('enough')\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'tea'})\n"
    )
    server = serve("app:app", "--no-reload")
    assert server.client.get("/exit").status_code == 500
    assert server.client.get("/").text == "tea"


def _connection(server: ServeProcess) -> socket.socket:
    url = urlsplit(server.url)
    return socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20)
