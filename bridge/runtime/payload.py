"""What a handler returned, as it is posted."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def written(payload: Any) -> tuple[bytes, str]:
    """A payload as bytes, and its Content-Type; bytes as they are, anything else as JSON.

    Raises:
        TypeError, ValueError: JSON cannot write it.
    """
    if isinstance(payload, bytes):
        return payload, "application/unknown"  # as AWS's own runtime client calls it
    try:
        return json.dumps(payload, ensure_ascii=False).encode(), "application/json"
    except UnicodeEncodeError:  # half of a pair that UTF-16 has for one character
        return json.dumps(payload).encode(), "application/json"
