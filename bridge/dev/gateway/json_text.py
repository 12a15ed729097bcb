"""Events and payloads as JSON, as fast as the standard library can: each request goes through it twice.

``json.dumps`` makes a new encoder for each call, ``json.loads`` looks for white space around; together they take half
the time more.
"""

from __future__ import annotations

import json
from json import encoder
from typing import Any

_decoder = json.JSONDecoder()
# Not in every Python: PyPy has none.
_make: Any = getattr(encoder, "c_make_encoder", None)
_write = _make and _make(
    None, json.JSONEncoder().default, encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True
)


def to_json(value: Any) -> str:
    """*value* as ``json.dumps`` writes it.

    Raises:
        TypeError, ValueError: it is nothing that JSON can write.
        RecursionError: it holds itself.
    """
    return "".join(_write(value, 0)) if _write else json.dumps(value)


def from_json(text: str) -> Any:
    """What *text* says, which has no white space around it."""
    return _decoder.raw_decode(text)[0]


def through_json(value: Any) -> Any:
    """A copy of *value*, as it comes out of JSON at the other end."""
    return from_json(to_json(value))
