"""Fixtures and options for all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge import response
from bridge.asgi import request_cycle
from bridge.wsgi import call

if TYPE_CHECKING:
    from pathlib import Path

MakeHandler = Callable[..., bridge.Handler]

# A shell makes the commands that it runs in the background ignore Ctrl-C, and their child processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-snapshots``."""
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots anew")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of processes: two for each core, because slow tests wait for servers and other processes."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start the files with many slow tests first, where processes share the tests.

    A file stays in one process, and at the end no process waits for one that has just started a slow file.
    """
    if hasattr(config, "workerinput"):
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """Hide the modules and the collected tests, which live as long as the process, from the garbage collector.

    They are millions of objects, which each full collection would visit, and tests collect hundreds of times.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def empty_caches() -> None:
    """Clear the caches of the function's side, which requests and responses fill."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("bridge.") and not name.startswith("bridge.dev"):
            for value in [*vars(module).values()]:
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
    call._keys.clear()
    request_cycle._names.clear()
    response._layouts.clear()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bridge's cache, which the tests of all processes share, so that each package is compressed once."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    (folder / "cache").mkdir(exist_ok=True)
    return folder / "cache"


@pytest.fixture
def make_handler() -> Iterator[MakeHandler]:
    """Make handlers, with ``bridge.asgi_handler`` or another function; they are closed after the test."""
    handlers: list[bridge.Handler] = []

    def make(app: Any, function: Callable[..., bridge.Handler] = bridge.asgi_handler, **options: Any) -> bridge.Handler:
        handlers.append(function(app, **options))
        return handlers[-1]

    yield make
    for handler in handlers:
        handler.close()
