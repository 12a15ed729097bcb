"""Every example runs as it is deployed: its folder is the function's code, and ``BRIDGE_APP`` names the application."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bridge.dev.gateway import Request, compose
from tests.examples.applications import ALL_EXAMPLES, EXAMPLES, Example

FUNCTION = """
import json, sys
from bridge.entrypoint import handler
print(json.dumps(handler(json.load(sys.stdin), None)))
"""

each_example = pytest.mark.parametrize("example", ALL_EXAMPLES, ids=lambda example: example.name)


@pytest.mark.slow
@each_example
def test_an_example_answers_through_the_entry_point(example: Example) -> None:
    event = compose(Request(path="/items/sencha", headers=[("host", "shop.example.com")]), "function-url")
    run = subprocess.run(
        [sys.executable, "-c", FUNCTION],
        cwd=example.folder,
        env={**os.environ, "BRIDGE_APP": example.path.partition("/")[2], "PYTHONPATH": str(EXAMPLES.parent)},
        input=json.dumps(event),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    payload = json.loads(run.stdout)
    assert payload["statusCode"] == 200
    url = "https://shop.example.com/items/sencha"
    assert json.loads(payload["body"]) == {"id": "sencha", "name": "Sencha", "url": url}


@each_example
def test_an_example_documents_its_requirements_and_its_deployment(example: Example) -> None:
    framework = example.name.partition("-")[0]
    assert framework in (example.folder / "requirements.txt").read_text()
    readme = (example.folder / "README.md").read_text()
    assert example.path.partition("/")[2] in readme
    assert "bridge.entrypoint.handler" in readme
