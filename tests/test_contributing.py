"""The files that ``CONTRIBUTING.md`` names exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("bridge", "tests", "benchmarks", "docs", "examples", "scripts")


def test_every_path_in_contributing_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(rf"(?<![\w/-])(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/]", text))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
