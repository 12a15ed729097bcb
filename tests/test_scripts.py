"""What people and CI run."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_the_demo_says_what_it_does() -> None:
    for option in ("--help", "-h"):
        done = subprocess.run([SCRIPTS / "demo", option], check=True, capture_output=True, timeout=20)
        assert done.stdout.startswith(b"Makes an environment")
        assert len(done.stdout.splitlines()) == 2
