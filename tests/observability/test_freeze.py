"""The freeze between invocations, without which the other tests would show nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.observability import deployed
from tests.observability.deployed import Deployed, each_way_with_flask, recipe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.observability.backend import Backend
    from tests.observability.deployed import Way

pytestmark = pytest.mark.slow


@each_way_with_flask
def test_without_its_callback_after_the_response_a_recipe_sends_nothing_before_the_freeze(
    way: Way, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = recipe("opentelemetry")
    files["telemetry.py"] = files["telemetry.py"].replace("bridge.after_response(provider.force_flush)\n", "")
    monkeypatch.setattr(deployed, "recipe", lambda tool: files)
    # Not even after the delay that a slow machine might take for three requests.
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": backend.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    function = Deployed(tmp_path / "function", "opentelemetry", way, variables)

    with function.service:
        for number in range(3):
            assert function.get(f"/tea/{number}", source=way.source).status == 200

    assert backend.bodies("/v1/traces") == []
