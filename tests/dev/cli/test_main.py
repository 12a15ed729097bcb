"""The command ``bridge``, and ``python -m bridge``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import bridge
from bridge.dev.cli import COMMANDS
from tests.dev.cli.serve_process import environment, run

PACKAGE = Path(bridge.__file__).parent


def run_module(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run ``python -m bridge`` with the package in *folder*."""
    command = [sys.executable, "-m", "bridge", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_help_lists_every_command(tmp_path: Path) -> None:
    status, stdout, _ = run(tmp_path, "--help")
    assert status == 0
    for command in COMMANDS:
        assert f"\n    {command}" in stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in PACKAGE.glob("dev/cli/commands/[a-z]*.py")))
def test_every_module_of_commands_is_in_the_table(name: str) -> None:
    assert name in COMMANDS.values()
    assert callable(import_module(f"bridge.dev.cli.commands.{name}").add_parser)


def test_python_m_bridge_is_the_command_bridge(tmp_path: Path) -> None:
    status, stdout, stderr = run_module(PACKAGE.parent, "--version")
    assert (status, stdout, stderr) == (0, f"bridge {bridge.__version__}\n", "")
    status, _, stderr = run_module(PACKAGE.parent, "event", "--bogus")
    assert status == 2
    assert stderr.startswith("usage: bridge event ")


def test_python_m_bridge_in_a_packaged_function_is_one_sentence(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "bridge", ignore=shutil.ignore_patterns("dev", "__pycache__"))
    status, stdout, stderr = run_module(tmp_path, "serve")
    assert (status, stdout) == (2, "")
    assert stderr == (
        "python -m bridge: the command line is not part of a packaged function; install it with "
        "`pip install serverless-bridge`.\n"
    )
