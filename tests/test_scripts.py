"""The scripts of contributors and of CI: the demo, the version, and the benchmarks' check."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bridge
from benchmarks import check
from benchmarks.__main__ import PARTS

if TYPE_CHECKING:
    from collections.abc import Callable

    Version = Callable[..., subprocess.CompletedProcess[str]]

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_demo_prints_its_help(option: str) -> None:
    process = subprocess.run([SCRIPTS / "demo", option], check=True, capture_output=True, text=True, timeout=20)
    assert process.stdout.startswith("Creates an environment")
    assert "Usage: scripts/demo" in process.stdout


def test_the_demo_fits_a_screen() -> None:
    command = [sys.executable, str(SCRIPTS / "demo.py")]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 105
    assert sum(line.count("✓") for line in lines) == 27
    verbose = subprocess.run([*command, "-v", "alb", "flask"], check=True, capture_output=True, text=True, timeout=60)
    assert '"targetGroupArn"' in verbose.stdout


VERSIONED = ("scripts/version", "bridge/__init__.py", "bridge/dev/serverless_plugin/package.json", "CHANGELOG.md")


@pytest.fixture
def version(tmp_path: Path) -> Version:
    """Runs ``scripts/version`` in a copy of the files that it reads and writes."""
    for name in VERSIONED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SCRIPTS.parent / name, tmp_path / name)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "scripts/version"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    return run


def test_the_npm_package_and_the_changelog_have_the_version_of_the_python_package(version: Version) -> None:
    assert version().stdout == f"{bridge.__version__}\n"
    process = version("--check", bridge.__version__)
    assert (process.returncode, process.stderr) == (0, "")


def test_setting_the_version_changes_both_packages_and_the_changelog_needs_a_section(
    version: Version, tmp_path: Path
) -> None:
    assert version("12.3.4").returncode == 0
    assert version().stdout == "12.3.4\n"
    assert json.loads((tmp_path / "bridge/dev/serverless_plugin/package.json").read_text())["version"] == "12.3.4"
    assert "CHANGELOG.md has no section [12.3.4]" in version("--check", "12.3.4").stderr
    process = version("--check", "12.3.5")
    assert process.returncode == 1
    assert "bridge/__init__.py has the version 12.3.4, not 12.3.5" in process.stderr


def test_the_benchmarks_help_names_every_part() -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    process = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20, cwd=SCRIPTS.parent)
    for part in PARTS:
        assert part in process.stdout
    for option in ("--only", "--check", "--write"):
        assert option in process.stdout


def test_the_same_ratios_are_recorded_for_each_python() -> None:
    by_version = json.loads(check.RECORD.read_text())
    names = [set(ratios) for ratios in by_version.values()]
    assert names[0]
    assert all(each == names[0] for each in names)


def test_a_ratio_may_fall_by_a_quarter_and_no_more() -> None:
    recorded = {"a": 4.0, "b": 2.0}
    assert check.fallen_ratios(recorded, {"a": 3.0, "b": 1.5}) == set()
    assert check.fallen_ratios(recorded, {"a": 2.99, "b": 9.0}) == {"a"}
    assert check.fallen_ratios(recorded, {"a": 4.0}) == {"b"}


def test_the_ratio_of_a_cold_start_may_fall_by_a_tenth() -> None:
    recorded = {"cold start, flask, a client": 1.1}
    assert check.fallen_ratios(recorded, {"cold start, flask, a client": 1.0}) == set()
    assert check.fallen_ratios(recorded, {"cold start, flask, a client": 0.98}) == recorded.keys()


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ratios.json"
    path.write_text('{"3.11": {"http-api, a peer": 4.0, "alb, a peer": 2.0}}')
    monkeypatch.setattr(check, "RECORD", path)
    monkeypatch.setattr(check, "VERSION", "3.11")
    return path


def measure_in_turn(monkeypatch: pytest.MonkeyPatch, *results: check.Ratios) -> None:
    """Replace the measurement with a function that returns *results*, one in each call."""
    remaining = iter(results)
    monkeypatch.setattr(check, "measure", lambda factor=1: next(remaining))


GOOD, BAD = {"http-api, a peer": 3.9, "alb, a peer": 2.1}, {"http-api, a peer": 2.5, "alb, a peer": 2.1}


@pytest.mark.usefixtures("record")
def test_good_ratios_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_in_turn(monkeypatch, GOOD)
    assert check.check() == 0


@pytest.mark.usefixtures("record")
def test_a_ratio_that_falls_in_one_of_two_measurements_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_in_turn(monkeypatch, BAD, GOOD)
    assert check.check() == 0


@pytest.mark.usefixtures("record")
def test_a_ratio_that_falls_in_both_measurements_fails_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure_in_turn(monkeypatch, BAD, BAD)
    assert check.check() == 1
    out, err = capsys.readouterr()
    assert "FAIL http-api, a peer: 2.50 times the bridge's, recorded 4.00" in out
    assert "ok   alb, a peer" in out
    assert "1 of 2 ratios are more than a quarter below" in err
    assert "scripts/bench --check --write" in err


def test_write_records_the_measured_ratios_for_this_python(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = json.loads(record.read_text())
    measure_in_turn(monkeypatch, {"http-api, a peer": 2.504})
    monkeypatch.setattr(check, "VERSION", "3.12")
    assert check.write() == 0
    assert json.loads(record.read_text()) == before | {"3.12": {"http-api, a peer": 2.5}}


def test_a_python_without_recorded_ratios_is_compared_with_the_smallest_of_the_others(record: Path) -> None:
    record.write_text('{"3.11": {"a": 4.0, "b": 2.0}, "3.12": {"a": 3.0, "b": 5.0}}')
    assert check.recorded_ratios("3.12") == {"a": 3.0, "b": 5.0}
    assert check.recorded_ratios("3.99") == {"a": 3.0, "b": 2.0}


def test_the_extras_allow_no_versions_with_known_holes() -> None:
    """Of h11 before 0.16 (CVE-2025-43859) and werkzeug before 3.0.3 (CVE-2024-34069), which lacks trusted_hosts."""
    project = tomllib.loads((SCRIPTS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    serve = project["optional-dependencies"]["serve"]
    floors = {
        name: tuple(map(int, version.split("."))) for name, _, version in (item.partition(">=") for item in serve)
    }
    assert floors["h11"] >= (0, 16)
    assert floors["werkzeug"] >= (3, 0, 3)


def test_ci_tests_the_lowest_versions_of_all_extras() -> None:
    extras = tomllib.loads((SCRIPTS.parent / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    script = (SCRIPTS / "floors").read_text("utf-8")
    assert f".[{','.join(sorted(extras))}]" in script
    assert "--resolution lowest-direct" in script
    assert "scripts/floors" in (SCRIPTS.parent / ".ci" / "run").read_text("utf-8")
