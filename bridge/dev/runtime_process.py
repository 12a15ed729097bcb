"""``python -m bridge.dev.runtime_process``: :mod:`bridge.runtime` with logs for a terminal."""

from __future__ import annotations

import logging
import sys

from bridge.dev.terminal_logs import adapt_handler
from bridge.runtime import logs
from bridge.runtime.__main__ import main
from bridge.runtime.runtime import fail_init

_set_up = logs.set_up


def set_up_for_terminal() -> None:
    """Add the handler of Lambda's runtime to the root logger, adapted to a terminal."""
    _set_up()
    for handler in logging.getLogger().handlers:
        adapt_handler(handler)
        # The gateway prints the error of a function that does not start, with its stack.
        handler.addFilter(lambda record: record.funcName != fail_init.__name__ or record.exc_info is None)


if __name__ == "__main__":
    logs.set_up = set_up_for_terminal  # type: ignore[assignment]
    sys.exit(main(sys.argv[1:]))
