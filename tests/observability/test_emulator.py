"""One of the recipes behind AWS's emulator, also in its mode for Lambda Managed Instances."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import Request, compose
from tests.docs.pages import ROOT
from tests.end_to_end.conftest import rie as rie
from tests.end_to_end.emulator import AWS_CLIENT, BRIDGE_CLIENT, Emulator
from tests.end_to_end.managed_instances import ManagedInstances, missing_requirement
from tests.observability.deployed import PARTIES, make_folder, packages
from tests.observability.records import sentry_items

if TYPE_CHECKING:
    from pathlib import Path

    from tests.observability.backend import Backend

MISSING = missing_requirement()

pytestmark = [pytest.mark.aws, pytest.mark.slow]


def variables(backend: Backend, path: str, parties: int = 1) -> dict[str, str]:
    dsn = backend.url.replace("http://", "http://key@") + "/1"
    return {"SENTRY_DSN": dsn, "PYTHONPATH": path, "PARTIES": str(parties), "BRIDGE_APP": "app:app"}


def event(path: str) -> Any:
    return compose(Request(path=path, headers=[("Host", "shop.example")]), "function-url")


def recorded_ids(backend: Backend) -> set[str]:
    transactions = sentry_items(backend.bodies("/envelope/"), "transaction")
    return {transaction["tags"]["aws_request_id"] for transaction in transactions}


@pytest.mark.parametrize("command", [AWS_CLIENT, BRIDGE_CLIENT], ids=["AWS's client", "bridge.runtime"])
def test_what_a_request_has_recorded_is_sent_before_the_emulator_ends_the_invocation(
    command: tuple[str, ...], rie: Path, backend: Backend, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "code", "sentry", "flask")
    environment = variables(backend, str(packages()))
    handler = "bridge.entrypoint.handler"
    with Emulator(rie, folder, handler, tmp_path / "log", variables=environment, command=command) as function:
        answers = [json.loads(function.invoke(event(f"/tea/{number}"))["body"]) for number in range(3)]
        function.invoke(event("/plain/last"))

    assert {answer["request_id"] for answer in answers} <= recorded_ids(backend)


@pytest.mark.skipif(bool(MISSING), reason=f"The emulator's mode for Managed Instances requires {MISSING}")
def test_managed_instances_record_each_of_the_requests_at_once(rie: Path, backend: Backend, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "code", "sentry", "flask")
    work_folder = tmp_path / "work"
    work_folder.mkdir()
    path = f"/var/project/{packages().relative_to(ROOT)}{os.pathsep}/var/packages"
    environment = variables(backend, path, PARTIES)
    with ManagedInstances(rie, folder, "app:app", work_folder, PARTIES, environment) as function:
        results = function.results_of([event(f"/together/{number}") for number in range(PARTIES)])
        answers = [json.loads(json.loads(result.payload)["body"]) for result in results]
        ids = {answer["request_id"] for answer in answers}
        deadline = time.monotonic() + 20
        while not ids <= recorded_ids(backend):  # such a process is not frozen
            assert time.monotonic() < deadline, function.log
            time.sleep(0.05)

    assert len(ids) == PARTIES
