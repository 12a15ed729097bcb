"""Events as their senders write them, one JSON file per shape. Names, addresses and keys are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent

NAMES = sorted(path.stem for path in _FOLDER.glob("*.json"))


def load_event(name: str) -> Any:
    """A fresh copy of the event in ``<name>.json``."""
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
