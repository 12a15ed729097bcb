"""Whatever clients and applications do: nothing hangs, and the next request is served."""

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

from tests.dev.cli.serve_process import ASGI, Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Served]

# What each front door says to 50 MB of body, 100 KB of header, and an application that never answers.
ANSWERS = {
    "http-api": (413, 431, 503),
    "rest-api": (413, 431, 504),
    "function-url": (413, None, 502),
    "alb": (413, 400, 502),
    "lattice": (413, None, 504),
    "edge": (None, None, 503),
}


def is_served(served: Served) -> bool:
    return served.client.get("/next").status_code == 200


async def test_two_hundred_requests_at_once_are_all_answered(server: Served) -> None:
    url = urlsplit(server.url)

    async def ask(number: int) -> bytes:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"GET /many/%d/nap HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % number)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    answers = await asyncio.gather(*map(ask, range(200)))
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 200 "] * 200
    paths = [json.loads(answer.partition(b"\r\n\r\n")[2])["path"] for answer in answers]
    assert paths == [f"/many/{number}/nap" for number in range(200)]
    assert len(re.findall(r"^GET /many/\d+/nap 200 ", server.out, re.MULTILINE)) == 200


def test_a_client_that_goes_away_before_the_answer_does_no_harm(server: Served) -> None:
    with _connection(server) as connection:
        connection.sendall(b"GET /gone/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert is_served(server)
    server.printed(r"^GET /gone/slow 200 ")
    assert is_served(server)


def test_a_client_that_goes_away_within_its_request_never_reaches_the_application(server: Served) -> None:
    with _connection(server) as connection:
        connection.sendall(b"POST /cut/off HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
    assert is_served(server)
    server.client.get("/after/slow")
    assert "/cut/off" not in server.out


def test_a_client_that_is_slow_keeps_nobody_waiting(server: Served) -> None:
    with _connection(server) as connection:
        connection.sendall(b"POST /drop/by/drop HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        assert is_served(server)
        connection.sendall(b"ngth: 2\r\n\r\nt")
        assert is_served(server)
        connection.sendall(b"e")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_http_gets_a_400(server: Served) -> None:
    with _connection(server) as connection:
        connection.sendall(b"tea please\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert is_served(server)


def test_a_compressed_body_arrives_as_it_was_sent(server: Served) -> None:
    body = gzip.compress(b"tea" * 100)
    answer = server.client.post("/tea", content=body, headers={"content-encoding": "gzip"})
    assert answer.json()["size"] == len(body)


def test_curl_waits_for_100_continue_and_gets_it(server: Served, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * 2_000_000)
    done = subprocess.run(
        ["curl", "-sSv", "-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path}/body", f"{server.url}/continue"],
        capture_output=True,
    )
    assert b"HTTP/1.1 100 " in done.stderr
    assert b'"size": 2000000' in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("server", ["wsgi"], indirect=True)
def test_an_application_that_never_answers_costs_no_more_than_its_request(server: Served) -> None:
    answer = server.client.get("/hang")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})
    assert is_served(server)
    server.said("http-api answered 503 by itself: the function did not answer in 3 s")
    server.said("GET /hang has run for .* Where it is:")


@pytest.mark.slow
@pytest.mark.parametrize("source", ANSWERS)
def test_what_is_too_large_or_too_late_gets_the_front_doors_own_answer(serve: Serve, source: str) -> None:
    served = serve(ASGI, "--no-reload", "--no-debugger", "--source", source, "--timeout", "0.3")
    body, header, late = ANSWERS[source]
    content = b"x" * 52_428_800 if source != "alb" else (b"x" * 1_048_576 for _ in range(50))  # once in chunks
    large = served.client.post("/large-body", content=content)
    if body is not None:
        assert large.status_code == body
        served.printed(r"^POST /large-body 413 \d+ ms \d+ B -$")
        served.said(rf"POST /large-body: {source} answered 413 by itself: .*\b52428800 bytes")
    assert is_served(served)
    asked = served.client.get("/large-header", headers={"x-large": "x" * 100_000})
    if header is not None:
        assert asked.status_code == header
        served.said(rf"{source} answered {header} by itself: .*\b100\d{{3}} bytes")
    assert "Invalid HTTP request" not in served.err
    assert is_served(served)
    assert served.client.get("/hang").status_code == late
    served.said(f"{source} answered {late} by itself: the function did not answer in 0.3 s")
    assert is_served(served)


def test_an_application_that_exits_is_a_failed_request(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import sys\nasync def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n    if scope['path'] == '/exit':\n        sys.exit('enough')\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'tea'})\n"
    )
    served = serve("app:app", "--no-reload")
    assert served.client.get("/exit").status_code == 500
    assert served.client.get("/").text == "tea"


def _connection(served: Served) -> socket.socket:
    url = urlsplit(served.url)
    return socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20)
