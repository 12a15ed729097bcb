"""What holds for all tests."""

from __future__ import annotations

import signal

import pytest

from bridge import encoder, response
from bridge.interfaces import asgi, environ
from bridge.sources import address, text

# A shell has what it runs in the background ignore Ctrl-C, and all that is started there with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def nothing_remembered() -> None:
    """What is remembered has its limits, and other tests may have come to them."""
    for memory in (asgi._lower, environ.keys, text._quoted, address.names, response.layouts, encoder.carried):
        memory.clear()
    response.plain_values.clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-snapshots``."""
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots anew")
