"""What a cold start pays: importing a library, making a handler, and its first answer, in a fresh process each time."""

from __future__ import annotations

import os
import subprocess
import sys
from json import loads
from pathlib import Path
from statistics import median

from tests.benchmarks.events import EVENTS
from tests.benchmarks.table import table

SOURCE = "http-api"
STAGES = ("handler", "handler and first answer")
BEFORE = {"bare Python": "", "awslambdaric's bootstrap": "import awslambdaric.bootstrap"}
_ROOT = Path(__file__).parents[2]

# Each: import and make the handler; answer an event.
LIBRARIES = {
    "bridge, WSGI": ("import bridge; handler = bridge.wsgi_handler(wsgi_app)", "handler(event, None)"),
    "apig-wsgi": (
        "import apig_wsgi; handler = apig_wsgi.make_lambda_handler(wsgi_app)",
        "handler(event, None)",
    ),
    "serverless-wsgi": ("import serverless_wsgi", "serverless_wsgi.handle_request(wsgi_app, event, None)"),
    "bridge, ASGI": ("import bridge; handler = bridge.asgi_handler(asgi_app)", "handler(event, None)"),
    "mangum, lifespan off": (
        "import mangum; handler = mangum.Mangum(asgi_app, lifespan='off')",
        "handler(event, None)",
    ),
    "asyncio alone": ("import asyncio", "asyncio.run(asyncio.sleep(0))"),
}

# Without `site`, what this environment's .pth files import does not stand in anyone's favour. `site` itself, and the
# `os` that comes with it, are part of bare Python.
# What is counted is the processor's time, since others may be at work on this machine.
_CHILD = """
import site, sys
sys.path[:0] = {path!r}
from time import process_time
from tests.benchmarks.applications import asgi_app, wsgi_app
event = {event!r}
{before}
began = process_time()
{make}
made = process_time()
{answer}
answered = process_time()
print([made - began, answered - began])
"""


def measure(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds above what was there before: ``{before: {library: {stage: time}}}``."""
    taken: dict[tuple[str, str], list[list[float]]] = {(before, name): [] for before in BEFORE for name in LIBRARIES}
    for number in range(rounds + 1):
        for before, name in taken:
            times = _one_process(before, name)
            if number:  # the first round wrote the bytecode
                taken[before, name].append(times)
    return {
        before: {
            name: {
                stage: median(times[index] for times in taken[before, name]) * 1000
                for index, stage in enumerate(STAGES)
            }
            for name in LIBRARIES
        }
        for before in BEFORE
    }


def report(found: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    parts = []
    for before, by_library in found.items():
        rows = [[name, *(f"{times[stage]:.1f}" for stage in STAGES)] for name, times in by_library.items()]
        parts += [f"### Import: ms above {before}", table(["", *STAGES], rows)]
    return parts


def _one_process(before: str, name: str) -> list[float]:
    make, answer = LIBRARIES[name]
    path = [str(_ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))]
    code = _CHILD.format(path=path, event=EVENTS[SOURCE], before=BEFORE[before], make=make, answer=answer)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environ, stdout=subprocess.PIPE, check=True, text=True
    )
    times: list[float] = loads(done.stdout.splitlines()[-1])
    return times
