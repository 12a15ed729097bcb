"""What a cold start pays: importing a library, making a handler, and its first answer, in a fresh process each time.

Three conditions: with bytecode beside every file; without it beside the libraries, as when a function's package has
none and its file system cannot be written, while Python's own library has it; and after a framework is loaded, which
brings much of what the libraries need.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from json import loads
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.events import EVENTS
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = "http-api"
STAGES = ("handler", "handler and first answer")
FIRST, WARM = "first answer", "warm answer"
_ALL = (*STAGES, FIRST, WARM)
BARE, BOOTSTRAP = "bare Python", "awslambdaric's bootstrap"
WITHOUT = ", without bytecode"
_ROOT = Path(__file__).parents[1]
_BEFORE = {BARE: "", BOOTSTRAP: "import awslambdaric.bootstrap"}

US_WSGI, US_ASGI, MANGUM, ASYNCIO = "bridge, WSGI", "bridge, ASGI", "mangum, lifespan off", "asyncio alone"
# Each: import and make the handler; answer an event.
LIBRARIES = {
    US_WSGI: ("import bridge; handler = bridge.wsgi_handler(wsgi_app)", "handler(event, None)"),
    "apig-wsgi": (
        "import apig_wsgi; handler = apig_wsgi.make_lambda_handler(wsgi_app)",
        "handler(event, None)",
    ),
    "serverless-wsgi": ("import serverless_wsgi", "serverless_wsgi.handle_request(wsgi_app, event, None)"),
    US_ASGI: ("import bridge; handler = bridge.asgi_handler(asgi_app)", "handler(event, None)"),
    MANGUM: (
        "import mangum; handler = mangum.Mangum(asgi_app, lifespan='off')",
        "handler(event, None)",
    ),
    ASYNCIO: ("import asyncio", "asyncio.run(asyncio.sleep(0))"),
}
# What is loaded before, and who comes after it.
FRAMEWORKS = {
    "Flask": ("import flask; flask.Flask('shop')", (US_WSGI, "apig-wsgi", "serverless-wsgi")),
    "Django": (
        "import django.core.wsgi; from django.conf import settings; settings.configure(); django.setup()",
        (US_WSGI, "apig-wsgi", "serverless-wsgi"),
    ),
    "FastAPI": ("import fastapi; fastapi.FastAPI()", (US_ASGI, MANGUM)),
}
# The modules and packages that the libraries bring, for copies that have no bytecode.
_BROUGHT = ("bridge", "apig_wsgi", "serverless_wsgi", "werkzeug", "markupsafe", "mangum", "typing_extensions")

# Without `site`, what this environment's .pth files import does not stand in anyone's favour. `site` itself, and the
# `os` that comes with it, are part of bare Python.
# What is counted is the processor's time, since others may be at work on this machine. What was there before is frozen:
# else whoever makes the one object too many pays for a collection of all that the client and the framework hold.
_CHILD = """
import gc, site, sys
sys.path[:0] = {path!r}
from copy import deepcopy
from time import process_time
from benchmarks.applications import asgi_app, wsgi_app
source = {event!r}
event = deepcopy(source)
{before}
sys.path[:0] = {first!r}
sys.dont_write_bytecode = {bare!r}
gc.collect()
gc.freeze()
began = process_time()
{make}
made = process_time()
{answer}
answered = process_time()
events = [deepcopy(source) for _ in range(20)]
warm = []
for event in events:
    start = process_time()
    {answer}
    warm.append(process_time() - start)
print([made - began, answered - began, answered - made, sorted(warm)[len(warm) // 2]])
"""

Times = dict[str, dict[str, dict[str, float]]]


def measure(rounds: int) -> Times:
    """Milliseconds: ``{before: {library: {stage: time}}}``."""
    with TemporaryDirectory() as folder:
        return measure_these(_all_of(_copies(Path(folder))), rounds)


def measure_these(processes: dict[tuple[str, str], Callable[[], list[float]]], rounds: int) -> Times:
    """Milliseconds for some of the processes, which take turns."""
    taken: dict[tuple[str, str], list[list[float]]] = {key: [] for key in processes}
    for number in range(rounds + 1):
        for key, process in processes.items():
            times = process()
            if number:  # the first round wrote the bytecode
                taken[key].append(times)
    found: Times = {}
    for (before, name), all_times in taken.items():
        found.setdefault(before, {})[name] = {
            stage: median(times[index] for times in all_times) * 1000 for index, stage in enumerate(_ALL)
        }
    return found


def with_bytecode(*befores: str) -> dict[tuple[str, str], Callable[[], list[float]]]:
    """The processes of every library with bytecode, after *befores*."""
    return {(before, name): _process(_BEFORE[before], name) for before in befores for name in LIBRARIES}


def _all_of(copies: Path) -> dict[tuple[str, str], Callable[[], list[float]]]:
    processes = with_bytecode(*_BEFORE)
    for before, name in list(processes):
        if name != ASYNCIO:
            processes[before + WITHOUT, name] = _process(_BEFORE[before], name, copies)
    for framework, (load, names) in FRAMEWORKS.items():
        for name in names:
            processes[framework, name] = _process(load, name)
    return processes


def _process(before: str, name: str, copies: Path | None = None) -> Callable[[], list[float]]:
    make, answer = LIBRARIES[name]
    path = [str(_ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))]
    first = [] if copies is None else [str(copies)]
    code = _CHILD.format(
        path=path, event=EVENTS[SOURCE], before=before, make=make, answer=answer, first=first, bare=copies is not None
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run() -> list[float]:
        done = subprocess.run(
            [sys.executable, "-S", "-c", code], env=environ, stdout=subprocess.PIPE, check=True, text=True
        )
        times: list[float] = loads(done.stdout.splitlines()[-1])
        return times

    return run


def _copies(folder: Path) -> Path:
    """The libraries' sources in *folder*, without bytecode."""
    for name in _BROUGHT:
        found = find_spec(name)
        assert found is not None
        assert found.origin is not None
        source = Path(found.origin)
        if found.submodule_search_locations is None:
            shutil.copy(source, folder)
        else:
            shutil.copytree(source.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.js"))
    return folder


def report(found: Times) -> list[str]:
    parts = []
    for before, by_library in found.items():
        rows = [[name, *(f"{times[stage]:.1f}" for stage in STAGES)] for name, times in by_library.items()]
        parts += [f"### Import: ms above {before}", table(["", *STAGES], rows)]
    rows = [
        [name, f"{times[FIRST]:.2f}", f"{times[WARM]:.3f}", f"{times[FIRST] / times[WARM]:.0f}"]
        for name, times in found[BARE].items()
        if name != ASYNCIO
    ]
    return [*parts, "### The first request after import: ms", table(["", FIRST, WARM, "ratio"], rows)]
