"""A store for the connections of a WebSocket API, in a file that processes share: ``bridge.websocket.store``."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.websocket.store import Item

_TABLES = """
CREATE TABLE IF NOT EXISTS connections (id TEXT PRIMARY KEY, item TEXT, version INTEGER);
CREATE TABLE IF NOT EXISTS members (name TEXT, id TEXT, joined REAL, PRIMARY KEY (name, id));
"""


class SqliteStore:
    """A store for a local server that runs the function in processes of its own.

    ``BRIDGE_WEBSOCKET_STORE=bridge.dev.gateway.websocket_sqlite_store:SqliteStore`` selects it.

    Args:
        path: the file; None for the one that ``BRIDGE_WEBSOCKET_FILE`` names.
    """

    def __init__(self, path: str | None = None) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path or os.environ["BRIDGE_WEBSOCKET_FILE"], timeout=10, isolation_level=None, check_same_thread=False
        )
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, connection_id: str) -> Item | None:
        """Return what is stored of a connection; None if nothing is."""
        rows = self._execute("SELECT item, version FROM connections WHERE id = ?", connection_id)[0]
        return {**json.loads(rows[0][0]), "version": rows[0][1]} if rows else None

    def put(self, connection_id: str, item: Item, version: int = 0) -> bool:
        """Store an item as the one after *version*, 0 for a new one; False if another version is there."""
        text = json.dumps({**item, "version": None})
        if not version:
            self._execute("INSERT OR REPLACE INTO connections VALUES (?, ?, 1)", connection_id, text)
            return True
        update = "UPDATE connections SET item = ?, version = version + 1 WHERE id = ? AND version = ?"
        return self._execute(update, text, connection_id, version)[1] == 1

    def delete(self, connection_id: str) -> None:
        """Remove a connection, also from its groups."""
        self._execute("DELETE FROM connections WHERE id = ?", connection_id)
        self._execute("DELETE FROM members WHERE id = ?", connection_id)

    def join(self, group: str, connection_id: str) -> None:
        """Add a connection to a group."""
        self._execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?)", group, connection_id, time.time())

    def leave(self, group: str, connection_id: str) -> None:
        """Remove a connection from a group."""
        self._execute("DELETE FROM members WHERE name = ? AND id = ?", group, connection_id)

    def members(self, group: str) -> dict[str, float]:
        """Return the connections of a group, with the time when each joined."""
        return dict(self._execute("SELECT id, joined FROM members WHERE name = ?", group)[0])

    def _execute(self, statement: str, *values: object) -> tuple[list[tuple[str, float]], int]:
        """Return the rows and the number of changed ones."""
        with self._lock:
            cursor = self._connection.execute(statement, values)
            return cursor.fetchall(), cursor.rowcount
