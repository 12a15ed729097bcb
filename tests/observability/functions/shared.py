"""What the applications of the tests have in common."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import probe

import bridge

TIMEOUT = 20
PARTIES = int(os.environ.get("PARTIES", "1"))
# What the probe of a tool may have besides span().
log = getattr(probe, "log", logging.getLogger("routes").warning)
current_parent = getattr(probe, "current", lambda: None)
logger = logging.getLogger("routes")


def about(name: str) -> dict[str, Any]:
    """Return what identifies the request, and print it, for tests that get no body."""
    request = bridge.current_request()
    assert request is not None
    answer = {"answered": name, "request_id": request.request_id, "trace_id": request.trace_id}
    print(f"\n{json.dumps(answer)}\n", end="")
    return answer
