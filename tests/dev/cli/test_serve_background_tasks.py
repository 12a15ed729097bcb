"""Background tasks of a request: the server waits for them and warns about them as the Lambda handler does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dev.cli.serve_process import ServeProcess

    Serve = Callable[..., ServeProcess]

APP = """
import asyncio
tasks = set()

async def write(seconds):
    await asyncio.sleep(seconds)
    print("written", flush=True)

async def run_lifespan(receive, send):
    await receive()
    tasks.add(asyncio.create_task(asyncio.sleep(3600)))  # of the lifespan: no response waits for this
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await run_lifespan(receive, send)
    tasks.add(asyncio.create_task(write({"/short": 0.2, "/long": 3600}[scope["path"]]), name="letter"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"tea"})
"""


@pytest.mark.parametrize("options", [[], ["--no-debugger"]], ids=["debugger", "no-debugger"])
def test_a_response_waits_for_the_tasks_of_its_request(serve: Serve, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "app.py").write_text(APP)
    server = serve("app:app", "--no-reload", *options)
    assert server.client.get("/short").text == "tea"
    assert server.stdout.startswith("written\n")


@pytest.mark.slow
def test_a_task_that_runs_for_longer_is_logged(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    server = serve("app:app", "--no-reload")
    start = time.monotonic()
    assert server.client.get("/long").text == "tea"
    assert time.monotonic() - start >= 2
    server.wait_for_stderr(r"WARNING bridge: .*\(letter\)")
