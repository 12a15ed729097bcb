"""Functions in separate processes, and helpers to observe the processes."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.lambda_service import LambdaService

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPTED_RUNTIME = (sys.executable, str(Path(__file__).with_name("scripted_runtime.py")))
BRIDGE_RUNTIME = (sys.executable, "-m", "bridge.runtime")
AWS_RUNTIME = (sys.executable, "-m", "awslambdaric")


def scripted_function(**options: Any) -> LambdaService:
    """A function that executes its events; see :mod:`tests.dev.gateway.scripted_runtime`."""
    return LambdaService(SCRIPTED_RUNTIME, **options)


def write_app(folder: Path, code: str) -> None:
    """Write the function's module ``app``."""
    (folder / "app.py").write_text(textwrap.dedent(code))


def is_alive(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self/stat").exists():
        return True
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the parent of the process has waited for it meanwhile
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


async def read_all(stream: Any) -> bytes:
    """All chunks of a stream."""
    return b"".join([chunk async for chunk in stream])


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* is true, for at most 30 seconds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
