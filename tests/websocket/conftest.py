from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import websocket_memory_store
from bridge.websocket import asgi, connections, store
from bridge.websocket.aws_client import AwsClient
from tests.websocket.api import FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.gateway.websocket_memory_store import MemoryStore


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """A WebSocket API whose endpoint the bridge uses."""
    api = FakeApi()
    monkeypatch.setenv("BRIDGE_WEBSOCKET_ENDPOINT", api.endpoint)
    yield api
    api.close()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """The store that the bridge uses, empty."""
    memory = websocket_memory_store.MemoryStore()
    monkeypatch.setattr(websocket_memory_store, "STORE", memory)
    monkeypatch.setenv("BRIDGE_WEBSOCKET_STORE", "bridge.dev.gateway.websocket_memory_store:STORE")
    store._store_named.cache_clear()
    return memory


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test caches of its own, and close the HTTP connections that it leaves."""
    clients: list[AwsClient] = []
    init = AwsClient.__init__

    def record(self: AwsClient, *args: Any) -> None:
        init(self, *args)
        clients.append(self)

    monkeypatch.setattr(AwsClient, "__init__", record)
    caches = (asgi._warn_of_missing_fields, store._store_named, connections.client_for)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
    for connection in [connection for client in clients for connection in client._idle]:
        connection.close()
