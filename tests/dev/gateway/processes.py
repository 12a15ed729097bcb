"""Functions for tests, in processes of their own."""

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

PUPPET = (sys.executable, str(Path(__file__).with_name("scripted_runtime.py")))
BRIDGE = (sys.executable, "-m", "bridge.runtime")
AWS = (sys.executable, "-m", "awslambdaric")


def puppet(**options: Any) -> LambdaService:
    """A function that does what its events say."""
    return LambdaService(PUPPET, **options)


def write(folder: Path, code: str) -> None:
    """The function's module ``app``."""
    (folder / "app.py").write_text(textwrap.dedent(code))


def is_alive(process: int) -> bool:
    """Whether a process runs: a zombie does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self/stat").exists():
        return True
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # its parent has waited for it meanwhile
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


async def gather(stream: Any) -> bytes:
    """All that a stream has."""
    return b"".join([chunk async for chunk in stream])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it; for as long as the test may take."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
