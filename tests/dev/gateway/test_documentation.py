"""docs/serve.md describes every source, and with docs/packaging.md every key of pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.dev.gateway import FRONT_DOORS
from bridge.dev.projects import pyproject
from bridge.dev.projects.option_defaults import KEYS, WEBSOCKET

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "serve.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("title", ["| front door | request too large |", "| front door | binary request bodies |"])
def test_each_table_has_each_source_once(title: str) -> None:
    table = TEXT[TEXT.index(title) :].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    named = [name for row in rows for name in re.findall("`(.*?)`", row)]
    assert sorted(named) == sorted(FRONT_DOORS)


def test_the_option_source_lists_all_sources() -> None:
    (row,) = re.findall(r"^\| `--source` \| (.*?) \|", TEXT, re.MULTILINE)
    assert sorted(re.findall("`(.*?)`", row)) == sorted([*FRONT_DOORS, WEBSOCKET])


def test_the_examples_have_every_key_of_pyproject_toml_with_a_valid_value(tmp_path: Path) -> None:
    keys: list[str] = []
    for text in (TEXT, (DOCS / "packaging.md").read_text(encoding="utf-8")):
        (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
        (tmp_path / "pyproject.toml").write_text(example)
        keys += [key for key in pyproject.read(tmp_path) if key not in keys]
    of_deployment = [key for key in KEYS if key not in keys]
    assert keys == [key for key in KEYS if key not in of_deployment]
    deploying = (DOCS / "deploying.md").read_text(encoding="utf-8")
    assert [key for key in of_deployment if key not in deploying] == []
