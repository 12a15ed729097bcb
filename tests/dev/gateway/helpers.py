"""Short ways to ask a front door what it makes of a request or a payload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.dev.gateway import Answer, RefusedError, Request, compose, interpret


def event_of(request: Request, source: str, **door: Any) -> Any:
    """The event, as it comes out of JSON."""
    return json.loads(json.dumps(compose(request, source, **door)))


def refused_request(request: Request, source: str, **door: Any) -> Answer:
    """The front door's own answer to a request that it does not pass on."""
    with pytest.raises(RefusedError) as caught:
        compose(request, source, **door)
    return _own(caught.value)


def refused_payload(payload: Any, source: str, request: Request | None = None, **door: Any) -> Answer:
    """The front door's own answer to a payload that it does not take."""
    with pytest.raises(RefusedError) as caught:
        interpret(payload, source, request, **door)
    return _own(caught.value)


def _own(refusal: RefusedError) -> Answer:
    assert str(refusal) == refusal.answer.why
    assert refusal.answer.header("content-type")
    return refusal.answer


def message_of(answer: Answer) -> Any:
    """What an API Gateway's own answer says."""
    assert answer.header("content-type") == "application/json"
    return json.loads(answer.body)


def values(answer: Answer, name: str) -> list[str]:
    """All values of a header."""
    return [value for key, value in answer.headers if key.lower() == name.lower()]
