"""Each example runs as it is deployed: its folder as the function's code, named by BRIDGE_APP."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bridge.dev.gateway import Request, compose
from tests.examples.browser import HOST
from tests.examples.shops import EXAMPLES, SHOPS, Shop

FUNCTION = """
import json, sys
from bridge.entrypoint import handler
print(json.dumps(handler(json.load(sys.stdin), None)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.name)
def test_an_example_answers_by_the_ready_made_entry_point(shop: Shop) -> None:
    event = compose(Request(path="/items/sencha", headers=[("host", HOST)]), "function-url")
    environment = {**os.environ, "BRIDGE_APP": shop.app.partition("/")[2], "PYTHONPATH": str(EXAMPLES.parent)}
    run = subprocess.run(
        [sys.executable, "-c", FUNCTION],
        cwd=shop.folder,
        env=environment,
        input=json.dumps(event),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    payload = json.loads(run.stdout)
    assert payload["statusCode"] == 200
    url = f"https://{HOST}/items/sencha"
    assert json.loads(payload["body"]) == {"id": "sencha", "name": "Sencha", "url": url}


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.name)
def test_an_example_says_what_it_needs_and_how_it_is_deployed(shop: Shop) -> None:
    framework = shop.name.partition("-")[0]
    assert framework in (shop.folder / "requirements.txt").read_text()
    readme = (shop.folder / "README.md").read_text()
    assert shop.app.partition("/")[2] in readme
    assert "bridge.entrypoint.handler" in readme
