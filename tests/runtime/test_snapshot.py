"""SnapStart: hooks before the snapshot and after the restore."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import snapshot_restore_py as registry

from bridge.runtime.api import RuntimeApi
from bridge.runtime.snapshot import take_snapshot
from tests.runtime.scripted import OK, refusal, scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

RESTORED = refusal(200, "")


@pytest.fixture(autouse=True)
def _hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    yield
    registry.get_before_snapshot().clear()
    registry.get_after_restore().clear()


async def taken(*answers: bytes) -> tuple[int, list[tuple[str, Any]]]:
    """The exit status, and what the API was asked."""
    async with scripted(*answers) as server:
        api = RuntimeApi(server.address)
        try:
            status = await take_snapshot(api)
        finally:
            api.close()
    asked = [(asked.line.split(" ")[1].rpartition("runtime/")[2], asked.body) for asked in server.asked]
    return status, [(place, json.loads(body) if body else None) for place, body in asked]


async def test_without_snapstart_nothing_is_asked_and_no_hook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    registry.register_before_snapshot(lambda: pytest.fail("ran"))
    assert await taken() == (0, [])


async def test_hooks_run_around_the_restore_the_first_ones_backwards() -> None:
    ran: list[str] = []

    async def later(name: str) -> None:
        ran.append(name)

    registry.register_before_snapshot(ran.append, "opened first, closed last")
    registry.register_before_snapshot(later, name="closed first")
    registry.register_after_restore(ran.append, "one")
    registry.register_after_restore(later, "two")
    assert await taken(RESTORED) == (0, [("restore/next", None)])
    assert ran == ["closed first", "opened first, closed last", "one", "two"]


async def test_a_hook_that_fails_before_the_snapshot_is_an_init_error() -> None:
    def fail() -> None:
        raise OSError("cannot close")

    registry.register_before_snapshot(fail)
    status, ((place, told),) = await taken(OK)
    assert (status, place, told["errorType"]) == (64, "init/error", "Runtime.BeforeSnapshotError")
    assert "cannot close" in told["errorMessage"]


async def test_a_hook_that_fails_after_the_restore_is_a_restore_error() -> None:
    def fail() -> None:
        raise OSError("cannot open")

    registry.register_after_restore(fail)
    status, (_, (place, told)) = await taken(RESTORED, OK)
    assert (status, place, told["errorType"]) == (65, "restore/error", "Runtime.AfterRestoreError")


async def test_without_the_package_of_hooks_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)
    assert await taken(RESTORED) == (0, [("restore/next", None)])


async def test_a_hook_may_run_a_loop_of_its_own() -> None:
    ran: list[str] = []

    async def later() -> None:
        ran.append("ran")

    registry.register_before_snapshot(lambda: asyncio.run(later()))
    assert await taken(RESTORED) == (0, [("restore/next", None)])
    assert ran == ["ran"]
