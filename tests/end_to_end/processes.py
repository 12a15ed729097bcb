"""Processes that are started for a test and stopped after it."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self


class ManagedProcess(ABC):
    """A started process as a context manager: entered when it is ready, stopped in any case."""

    def __enter__(self) -> Self:
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @abstractmethod
    def _wait_until_ready(self) -> None:
        """Return when the process is ready; raise if it fails to start."""

    @abstractmethod
    def stop(self) -> None:
        """Kill the process and its children."""


def reserve_port() -> socket.socket:
    """Return a socket bound to a free port of this machine.

    While the socket is bound, but not listening, another process can bind the port with ``SO_REUSEADDR``, and the
    system assigns it to no one else.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved
