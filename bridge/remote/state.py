"""What a command must not leave behind in the process, which answers requests after it."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def restored() -> Iterator[None]:
    """Afterwards all is as it was: arguments, import path, ``__main__``, folder, environment, logging, warnings.

    Modules that the code has imported stay, and so does what it has changed in them.
    """
    argv, path, main, variables = sys.argv, [*sys.path], sys.modules.get("__main__"), dict(os.environ)
    folder = None
    with suppress(OSError):
        folder = os.getcwd()  # noqa: PTH109
    loggers = [_Logger(logger) for logger in [logging.root, *logging.root.manager.loggerDict.values()]]
    disabled = logging.root.manager.disable
    try:
        with warnings.catch_warnings():
            yield
    finally:
        sys.argv = argv
        sys.path[:] = path
        if main is not None:
            sys.modules["__main__"] = main
        if folder is not None:
            with suppress(OSError):
                os.chdir(folder)
        _restore_environment(variables)
        for logger in loggers:
            logger.restore()
        logging.disable(disabled)


def _restore_environment(variables: dict[str, str]) -> None:
    for name in set(os.environ) - set(variables):
        del os.environ[name]
    for name, value in variables.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


class _Logger:
    """A logger as it was. A new one belongs to a module that was imported, and stays as that made it."""

    def __init__(self, logger: logging.Logger | logging.PlaceHolder) -> None:
        self._logger = logger if isinstance(logger, logging.Logger) else None
        if self._logger is not None:
            self._lists = [*self._logger.handlers], [*self._logger.filters]
            self._values = self._logger.level, self._logger.propagate, self._logger.disabled

    def restore(self) -> None:
        """Make it so again."""
        if self._logger is not None:
            self._logger.handlers[:], self._logger.filters[:] = self._lists
            level, self._logger.propagate, self._logger.disabled = self._values
            if self._logger.level != level:
                self._logger.setLevel(level)
