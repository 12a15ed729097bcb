"""The recipes for AWS X-Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.observability.deployed import PARENT, PARTIES, Way, each_way, each_way_at_once, each_way_with_flask
from tests.observability.records import daemon_spans, xray_subsegments

if TYPE_CHECKING:
    from tests.observability.backend import Backend
    from tests.observability.conftest import Deploy
    from tests.observability.deployed import Answer, Deployed
    from tests.observability.records import Span

pytestmark = pytest.mark.slow


def function_of(tool: str, way: Way, deploy: Deploy, backend: Backend, concurrency: int = 1) -> Deployed:
    return deploy(tool, way, {"AWS_XRAY_DAEMON_ADDRESS": backend.datagram_address}, concurrency=concurrency)


def spans_of(backend: Backend, answer: Answer) -> list[Span]:
    """Return the spans in the trace of Lambda's invocation."""
    datagrams = [datagram for datagram in backend.datagrams() if b"\nT1S" in datagram]
    return [span for span in daemon_spans(datagrams) if span.trace_id == answer.trace_id]


@each_way
def test_spans_are_below_lambda_s_segment(way: Way, deploy: Deploy, backend: Backend) -> None:
    answer = function_of("xray", way, deploy, backend).get(f"/tea/{way.unique}", source=way.source)

    assert answer.is_streamed == way.is_streamed
    (server,) = [span for span in spans_of(backend, answer) if span.parent_id == PARENT]
    (brew,) = [span for span in spans_of(backend, answer) if span.name == "brew"]
    assert brew.parent_id == server.span_id
    assert brew.attributes["tea"] == way.unique


@each_way
def test_an_error_is_in_the_trace(way: Way, deploy: Deploy, backend: Backend) -> None:
    answer = function_of("xray", way, deploy, backend).get(f"/broken/{way.unique}", source=way.source)

    (server,) = [span for span in spans_of(backend, answer) if span.parent_id == PARENT]
    assert server.is_error


@each_way_at_once
def test_requests_at_once_do_not_mix(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of("xray", way, deploy, backend, PARTIES)
    names = [f"{way.unique}-{number}" for number in range(PARTIES)]

    for answer in function.get_together(*names, source=way.source):
        assert (answer.status, answer.is_streamed) == (200, way.is_streamed)
        (server,) = [span for span in spans_of(backend, answer) if span.parent_id == PARENT]
        (brew,) = [span for span in spans_of(backend, answer) if span.name == "brew"]
        assert (brew.parent_id, brew.attributes["tea"]) == (server.span_id, answer.name)


@each_way_with_flask
def test_the_x_ray_sdk_records_subsegments_of_one_request_at_a_time(way: Way, deploy: Deploy, backend: Backend) -> None:
    answer = function_of("xray-sdk", way, deploy, backend).get(f"/tea/{way.unique}", source=way.source)

    (brew,) = [span for span in xray_subsegments(backend.datagrams()) if span.name == f"brew {way.unique}"]
    assert (brew.trace_id, brew.parent_id) == (answer.trace_id, PARENT)


def test_the_x_ray_sdk_records_nothing_of_requests_at_once(deploy: Deploy, backend: Backend) -> None:
    way = Way("bridge", "flask", "http-api")
    function = function_of("xray-sdk", way, deploy, backend, PARTIES)
    names = [f"{way.unique}-{number}" for number in range(PARTIES)]

    function.get_together(*names, source=way.source)

    assert [name for name in names if f"brew {name}".encode() in b"".join(backend.datagrams())] == []
