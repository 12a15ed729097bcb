"""What people and CI run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import check
from benchmarks.__main__ import PARTS

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_the_demo_says_what_it_does() -> None:
    for option in ("--help", "-h"):
        done = subprocess.run([SCRIPTS / "demo", option], check=True, capture_output=True, timeout=20)
        assert done.stdout.startswith(b"Makes an environment")
        assert len(done.stdout.splitlines()) == 2


def test_the_benchmark_names_its_parts() -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20, cwd=SCRIPTS.parent)
    for part in PARTS:
        assert part in done.stdout
    assert "--check" in done.stdout


def test_the_same_ratios_are_written_for_each_python() -> None:
    by_version = json.loads(check.WRITTEN.read_text())
    names = [set(ratios) for ratios in by_version.values()]
    assert names[0]
    assert all(each == names[0] for each in names)


def test_a_ratio_may_fall_by_a_quarter_and_no_more() -> None:
    written = {"a": 4.0, "b": 2.0}
    assert check.fallen(written, {"a": 3.0, "b": 1.5}) == set()
    assert check.fallen(written, {"a": 2.99, "b": 9.0}) == {"a"}
    assert check.fallen(written, {"a": 4.0}) == {"b"}


class Measured:
    """Gives one result after the other in place of a measurement."""

    def __init__(self, *results: check.Ratios) -> None:
        self._results = [*results]

    def __call__(self, longer: int = 1) -> check.Ratios:
        return self._results.pop(0)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ratios.json"
    path.write_text('{"3.11": {"http-api, a peer": 4.0, "alb, a peer": 2.0}}')
    monkeypatch.setattr(check, "WRITTEN", path)
    monkeypatch.setattr(check, "VERSION", "3.11")
    return path


GOOD, BAD = {"http-api, a peer": 3.9, "alb, a peer": 2.1}, {"http-api, a peer": 2.5, "alb, a peer": 2.1}


def test_ratios_that_hold_are_measured_once(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "measure", Measured(GOOD))
    assert check.check() == 0


def test_a_ratio_that_falls_once_was_a_busy_machine(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "measure", Measured(BAD, GOOD))
    assert check.check() == 0


def test_a_ratio_that_falls_twice_is_named(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "measure", Measured(BAD, BAD))
    assert check.check() == 1
    out, err = capsys.readouterr()
    assert "FELL  http-api, a peer: 2.50 times, written 4.00" in out
    assert "holds alb, a peer" in out
    assert "1 of 2 ratios fell" in err
    assert "--check --write" in err


def test_what_is_true_now_can_be_written(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = json.loads(written.read_text())
    monkeypatch.setattr(check, "measure", Measured({"http-api, a peer": 2.504}))
    monkeypatch.setattr(check, "VERSION", "3.12")
    assert check.write() == 0
    assert json.loads(written.read_text()) == before | {"3.12": {"http-api, a peer": 2.5}}


def test_a_python_of_which_nothing_is_written_has_the_smallest_ratios_of_the_others(written: Path) -> None:
    written.write_text('{"3.11": {"a": 4.0, "b": 2.0}, "3.12": {"a": 3.0, "b": 5.0}}')
    assert check.written_for("3.12") == {"a": 3.0, "b": 5.0}
    assert check.written_for("3.99") == {"a": 3.0, "b": 2.0}
