"""A store for the connections of a WebSocket API, in the memory of one process: ``bridge.websocket.store``."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.websocket.store import Item


class MemoryStore:
    """A store for tests, and for a local server that runs the function in its own process.

    ``BRIDGE_WEBSOCKET_STORE=bridge.dev.gateway.websocket_memory_store:STORE`` selects it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: dict[str, tuple[str, int]] = {}
        self._groups: dict[str, dict[str, float]] = {}

    def get(self, connection_id: str) -> Item | None:
        """Return what is stored of a connection; None if nothing is."""
        text, version = self._items.get(connection_id, ("", 0))
        return {**json.loads(text), "version": version} if text else None

    def put(self, connection_id: str, item: Item, version: int = 0) -> bool:
        """Store an item as the one after *version*, 0 for a new one; False if another version is there."""
        text = json.dumps({**item, "version": None})
        with self._lock:
            if version and self._items.get(connection_id, ("", 0))[1] != version:
                return False
            self._items[connection_id] = (text, version + 1)
            return True

    def delete(self, connection_id: str) -> None:
        """Remove a connection, also from its groups."""
        self._items.pop(connection_id, None)
        for group in list(self._groups):
            self.leave(group, connection_id)

    def join(self, group: str, connection_id: str) -> None:
        """Add a connection to a group."""
        with self._lock:
            self._groups.setdefault(group, {})[connection_id] = time.time()

    def leave(self, group: str, connection_id: str) -> None:
        """Remove a connection from a group."""
        with self._lock:
            members = self._groups.get(group, {})
            members.pop(connection_id, None)
            if not members:
                self._groups.pop(group, None)

    def members(self, group: str) -> dict[str, float]:
        """Return the connections of a group, with the time when each joined."""
        with self._lock:
            return dict(self._groups.get(group, {}))


STORE = MemoryStore()
