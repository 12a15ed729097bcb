"""Fixtures of the tests of project files."""

from __future__ import annotations

import pytest

from tests.dev.serverless_plugin.conftest import frameworks as frameworks


@pytest.fixture(autouse=True)
def _no_application_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_APP", raising=False)
