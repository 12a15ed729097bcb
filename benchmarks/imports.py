"""Measures what a library adds to a cold start: its import, making a handler, and the first answer.

Every measurement is a fresh process, under one of three conditions: every file has bytecode; the libraries have none
and none can be written, as in a function whose artifact has no bytecode; a framework is loaded already, with the many
modules that it shares with the libraries.
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

    # By what is loaded already, and by library.
    Processes = dict[tuple[str, str], Callable[[], list[float]]]
    Times = dict[str, dict[str, dict[str, float]]]

SOURCE = "http-api"
STAGES = ("handler", "handler and first answer")
FIRST, WARM = "first answer", "warm answer"
_MEASURED = (*STAGES, FIRST, WARM)
BARE, BOOTSTRAP = "bare Python", "awslambdaric's bootstrap"
_WITHOUT_BYTECODE = ", without bytecode"
_ROOT = Path(__file__).parents[1]
_LOADED = {BARE: "", BOOTSTRAP: "import awslambdaric.bootstrap"}

BRIDGE_WSGI, BRIDGE_ASGI = "bridge, WSGI", "bridge, ASGI"
MANGUM, ASYNCIO = "mangum, lifespan off", "asyncio alone"
# The code that imports the library and makes a handler, and the code that answers an event.
LIBRARIES = {
    BRIDGE_WSGI: ("import bridge; handler = bridge.wsgi_handler(wsgi_app)", "handler(event, None)"),
    "apig-wsgi": ("import apig_wsgi; handler = apig_wsgi.make_lambda_handler(wsgi_app)", "handler(event, None)"),
    "serverless-wsgi": ("import serverless_wsgi", "serverless_wsgi.handle_request(wsgi_app, event, None)"),
    BRIDGE_ASGI: ("import bridge; handler = bridge.asgi_handler(asgi_app)", "handler(event, None)"),
    MANGUM: ("import mangum; handler = mangum.Mangum(asgi_app, lifespan='off')", "handler(event, None)"),
    ASYNCIO: ("import asyncio", "asyncio.run(asyncio.sleep(0))"),
}
# The code that loads a framework, and the libraries that are measured after it.
FRAMEWORKS = {
    "Flask": ("import flask; flask.Flask('shop')", (BRIDGE_WSGI, "apig-wsgi", "serverless-wsgi")),
    "Django": (
        "import django.core.wsgi; from django.conf import settings; settings.configure(); django.setup()",
        (BRIDGE_WSGI, "apig-wsgi", "serverless-wsgi"),
    ),
    "FastAPI": ("import fastapi; fastapi.FastAPI()", (BRIDGE_ASGI, MANGUM)),
}
# The modules and packages of which the libraries consist, copied for the processes without bytecode.
_MODULES = ("bridge", "apig_wsgi", "serverless_wsgi", "werkzeug", "markupsafe", "mangum", "typing_extensions")

# Python runs without `site`, because the .pth files of this environment import modules; `site` itself, and the `os`
# that it loads, are part of bare Python. The time is the processor's, so other processes do not change it. Objects that
# exist before are frozen, so no library pays for the garbage collection of the client's and the framework's objects.
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
sys.dont_write_bytecode = {without_bytecode!r}
gc.collect()
gc.freeze()
start = process_time()
{make}
made = process_time()
{answer}
answered = process_time()
events = [deepcopy(source) for _ in range(20)]
warm = []
for event in events:
    warm_start = process_time()
    {answer}
    warm.append(process_time() - warm_start)
print([made - start, answered - start, answered - made, sorted(warm)[len(warm) // 2]])
"""


def measure(rounds: int) -> Times:
    """Return milliseconds: ``{loaded before: {library: {stage: time}}}``."""
    with TemporaryDirectory() as folder:
        return measure_processes(_all_processes(_copy_sources(Path(folder))), rounds)


def measure_processes(processes: Processes, rounds: int) -> Times:
    """Run each process once in every round, and return its median times in milliseconds."""
    by_process: dict[tuple[str, str], list[list[float]]] = {key: [] for key in processes}
    for number in range(rounds + 1):
        for key, process in processes.items():
            times = process()
            if number:  # in the first round Python writes the bytecode
                by_process[key].append(times)
    results: Times = {}
    for (before, library), runs in by_process.items():
        results.setdefault(before, {})[library] = {
            stage: median(times[index] for times in runs) * 1000 for index, stage in enumerate(_MEASURED)
        }
    return results


def with_bytecode(*conditions: str) -> Processes:
    """Return the processes of every library with bytecode, under *conditions*: :data:`BARE` or :data:`BOOTSTRAP`."""
    return {(before, library): _process(_LOADED[before], library) for before in conditions for library in LIBRARIES}


def _all_processes(copies: Path) -> Processes:
    processes = with_bytecode(*_LOADED)
    for before, library in list(processes):
        if library != ASYNCIO:
            processes[before + _WITHOUT_BYTECODE, library] = _process(_LOADED[before], library, copies)
    for framework, (load, libraries) in FRAMEWORKS.items():
        for library in libraries:
            processes[framework, library] = _process(load, library)
    return processes


def _process(before: str, library: str, copies: Path | None = None) -> Callable[[], list[float]]:
    make, answer = LIBRARIES[library]
    code = _CHILD.format(
        path=[str(_ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))],
        event=EVENTS[SOURCE],
        before=before,
        make=make,
        answer=answer,
        first=[] if copies is None else [str(copies)],
        without_bytecode=copies is not None,
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run() -> list[float]:
        process = subprocess.run(
            [sys.executable, "-S", "-c", code], env=environ, stdout=subprocess.PIPE, check=True, text=True
        )
        times: list[float] = loads(process.stdout.splitlines()[-1])
        return times

    return run


def _copy_sources(folder: Path) -> Path:
    """Copy the sources of the libraries into *folder*, without bytecode, and return it."""
    for name in _MODULES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin)
        if spec.submodule_search_locations is None:
            shutil.copy(source, folder)
        else:
            shutil.copytree(source.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.js"))
    return folder


def report(results: Times) -> list[str]:
    """Return a table for each condition, and one of the first request."""
    parts = []
    for before, by_library in results.items():
        rows = [[library, *(f"{times[stage]:.1f}" for stage in STAGES)] for library, times in by_library.items()]
        parts += [f"### Import: ms above {before}", table(["", *STAGES], rows)]
    rows = [
        [library, f"{times[FIRST]:.2f}", f"{times[WARM]:.3f}", f"{times[FIRST] / times[WARM]:.0f}"]
        for library, times in results[BARE].items()
        if library != ASYNCIO
    ]
    return [*parts, "### The first request after import: ms", table(["", FIRST, WARM, "ratio"], rows)]
