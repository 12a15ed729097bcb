"""Which version of the bridge an artifact contains."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

import bridge
from bridge.dev.packaging import build
from bridge.dev.packaging.build import build_artifact
from bridge.dev.packaging.package_options import PackageOptions
from bridge.dev.packaging.target import Target
from tests.dev.cli.packages import PLAIN, write_files

if TYPE_CHECKING:
    from pathlib import Path

HASH = "sha256:" + "a" * 64
UV_LOCK = f"""
version = 1
requires-python = ">=3.11"

[[package]]
name = "serverless-bridge"
version = "0.0.1"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{{ url = "https://files.example/serverless_bridge-0.0.1-py3-none-any.whl", hash = "{HASH}" }}]

[[package]]
name = "shop"
version = "1"
source = {{ virtual = "." }}

[package.dev-dependencies]
dev = [{{ name = "serverless-bridge" }}]
"""
POETRY_LOCK = f"""
[[package]]
name = "serverless-bridge"
version = "0.0.1"
groups = ["dev"]
files = [{{ file = "serverless_bridge-0.0.1-py3-none-any.whl", hash = "{HASH}" }}]
"""
PYPROJECT = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'


@pytest.mark.parametrize(("lock", "content"), [("uv.lock", UV_LOCK), ("poetry.lock", POETRY_LOCK)])
def test_a_bridge_that_a_lock_has_for_development_only_is_added(
    lock: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "is_local_install", lambda: False)
    project = write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": PYPROJECT, lock: content})
    file = tmp_path / "function.zip"
    options = PackageOptions("app:app", project, file, Target.from_options(), bytecode=False)
    build_artifact(options, lambda _step, _share: None)
    with ZipFile(file) as archive:
        assert f"serverless_bridge-{bridge.__version__}.dist-info/METADATA" in archive.namelist()
        assert "bridge/entrypoint.py" in archive.namelist()
