"""Running uv and pip."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError, installer
from bridge.dev.packaging.installer import install_requirements
from bridge.dev.packaging.project_requirements import Requirements
from bridge.dev.packaging.target import Target
from bridge.dev.packaging.uv_installer import uv_options
from tests.dev.cli.packages import PLAIN, build_zip, without_uv, write_files, zip_names
from tests.dev.packaging.indexes import make_wheel, sha256

if TYPE_CHECKING:
    from pathlib import Path

CASES = {
    "options of uv": ("--no-deps -U -i https://a.example --pre", "--no-deps -U -i https://a.example --pre", {}),
    "the target": ("--platform manylinux2014_x86_64 --only-binary=:all: --abi=cp311", "--only-binary=:all:", {}),
    "the output": ("--prefer-binary --progress-bar off --no-input -q", "-q", {}),
    "another name": ("--no-dependencies", "--no-deps", {}),
    "the network": (
        "--timeout 60 --retries=3 --proxy http://p:1",
        "",
        {"UV_HTTP_TIMEOUT": "60", "UV_HTTP_RETRIES": "3", "HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1"},
    ),
    "a value that looks like an option": ("--find-links --debug-wheels", "--find-links --debug-wheels", {}),
    "a missing value": ("--platform", "", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_options_of_pip_become_options_of_uv(case: str) -> None:
    pip_args, options, variables = CASES[case]
    assert uv_options(shlex.split(pip_args)) == (options.split(), variables)


@pytest.fixture
def pip_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the arguments of each call of pip, in a machine without uv."""
    calls, program = tmp_path / "calls", tmp_path / "pip"
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    program.chmod(0o755)
    calls.touch()
    monkeypatch.setattr(installer, "find_uv", lambda: None)
    monkeypatch.setattr(installer, "find_pip", lambda: [str(program)])
    return calls


@pytest.mark.parametrize(
    ("lines", "wheels", "calls"),
    [(["flask"], ["/a.whl"], 2), (["flask"], [], 1), ([], ["/a.whl"], 1), ([], [], 0)],
    ids=["both", "requirements", "wheels", "neither"],
)
def test_pip_installs_wheels_and_requirements_separately(
    lines: list[str], wheels: list[str], calls: int, pip_calls: Path, tmp_path: Path
) -> None:
    requirements = Requirements(tmp_path, lines=lines)
    install_requirements(requirements, Target.from_options(), tmp_path / "into", tmp_path, wheels=wheels)
    arguments = pip_calls.read_text().splitlines()
    assert len(arguments) == calls
    assert all(("-r " in line) != ("/a.whl" in line) for line in arguments)


@pytest.mark.slow
def test_pip_settings_about_places_and_hashes_do_not_reach_the_artifact(cache: Path, tmp_path: Path) -> None:
    digest = sha256(make_wheel(tmp_path / "shop/wheels", "tea-leaves", "1.0"))
    requirements = f"--find-links wheels\ntea-leaves==1.0 --hash=sha256:{digest}\n"
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements.txt": requirements})
    settings = {"PIP_USER": "1", "PIP_PREFIX": "/nowhere", "PIP_REQUIRE_HASHES": "1", "PIP_TARGET": "/nowhere"}
    config = write_files(tmp_path, {"pip.conf": "[install]\nuser = true\nprefix = /nowhere\n"}) / "pip.conf"
    settings |= {"PIP_CONFIG_FILE": str(config), "PIP_DRY_RUN": "1"}
    names = zip_names(build_zip(shop, cache, "app:app", **without_uv(tmp_path / "machine"), **settings))
    assert {"tea_leaves.py", "bridge/entrypoint.py", "asgiref/sync.py"} <= names


def test_uv_lock_without_uv_is_an_error(pip_calls: Path, tmp_path: Path) -> None:
    requirements = Requirements(tmp_path, "uv.lock", uv_project=tmp_path, uv_root=tmp_path)
    with pytest.raises(PackagingError, match="pip install uv"):
        install_requirements(requirements, Target.from_options(), tmp_path / "into", tmp_path)


def test_without_uv_and_pip_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "find_uv", lambda: None)
    monkeypatch.setattr(installer, "find_pip", lambda: None)
    with pytest.raises(PackagingError, match="neither uv nor pip"):
        install_requirements(
            Requirements(tmp_path, lines=["flask"]), Target.from_options(), tmp_path / "into", tmp_path
        )
