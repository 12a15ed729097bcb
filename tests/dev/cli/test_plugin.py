"""``bridge plugin``."""

from __future__ import annotations

import json
from pathlib import Path

import bridge
from tests.dev.cli.serve_process import run

PLUGIN = Path(bridge.__file__).parent / "dev" / "serverless_plugin"


def test_the_folder_is_an_npm_package(tmp_path: Path) -> None:
    assert run(tmp_path, "plugin") == (0, f"{PLUGIN}\n", "")
    assert {"package.json", "index.js"} <= {file.name for file in PLUGIN.iterdir()}


def test_a_folder_below_the_current_one_is_a_relative_path_for_osls() -> None:
    assert run(PLUGIN.parents[2], "plugin") == (0, "./bridge/dev/serverless_plugin\n", "")


def test_vendor_copies_the_plugin_and_replaces_an_earlier_copy(tmp_path: Path) -> None:
    copy = tmp_path / ".serverless_plugins/serverless-bridge"
    status, out, err = run(tmp_path, "plugin", "--vendor")
    assert (status, err) == (0, "")
    assert out.startswith(f"Wrote .serverless_plugins/serverless-bridge, version {bridge.__version__}. Commit it")
    (copy / "old.js").touch()
    assert run(tmp_path, "plugin", "--vendor")[0] == 0
    files = {path.relative_to(copy) for path in copy.rglob("*") if path.is_file()}
    assert files == {path.relative_to(PLUGIN) for path in PLUGIN.rglob("*") if path.is_file()}


def test_vendor_replaces_no_other_files(tmp_path: Path) -> None:
    (tmp_path / ".serverless_plugins/serverless-bridge").mkdir(parents=True)
    status, _, err = run(tmp_path, "plugin", "--vendor")
    assert (status, err) == (
        1,
        "bridge: .serverless_plugins/serverless-bridge exists and is not a copy of the plugin. Move it away first.\n",
    )


def test_it_prints_the_applications_of_a_resolved_configuration(tmp_path: Path) -> None:
    config = {"custom": {"wsgi": {"app": "web/app.app"}}, "functions": {"api": {"handler": "wsgi_handler.handler"}}}
    status, out, err = run(tmp_path, "plugin", "--applications", stdin=json.dumps(config))
    assert (status, err) == (0, "")
    assert json.loads(out)["applications"]["api"]["app"] == "web/app.app"


def test_a_configuration_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "plugin", "--applications", stdin="functions:")
    assert (status, out) == (2, "")
    assert err.startswith("bridge: The configuration on standard input is not JSON: ")
