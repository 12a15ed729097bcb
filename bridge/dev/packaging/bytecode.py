"""How the parts of one artifact are compiled, and what is said if they cannot be."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from bridge.dev.packaging import interpreter
from bridge.dev.packaging.compression import Bytecode

if TYPE_CHECKING:
    from bridge.dev.packaging.options import Order

# Where Lambda has a function's code.
TASK = "/var/task"


class Compiling:
    """The bytecode of an artifact.

    Args:
        order: what is wanted.
        notes: where a line goes if there is no interpreter for it.
    """

    def __init__(self, order: Order, notes: list[str]) -> None:
        self._order, self._notes = order, notes

    def bytecode(self, place: str, *, columns: bool = False) -> Bytecode | None:
        """How a part is compiled: what underlines a line of a traceback is worth its space in the user's own code."""
        order = self._order
        return Bytecode(order.target.python, place, self._interpreter, columns) if order.bytecode else None

    @functools.cache  # noqa: B019 - it lives no longer than one artifact's making
    def _interpreter(self) -> str | None:
        version = self._order.target.python
        found = interpreter.find(version, fetch=self._order.fetch_python)
        if found is None:
            self._notes.append(
                f"There is no Python {version} here to compile with, so every cold start will compile again what it "
                "imports: some 200 ms for Flask. --fetch-python lets uv bring one; --no-bytecode is content without."
            )
        return found
