"""Tasks that a request leaves behind: the server waits for them as the Lambda handler does, and warns as it does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dev.cli.serve_process import Served

    Serve = Callable[..., Served]

APP = """
import asyncio
kept = set()

async def write(seconds):
    await asyncio.sleep(seconds)
    print("written", flush=True)

async def live(receive, send):
    await receive()
    kept.add(asyncio.create_task(asyncio.sleep(3600)))  # the lifespan's own, for which nobody waits
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await live(receive, send)
    kept.add(asyncio.create_task(write({"/short": 0.2, "/long": 3600}[scope["path"]]), name="letter"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"tea"})
"""


@pytest.mark.parametrize("options", [[], ["--no-debugger"]], ids=["debugger", "no-debugger"])
def test_an_answer_waits_for_what_its_request_has_started(serve: Serve, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "app.py").write_text(APP)
    served = serve("app:app", "--no-reload", *options)
    assert served.client.get("/short").text == "tea"
    assert served.out.startswith("written\n")


@pytest.mark.slow
def test_what_goes_on_for_longer_is_warned_of(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    served = serve("app:app", "--no-reload")
    began = time.monotonic()
    assert served.client.get("/long").text == "tea"
    assert time.monotonic() - began >= 2
    served.said(r"WARNING bridge: After 2.0 s 1 background tasks of a request still run \(letter\)")
