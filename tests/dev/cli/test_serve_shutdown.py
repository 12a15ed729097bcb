"""The shutdown of ``bridge serve``: requests finish, then the lifespan, and an application that hangs is ended."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., ServeProcess]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("app", "options", "number"),
    [
        (WSGI, ["--no-reload"], signal.SIGINT),
        (WSGI, ["--reload"], signal.SIGTERM),
        (ASGI, ["--reload"], signal.SIGINT),
        (ASGI, ["--no-reload"], signal.SIGTERM),
        (ASGI, ["--plain"], signal.SIGINT),
    ],
    ids=["wsgi-ctrl-c", "wsgi-reload-sigterm", "asgi-reload-ctrl-c", "asgi-sigterm", "asgi-plain-reload-ctrl-c"],
)
async def test_requests_in_flight_are_answered_before_the_lifespan_ends(
    serve: Serve, app: str, options: list[str], number: signal.Signals
) -> None:
    server = serve(app, *options)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as client:
        requests = [asyncio.create_task(client.get("/slow")) for _ in range(12)]
        await asyncio.sleep(0.3)
        if number == signal.SIGINT:
            server.press_ctrl_c()
        else:
            server.process.terminate()
        answers = await asyncio.gather(*requests)
    assert [answer.status_code for answer in answers] == [200] * 12
    assert await asyncio.to_thread(server.wait) == 0
    assert server.stdout.count("GET /slow 200 ") == 12
    assert server.wait_for_stderr(
        r"^Requests in flight: \d+\. Waiting up to 10 s for them \(press Ctrl-C again to stop"
    )
    assert "Traceback" not in server.stderr
    if app == ASGI:
        assert server.stdout.splitlines()[-1] == "lifespan.shutdown"


def test_without_requests_the_shutdown_prints_nothing(serve: Serve) -> None:
    for options in (["--no-reload"], ["--reload"]):
        server = serve(ASGI, "--no-inspector", *options)
        server.press_ctrl_c()
        assert server.wait() == 0
        assert server.stdout == "lifespan.startup\nlifespan.shutdown\n"
        assert len(server.stderr.splitlines()) == 1


def test_an_open_encrypted_connection_does_not_delay_the_shutdown(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload", "--ssl-adhoc")
    assert server.client.get("/").status_code == 200
    server.press_ctrl_c()
    assert server.wait() == 0
    assert "ERROR" not in server.stderr  # uvicorn logs one after ten seconds


def test_pressing_ctrl_c_twice_prints_no_traceback(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload")
    with socket.create_connection(("localhost", httpx.URL(server.url).port)):  # without a request, as browsers do
        server.press_ctrl_c()
        time.sleep(0.05)
        server.press_ctrl_c()
        server.wait()
    assert "Traceback" not in server.stderr


@pytest.mark.parametrize(
    ("app", "path", "options"),
    [
        (WSGI, "/hang", ["--reload"]),
        (WSGI, "/hang", ["--plain", "--no-reload"]),
        (ASGI, "/hang", ["--no-reload"]),
        (ASGI, "/block", ["--no-reload"]),  # blocks the event loop
        (ASGI, "/block", ["--reload"]),
    ],
    ids=["wsgi-reload", "wsgi-plain", "asgi", "asgi-blocks", "asgi-blocks-reload"],
)
def test_a_second_ctrl_c_ends_a_request_that_hangs(serve: Serve, app: str, path: str, options: list[str]) -> None:
    server = serve(app, *options)
    hanging = threading.Thread(target=_get_error, args=(server.url + path,))
    hanging.start()
    hanging.join(0.5)
    server.press_ctrl_c()
    hanging.join(0.5)
    server.press_ctrl_c()
    assert server.process.wait(8) == 0  # before the ten seconds of the first Ctrl-C are over
    hanging.join()


def test_ctrl_c_ends_a_startup_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import asyncio\nasync def app(scope, receive, send):\n    print('waits', flush=True)\n"
        "    await asyncio.sleep(3600)\n"
    )
    with ServeProcess(tmp_path, "app:app", "--no-reload", waits_for_greeting=False) as server:
        server.wait_for_stdout("waits")
        server.press_ctrl_c()
        assert server.process.wait(8) == 3


def _get_error(url: str) -> None:
    try:
        answer = httpx.get(url, trust_env=False, timeout=30)
        assert answer.status_code >= 500
    except httpx.HTTPError:
        pass


def test_a_function_that_suppresses_its_cancellation_does_not_delay_the_shutdown(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(
        "import asyncio\n"
        "async def app(scope, receive, send):\n"
        "    while scope['type'] == 'http':\n"
        "        try:\n"
        "            await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError:\n"
        "            pass\n"
        "    raise NotImplementedError\n"
    )
    server = serve("stubborn:app", "--no-reload", "--timeout", "0.3")
    assert server.client.get("/").status_code == 503
    server.press_ctrl_c()
    assert server.wait() == 0
    assert "in flight" not in server.stderr


@pytest.mark.parametrize("app", [WSGI, ASGI])
@pytest.mark.parametrize("options", [[], ["--no-debugger"]])
def test_a_plain_request_that_ctrl_c_cancels_leaves_no_traceback(serve: Serve, app: str, options: list[str]) -> None:
    server = serve(app, "--plain", "--no-reload", *options)
    hanging = threading.Thread(target=_get_error, args=(server.url + "/hang",))
    hanging.start()
    hanging.join(0.5)
    server.press_ctrl_c()
    hanging.join(0.5)
    server.press_ctrl_c()
    assert server.process.wait(8) == 0
    hanging.join()
    assert "Traceback" not in server.stderr
