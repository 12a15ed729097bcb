"""Shortcuts for composing events and interpreting payloads in tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.dev.gateway import Answer, RefusedError, Request, compose, interpret


def event_for(request: Request, source: str, **door: Any) -> Any:
    """The event, as a function reads it from JSON."""
    return json.loads(json.dumps(compose(request, source, **door)))


def refused_request(request: Request, source: str, **door: Any) -> Answer:
    """The front door's own answer to a request that it refuses."""
    with pytest.raises(RefusedError) as caught:
        compose(request, source, **door)
    return _checked(caught.value)


def refused_payload(payload: Any, source: str, request: Request | None = None, **door: Any) -> Answer:
    """The front door's own answer to a payload that it refuses."""
    with pytest.raises(RefusedError) as caught:
        interpret(payload, source, request, **door)
    return _checked(caught.value)


def _checked(refusal: RefusedError) -> Answer:
    assert str(refusal) == refusal.answer.explanation
    assert refusal.answer.header("content-type")
    return refusal.answer


def json_of(answer: Answer) -> Any:
    """The body of a front door's own JSON answer."""
    assert answer.header("content-type") == "application/json"
    return json.loads(answer.body)


def header_values(answer: Answer, name: str) -> list[str]:
    """All values of a header."""
    return [value for key, value in answer.headers if key.lower() == name.lower()]
