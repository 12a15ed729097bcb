"""The end: Ctrl-C and SIGTERM let requests in flight finish, then the lifespan; what hangs keeps nobody."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.dev.cli.serve_process import ASGI, WSGI, Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Served]

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
async def test_requests_in_flight_are_answered_and_the_lifespan_ends(
    serve: Serve, app: str, options: list[str], number: signal.Signals
) -> None:
    served = serve(app, *options)
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=30) as client:
        asked = [asyncio.create_task(client.get("/slow")) for _ in range(12)]
        await asyncio.sleep(0.3)
        if number == signal.SIGINT:
            served.ctrl_c()
        else:
            served.process.terminate()
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * 12
    assert await asyncio.to_thread(served.status) == 0
    assert served.out.count("GET /slow 200 ") == 12
    assert served.said(r"^Requests in flight: \d+; they have 10 s \(Ctrl-C again ends them now\)\.$")
    assert "Traceback" not in served.err
    if app == ASGI:
        assert served.out.splitlines()[-1] == "lifespan.shutdown"


def test_without_requests_it_ends_silently(serve: Serve) -> None:
    for options in (["--no-reload"], ["--reload"]):
        served = serve(ASGI, *options)
        served.ctrl_c()
        assert served.status() == 0
        assert served.out == "lifespan.startup\nlifespan.shutdown\n"
        assert len(served.err.splitlines()) == 1


def test_a_client_that_keeps_its_encrypted_connection_holds_nothing_up(serve: Serve) -> None:
    served = serve(WSGI, "--no-reload", "--ssl-adhoc")
    assert served.client.get("/").status_code == 200
    served.ctrl_c()
    assert served.status() == 0
    assert "ERROR" not in served.err  # which uvicorn logs when the ten seconds are over


def test_ctrl_c_twice_in_quick_succession_needs_no_traceback(serve: Serve) -> None:
    served = serve(WSGI, "--no-reload")
    with socket.create_connection(("localhost", httpx.URL(served.url).port)):  # as browsers connect, in advance
        served.ctrl_c()
        time.sleep(0.05)
        served.ctrl_c()
        served.status()
    assert "Traceback" not in served.err


@pytest.mark.parametrize(
    ("app", "path", "options"),
    [
        (WSGI, "/hang", ["--reload"]),
        (WSGI, "/hang", ["--plain", "--no-reload"]),
        (ASGI, "/hang", ["--no-reload"]),
        (ASGI, "/block", ["--no-reload"]),  # the event loop itself stands still
        (ASGI, "/block", ["--reload"]),
    ],
    ids=["wsgi-reload", "wsgi-plain", "asgi", "asgi-blocks", "asgi-blocks-reload"],
)
def test_a_second_ctrl_c_ends_what_hangs_at_once(serve: Serve, app: str, path: str, options: list[str]) -> None:
    served = serve(app, *options)
    hanging = threading.Thread(target=_ask_in_vain, args=(served.url + path,))
    hanging.start()
    hanging.join(0.5)
    served.ctrl_c()
    hanging.join(0.5)
    served.ctrl_c()
    assert served.process.wait(8) == 0  # not the ten seconds that requests have
    hanging.join()


def test_a_lifespan_that_never_starts_up_is_ended_by_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import asyncio\nasync def app(scope, receive, send):\n    print('waits', flush=True)\n"
        "    await asyncio.sleep(3600)\n"
    )
    with Served(tmp_path, "app:app", "--no-reload", greets=False) as served:
        served.printed("waits")
        served.ctrl_c()
        assert served.process.wait(8) == 3


def _ask_in_vain(url: str) -> None:
    try:
        answer = httpx.get(url, trust_env=False, timeout=30)
        assert answer.status_code >= 500
    except httpx.HTTPError:
        pass


def test_a_function_that_was_given_up_and_will_not_end_is_not_waited_for(serve: Serve, tmp_path: Path) -> None:
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
    served = serve("stubborn:app", "--no-reload", "--timeout", "0.3")
    assert served.client.get("/").status_code == 503
    served.ctrl_c()
    assert served.status() == 0
    assert "in flight" not in served.err
