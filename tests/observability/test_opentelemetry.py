"""The recipe for OpenTelemetry."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT
from tests.observability import deployed
from tests.observability.deployed import (
    FUNCTIONS,
    PARTIES,
    WAYS,
    Deployed,
    Way,
    each_way,
    each_way_at_once,
    each_way_with_flask,
    packages,
    recipe,
)
from tests.observability.records import Span, otlp_spans

if TYPE_CHECKING:
    from pathlib import Path

    from tests.observability.backend import Backend
    from tests.observability.conftest import Deploy
    from tests.observability.deployed import Answer

pytestmark = pytest.mark.slow


def function_of(way: Way, deploy: Deploy, backend: Backend, concurrency: int = 1) -> Deployed:
    return deploy("opentelemetry", way, {"OTEL_EXPORTER_OTLP_ENDPOINT": backend.url}, concurrency=concurrency)


def spans_of(backend: Backend, answer: Answer) -> list[Span]:
    """Return the spans with the request's id: the request's own span first."""
    spans = otlp_spans(backend.bodies("/v1/traces"))
    found = [span for span in spans if span.attributes.get("faas.invocation_id") == answer.request_id]
    server = next(span for span in found if span.name.startswith("GET ") and not span.name.endswith(" send"))
    return [server, *(span for span in found if span is not server)]


@each_way
def test_spans_are_in_the_caller_s_trace_and_sent_before_the_freeze(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of(way, deploy, backend)
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    answer = function.get(
        f"/tea/{way.unique}", source=way.source, headers=[("traceparent", f"00-{trace_id}-{parent_id}-01")]
    )

    server, *others = spans_of(backend, answer)
    assert (server.trace_id, server.parent_id, server.is_error) == (trace_id, parent_id, False)
    (brew,) = [span for span in others if span.name == "brew"]
    assert (brew.trace_id, brew.parent_id) == (trace_id, server.span_id)
    assert brew.attributes["tea"] == way.unique


@each_way
def test_an_error_is_an_event_of_the_request_s_span(way: Way, deploy: Deploy, backend: Backend) -> None:
    answer = function_of(way, deploy, backend).get(f"/broken/{way.unique}", source=way.source)

    assert (answer.status, answer.is_streamed) == (500, way.is_streamed)
    server, *_ = spans_of(backend, answer)
    assert server.is_error
    assert server.attributes["http.status_code"] == 500


@each_way
def test_spans_of_a_streamed_body_belong_to_the_request_s(way: Way, deploy: Deploy, backend: Backend) -> None:
    answer = function_of(way, deploy, backend).get(f"/stream/{way.unique}", source=way.source)

    assert answer.body.count(way.unique) == 3
    assert answer.is_streamed == way.is_streamed
    server, *others = spans_of(backend, answer)
    assert [span.parent_id for span in others if span.name == "pour"] == [server.span_id] * 3


@pytest.mark.parametrize("way", [way for way in WAYS if way.framework == "fastapi"], ids=str)
def test_fastapi_makes_spans_by_itself(
    way: Way, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = recipe("opentelemetry")
    del files["fastapi_app.py"]
    monkeypatch.setattr(deployed, "recipe", lambda tool: files)
    function = Deployed(tmp_path / "function", "opentelemetry", way, {"OTEL_EXPORTER_OTLP_ENDPOINT": backend.url})

    with function.service:
        answer = function.get("/tea/native", source=way.source)

    assert answer.is_streamed == way.is_streamed
    server, *others = spans_of(backend, answer)
    assert [span.trace_id for span in others if span.name == "brew"] == [server.trace_id]


@each_way_with_flask
def test_a_receiver_that_is_down_fails_no_request(way: Way, tmp_path: Path) -> None:
    function = Deployed(
        tmp_path / "function", "opentelemetry", way, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    )

    with function.service:
        assert [function.get(f"/tea/{number}", source=way.source).status for number in range(2)] == [200, 200]

    assert "Failed to export" in function.log


@each_way_at_once
def test_requests_at_once_do_not_mix(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of(way, deploy, backend, PARTIES)
    names = [f"{way.unique}-{number}" for number in range(PARTIES)]

    for answer in function.get_together(*names, source=way.source):
        assert (answer.status, answer.is_streamed) == (200, way.is_streamed)
        server, *others = spans_of(backend, answer)
        (brew,) = [span for span in others if span.name == "brew"]
        assert (brew.trace_id, brew.parent_id) == (server.trace_id, server.span_id)
        assert brew.attributes["tea"] == answer.name


def test_aws_s_client_takes_several_requests_at_once_in_processes(deploy: Deploy, backend: Backend) -> None:
    function = function_of(Way("aws", "flask", "http-api"), deploy, backend, PARTIES)

    answers = function.get_together(*(f"processes-{number}" for number in range(PARTIES)))

    assert [spans_of(backend, answer)[0].attributes["http.status_code"] for answer in answers] == [200] * PARTIES


@each_way_with_flask
def test_the_wrapper_records_the_invocation_for_one_request_at_a_time(
    way: Way, deploy: Deploy, backend: Backend
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": backend.url}
    function = deploy("opentelemetry-lambda", way, variables, handler="app.handler")

    answer = function.get(f"/tea/{way.unique}", source=way.source)

    assert (answer.status, answer.is_streamed) == (200, False)
    server, *others = spans_of(backend, answer)
    (invocation,) = [span for span in others if span.name == "teas"]
    assert (server.trace_id, server.parent_id) == (invocation.trace_id, invocation.span_id)


@each_way_with_flask
def test_the_exec_wrapper_of_a_layer_runs_the_bridge(way: Way, backend: Backend, tmp_path: Path) -> None:
    layer = shutil.copytree(FUNCTIONS / "opentelemetry_layer", tmp_path / "opt")
    (layer / "otel-instrument").chmod(0o755)

    def wrap(code: Path, python: str) -> list[str]:
        both = code / "both"
        text = both.read_text(encoding="utf-8").replace("/opt", str(layer)).replace("/var/task", str(ROOT))
        both.write_text(text, encoding="utf-8")
        both.chmod(0o755)
        return [str(both if way.client == "bridge" else layer / "otel-instrument"), python, str(layer / "bootstrap.py")]

    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url,
        "PYTHONPATH": os.pathsep.join(map(str, [packages(), ROOT, layer])),
    }
    function = Deployed(tmp_path / "function", "opentelemetry-layer", way, variables, wrap=wrap)

    with function.service:
        answer = function.get("/tea/layer", source=way.source)

    assert (answer.status, answer.is_streamed) == (200, False)
    server, *others = spans_of(backend, answer)
    (invocation,) = [span for span in others if span.name == "teas"]
    assert (server.trace_id, server.parent_id) == (invocation.trace_id, invocation.span_id)
