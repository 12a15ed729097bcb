from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway import memory_store
from bridge.websocket import asgi, connections, store
from tests.websocket.api import FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.gateway.memory_store import MemoryStore


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """A WebSocket API whose endpoint the bridge uses."""
    api = FakeApi()
    monkeypatch.setenv("BRIDGE_WEBSOCKET_ENDPOINT", api.endpoint)
    yield api
    for connection in connections.client_for(api.endpoint)._idle:
        connection.close()
    api.close()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """The store that the bridge uses, empty."""
    memory = memory_store.MemoryStore()
    monkeypatch.setattr(memory_store, "STORE", memory)
    monkeypatch.setenv("BRIDGE_WEBSOCKET_STORE", "bridge.dev.gateway.memory_store:STORE")
    store._store_named.cache_clear()
    return memory


@pytest.fixture(autouse=True)
def _fresh_warnings() -> Iterator[None]:
    """Let warnings that come once for each process come once for each test."""
    asgi._warn_of_missing_fields.cache_clear()
    yield
    store._store_named.cache_clear()
