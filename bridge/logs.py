"""The logger ``bridge``."""

from __future__ import annotations

import logging

logger = logging.getLogger("bridge")
if logger.level == logging.NOTSET:
    # Lambda's root logger discards records below WARNING. The bridge logs little at INFO, all of it meant to be read.
    logger.setLevel(logging.INFO)


def printable(text: str) -> str:
    """*text* with escapes for characters with which a client could start lines of a log, or control a terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]
