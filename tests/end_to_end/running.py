"""What is started for a test and ended with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self


class Running(ABC):
    """A process that was started: a context manager that begins when it is ready, and ends it, also if it never is."""

    def __enter__(self) -> Self:
        try:
            self._wait_until_ready()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    @abstractmethod
    def _wait_until_ready(self) -> None:
        """Return when it is; raise if it never will be."""

    @abstractmethod
    def end(self) -> None:
        """End it."""
