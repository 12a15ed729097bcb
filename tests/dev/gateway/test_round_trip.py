"""Any request that HTTP allows reaches the application, and any response the client.

The exceptions are those of the table in docs/sources.md.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.dev.gateway import FRONT_DOORS, FrontDoorConfig, Request, compose, interpret
from tests.dev.gateway import documented_losses
from tests.dev.gateway.documented_losses import (
    REQUEST_RULES,
    RESPONSE_RULES,
    TRACE,
    HttpRequest,
    HttpResponse,
    http_request,
    http_response,
)
from tests.dev.gateway.recording_app import INTERFACES, AppResponse, RecordingApp
from tests.dev.gateway.strategies import requests, responses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.dev.gateway.recording_app import Record

ALL_BINARY = ("*/*",)
DOORS = {
    "no prefix": FrontDoorConfig(binary_media_types=ALL_BINARY),
    "stage": FrontDoorConfig(stage="prod", binary_media_types=ALL_BINARY),
    "base path": FrontDoorConfig(base_path="/shop", binary_media_types=ALL_BINARY),
}
WITH_STAGES = ("rest-api", "http-api", "http-api-v1")


@pytest.fixture(scope="module")
def apps() -> Iterator[list[RecordingApp]]:
    apps = [RecordingApp(interface) for interface in INTERFACES]
    yield apps
    for app in apps:
        app.close()


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("source", FRONT_DOORS)
def test_requests_and_responses_arrive_with_no_loss_that_is_not_documented(
    source: str, data: st.DataObject, apps: list[RecordingApp]
) -> None:
    door = DOORS[data.draw(st.sampled_from(list(DOORS))) if source in WITH_STAGES else "no prefix"]
    request = data.draw(requests(root_of(door)))
    response = data.draw(responses())
    check(source, door, request, response, apps)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(request=requests(), response=responses())
@example(
    request=Request(headers=[("Accept", "image/png")]),
    response=AppResponse(200, [("Content-Type", "image/png")], b"\x89"),
)
def test_a_rest_api_without_binary_media_types_accepts_any_body_and_sends_base64_as_text(
    request: Request, response: AppResponse, apps: list[RecordingApp]
) -> None:
    check("rest-api", FrontDoorConfig(), request, response, apps)


def test_the_table_has_the_rules_of_this_test() -> None:
    rows = documented_losses.table()
    assert [row.id for row in rows if row.direction == "request"] == list(REQUEST_RULES)
    assert [row.id for row in rows if row.direction == "response"] == list(RESPONSE_RULES)
    assert {row.direction for row in rows} == {"request", "response"}
    assert {name for row in rows for name in row.sources} <= set(FRONT_DOORS)
    assert all(row.what and row.instead for row in rows)


@pytest.mark.parametrize(
    ("row", "source"),
    [pytest.param(row, s, id=f"{row.id} {s}") for row in documented_losses.table() for s in row.sources],
)
def test_each_row_of_the_table_applies_to_each_of_its_sources(
    row: documented_losses.Row, source: str, apps: list[RecordingApp]
) -> None:
    rule: Any = (REQUEST_RULES if row.direction == "request" else RESPONSE_RULES)[row.id]
    check(source, rule.door, rule.request, rule.response, apps)
    if row.direction == "request":
        request = http_request(rule.request, "")
        received = documented_losses.received_request(request, source, rule.door)
        other = documented_losses.received_request(request, source, rule.door, without=row.id)
        assert (asgi_record(received), wsgi_record(received)) != (asgi_record(other), wsgi_record(other))
    else:
        response = http_response(rule.response, rule.request.method)
        back = documented_losses.received_response(response, source, rule.door)
        assert back != documented_losses.received_response(response, source, rule.door, without=row.id)


def check(
    source: str, door: FrontDoorConfig, request: Request, response: AppResponse, apps: list[RecordingApp]
) -> None:
    """Send *request* through front door and handler to an application of each interface, which sends *response*."""
    settings = {"stage": door.stage, "base_path": door.base_path, "binary_media_types": door.binary_media_types}
    expected = documented_losses.received_request(http_request(request, root_of(door)), source, door)
    expected_response = documented_losses.received_response(http_response(response, request.method), source, door)
    for app in apps:
        app.response = response
        # An HTTP API's event does not have a custom domain's base path.
        handler = app.handler(door.base_path if source.startswith("http-api") else "")
        event = compose(request, source, **settings)
        assert event == json.loads(json.dumps(event))
        payload = handler(event, None)
        assert payload == json.loads(json.dumps(payload))
        answer = interpret(payload, source, request, **settings)

        record_of = asgi_record if app.interface == "asgi" else wsgi_record
        assert without_trace_id(app.record) == record_of(expected), app.interface
        received = HttpResponse(answer.status, documented_losses.fields_of(answer.headers), answer.body)
        assert received == expected_response


def root_of(door: FrontDoorConfig) -> str:
    return f"/{door.stage}" if door.stage else door.base_path


def wsgi_record(request: HttpRequest) -> Record:
    """The record of a WSGI application, by PEP 3333 and RFC 3875."""
    headers = {"CONTENT_TYPE": ""}
    for name, values in request.fields.items():
        # Headers that could be mistaken for others are dropped.
        if "_" in name or name in ("content-length", "transfer-encoding", "proxy"):
            continue
        key = "CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"
        if key in ("CONTENT_TYPE", "HTTP_HOST"):
            headers[key] = values[-1].decode("latin-1")
        else:
            headers[key] = (b"; " if name == "cookie" else b",").join(values).decode("latin-1")
    path = request.path.decode("latin-1")
    raw = request.raw_path
    return {
        "method": request.method,
        "root": request.root,
        "path": path,
        "uri": None if raw is None else raw.decode("latin-1") + (f"?{request.query}" if request.query else ""),
        "query": request.query,
        "headers": headers,
        "length": str(len(request.body)),
        "body": request.body,
        "scheme": request.scheme,
        "client": request.client,
    }


def asgi_record(request: HttpRequest) -> Record:
    """The record of an ASGI application."""
    headers = {name.encode(): values for name, values in request.fields.items()}
    if b"cookie" in headers:
        headers[b"cookie"] = [b"; ".join(headers[b"cookie"])]
    if request.body or b"content-length" in headers:
        headers[b"content-length"] = [b"%d" % len(request.body)]
    return {
        "method": request.method,
        "root": request.root,
        "path": request.root + request.path.decode("utf-8", "replace"),
        "uri": request.raw_path or quote(request.root.encode("latin-1") + request.path, "/:@!$&'()*+,;=").encode(),
        "query": request.query.encode("latin-1"),
        "headers": headers,
        "body": request.body,
        "scheme": request.scheme,
        "client": request.client,
    }


def without_trace_id(record: Record) -> Record:
    """Replace the trace ID that the front door has made with the constant that the rules use."""
    fresh = rb"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"
    headers = {
        name: TRACE.decode()
        if isinstance(value, str) and re.fullmatch(fresh.decode(), value)
        else [TRACE]
        if isinstance(value, list) and len(value) == 1 and re.fullmatch(fresh, value[0])
        else value
        for name, value in record["headers"].items()
    }
    return {**record, "headers": headers}
