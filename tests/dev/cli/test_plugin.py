"""``bridge plugin``."""

from __future__ import annotations

from pathlib import Path

import bridge
from tests.dev.cli.serve_process import run

PLUGIN = Path(bridge.__file__).parent / "dev" / "serverless_plugin"


def test_it_prints_the_folder_that_npm_installs(tmp_path: Path) -> None:
    assert run(tmp_path, "plugin") == (0, f"{PLUGIN}\n", "")
    assert {"package.json", "index.js"} <= {file.name for file in PLUGIN.iterdir()}


def test_below_the_current_folder_it_is_a_path_that_osls_takes_as_a_plugin() -> None:
    assert run(PLUGIN.parents[2], "plugin") == (0, "./bridge/dev/serverless_plugin\n", "")
