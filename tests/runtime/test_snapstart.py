"""SnapStart: hooks before the snapshot and after the restore."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import snapshot_restore_py as registry

from bridge.runtime.client import RuntimeApi
from bridge.runtime.snapstart import take_snapshot
from tests.runtime.scripted import ACCEPTED, reply, scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

RESTORED = reply(200, "")


@pytest.fixture(autouse=True)
def _hooks() -> Iterator[None]:
    yield
    registry.get_before_snapshot().clear()
    registry.get_after_restore().clear()


async def snapshot(*replies: bytes) -> tuple[int, list[tuple[str, Any]]]:
    """Take a snapshot, and return the exit status and the requests with their JSON."""
    async with scripted(*replies) as server:
        api = RuntimeApi(server.address)
        try:
            status = await asyncio.to_thread(take_snapshot, api, asyncio.run)
        finally:
            api.close()
    return status, [(request.path, json.loads(request.body or b"null")) for request in server.requests]


async def test_hooks_run_before_the_snapshot_in_reverse_order_and_after_the_restore_in_order() -> None:
    calls: list[str] = []

    async def later(name: str) -> None:
        calls.append(name)

    registry.register_before_snapshot(calls.append, "opened first, closed last")
    registry.register_before_snapshot(later, name="closed first")
    registry.register_after_restore(calls.append, "one")
    registry.register_after_restore(later, "two")

    assert await snapshot(RESTORED) == (0, [("/restore/next", None)])
    assert calls == ["closed first", "opened first, closed last", "one", "two"]


async def test_a_hook_that_fails_before_the_snapshot_is_an_init_error() -> None:
    def fail() -> None:
        raise OSError("cannot close")

    registry.register_before_snapshot(fail)

    status, ((path, report),) = await snapshot(ACCEPTED)

    assert (status, path, report["errorType"]) == (64, "/init/error", "Runtime.BeforeSnapshotError")
    assert "cannot close" in report["errorMessage"]


async def test_a_hook_that_fails_after_the_restore_is_a_restore_error() -> None:
    async def fail() -> None:
        raise OSError("cannot open")

    registry.register_after_restore(fail)

    status, (_, (path, report)) = await snapshot(RESTORED, ACCEPTED)

    assert (status, path, report["errorType"]) == (65, "/restore/error", "Runtime.AfterRestoreError")


async def test_without_the_package_snapshot_restore_py_there_are_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)

    assert await snapshot(RESTORED) == (0, [("/restore/next", None)])


async def test_a_hook_may_run_an_event_loop() -> None:
    calls: list[str] = []

    async def later() -> None:
        calls.append("ran")

    registry.register_before_snapshot(lambda: asyncio.run(later()))

    assert await snapshot(RESTORED) == (0, [("/restore/next", None)])
    assert calls == ["ran"]
