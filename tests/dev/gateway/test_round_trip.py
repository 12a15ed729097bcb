"""Whatever request HTTP allows reaches the application, and whatever it answers reaches the client.

What a source cannot carry is in a table in docs/sources.md; the test takes its exceptions from there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.dev.gateway import SOURCES, Door, Request, compose, interpret
from tests.dev.gateway import documented_losses
from tests.dev.gateway.documented_losses import (
    REQUEST_RULES,
    RESPONSE_RULES,
    TRACE,
    Answered,
    Asked,
    answered_with,
    asked_by,
)
from tests.dev.gateway.recording_apps import INTERFACES, Given, Recorder
from tests.dev.gateway.strategies import answers, requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.dev.gateway.recording_apps import Seen

EVERYTHING_IS_BINARY = ("*/*",)
DOORS = {
    "no prefix": Door(binary_media_types=EVERYTHING_IS_BINARY),
    "stage": Door(stage="prod", binary_media_types=EVERYTHING_IS_BINARY),
    "base path": Door(base_path="/shop", binary_media_types=EVERYTHING_IS_BINARY),
}
HAVE_STAGES = ("rest-api", "http-api", "http-api-v1")


@pytest.fixture(scope="module")
def recorders() -> Iterator[list[Recorder]]:
    made = [Recorder(interface) for interface in INTERFACES]
    yield made
    for recorder in made:
        recorder.close()


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("source", SOURCES)
def test_requests_arrive_and_answers_leave_as_the_source_can_carry_them(
    source: str, data: st.DataObject, recorders: list[Recorder]
) -> None:
    door = DOORS[data.draw(st.sampled_from(list(DOORS))) if source in HAVE_STAGES else "no prefix"]
    request = data.draw(requests(root_of(door)))
    given_ = data.draw(answers())
    check(source, door, request, given_, recorders)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(request=requests(), given_=answers())
@example(
    request=Request(headers=[("Accept", "image/png")]), given_=Given(200, [("Content-Type", "image/png")], b"\x89")
)
def test_a_rest_api_without_binary_media_types_takes_any_body_and_answers_base64_as_text(
    request: Request, given_: Given, recorders: list[Recorder]
) -> None:
    check("rest-api", Door(), request, given_, recorders)


def test_the_table_names_what_the_test_knows_and_nothing_else() -> None:
    rows = documented_losses.table()
    assert [row.id for row in rows if row.direction == "request"] == list(REQUEST_RULES)
    assert [row.id for row in rows if row.direction == "response"] == list(RESPONSE_RULES)
    assert {row.direction for row in rows} == {"request", "response"}
    assert {name for row in rows for name in row.sources} <= set(SOURCES)
    assert all(row.what and row.instead for row in rows)


@pytest.mark.parametrize(
    ("row", "source"),
    [pytest.param(row, s, id=f"{row.id} {s}") for row in documented_losses.table() for s in row.sources],
)
def test_each_row_of_the_table_is_true_of_each_of_its_sources(
    row: documented_losses.Row, source: str, recorders: list[Recorder]
) -> None:
    rule: Any = (REQUEST_RULES if row.direction == "request" else RESPONSE_RULES)[row.id]
    check(source, rule.door, rule.request, rule.given, recorders)

    asked = asked_by(rule.request, "")
    answered = answered_with(rule.given, rule.request.method)
    if row.direction == "request":
        carried = documented_losses.carried(asked, source, rule.door)
        other = documented_losses.carried(asked, source, rule.door, but=row.id)
        assert (in_scope(carried), in_environ(carried)) != (in_scope(other), in_environ(other))
    else:
        back = documented_losses.carried_back(answered, source, rule.door)
        assert back != documented_losses.carried_back(answered, source, rule.door, but=row.id)


def check(source: str, door: Door, request: Request, given_: Given, recorders: list[Recorder]) -> None:
    """Send *request* the whole road through each interface, with *given_* as the answer."""
    setup = {"stage": door.stage, "base_path": door.base_path, "binary_media_types": door.binary_media_types}
    asked = documented_losses.carried(asked_by(request, root_of(door)), source, door)
    answered = documented_losses.carried_back(answered_with(given_, request.method), source, door)
    for recorder in recorders:
        recorder.given = given_
        # An HTTP API's event does not tell a custom domain's base path, so the option must.
        handler = recorder.handler(door.base_path if source.startswith("http-api") else "")
        event = compose(request, source, **setup)
        assert event == json.loads(json.dumps(event))  # so that it need not go through JSON to be one
        payload = handler(event, None)
        assert payload == json.loads(json.dumps(payload))
        answer = interpret(payload, source, request, **setup)

        view = in_scope if recorder.interface == "asgi" else in_environ
        assert without_trace_id(recorder.seen) == view(asked), recorder.interface
        assert Answered(answer.status, documented_losses.fields_of(answer.headers), answer.body) == answered


def root_of(door: Door) -> str:
    return f"/{door.stage}" if door.stage else door.base_path


def in_environ(asked: Asked) -> Seen:
    """How PEP 3333 and RFC 3875 write a request."""
    headers = {"CONTENT_TYPE": ""}
    for name, values in asked.fields.items():
        # What could pass for another header is left out.
        if "_" in name or name in ("content-length", "transfer-encoding", "proxy"):
            continue
        key = "CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"
        if key in ("CONTENT_TYPE", "HTTP_HOST"):
            headers[key] = values[-1].decode("latin-1")
        else:
            headers[key] = (b"; " if name == "cookie" else b",").join(values).decode("latin-1")
    path = asked.path.decode("latin-1")
    raw = asked.raw_path
    return {
        "method": asked.method,
        "root": asked.root,
        "path": path,
        "uri": None if raw is None else raw.decode("latin-1") + (f"?{asked.query}" if asked.query else ""),
        "query": asked.query,
        "headers": headers,
        "length": str(len(asked.body)),
        "body": asked.body,
        "scheme": asked.scheme,
        "client": asked.client,
    }


def in_scope(asked: Asked) -> Seen:
    """How ASGI writes a request."""
    headers = {name.encode(): values for name, values in asked.fields.items()}
    if b"cookie" in headers:
        headers[b"cookie"] = [b"; ".join(headers[b"cookie"])]
    if asked.body or b"content-length" in headers:
        headers[b"content-length"] = [b"%d" % len(asked.body)]
    return {
        "method": asked.method,
        "root": asked.root,
        "path": asked.root + asked.path.decode("utf-8", "replace"),
        "uri": asked.raw_path,
        "query": asked.query.encode("latin-1"),
        "headers": headers,
        "body": asked.body,
        "scheme": asked.scheme,
        "client": asked.client,
    }


def without_trace_id(seen: Seen) -> Seen:
    """The same, with the mark for a trace id that the front door has made."""
    fresh = rb"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"
    headers = {
        name: TRACE.decode()
        if isinstance(value, str) and re.fullmatch(fresh.decode(), value)
        else [TRACE]
        if isinstance(value, list) and len(value) == 1 and re.fullmatch(fresh, value[0])
        else value
        for name, value in seen["headers"].items()
    }
    return {**seen, "headers": headers}
