"""``python -m bridge.dev.runtime_process``: :mod:`bridge.runtime` with logs for a terminal."""

from __future__ import annotations

import logging
import sys

from bridge.dev.terminal_logs import adapt_handler
from bridge.runtime import logs
from bridge.runtime.__main__ import main

_set_up = logs.set_up


def set_up_for_terminal() -> None:
    """Add the handler of Lambda's runtime to the root logger, adapted to a terminal."""
    _set_up()
    for handler in logging.getLogger().handlers:
        adapt_handler(handler)


if __name__ == "__main__":
    logs.set_up = set_up_for_terminal  # type: ignore[assignment]
    sys.exit(main(sys.argv[1:]))
