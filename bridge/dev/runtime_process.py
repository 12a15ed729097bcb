"""``python -m bridge.dev.runtime_process``: :mod:`bridge.runtime` with logs for a terminal."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from bridge.dev.terminal_logs import adapt_handler
from bridge.runtime.__main__ import main, report_init_error
from bridge.runtime.logs import set_up_logging

if TYPE_CHECKING:
    from collections.abc import Mapping


def set_up_logging_for_terminal(environ: Mapping[str, str]) -> None:
    """Add the handler of Lambda's runtime to the root logger, adapted to a terminal."""
    set_up_logging(environ)
    for handler in logging.getLogger().handlers:
        adapt_handler(handler)
        # The gateway prints the error of a function that does not start, with its stack.
        handler.addFilter(lambda record: record.funcName != report_init_error.__name__ or record.exc_info is None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], set_up_logging_for_terminal))
