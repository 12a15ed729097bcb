"""The recipes for Datadog: the tracing library alone, and the wrapper for Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.managed_instances import missing_requirement
from tests.observability.deployed import (
    PARTIES,
    Deployed,
    Way,
    command_of,
    each_way,
    each_way_at_once,
    each_way_with_flask,
)
from tests.observability.records import datadog_log_spans, datadog_spans

if TYPE_CHECKING:
    from pathlib import Path

    from tests.observability.backend import Backend
    from tests.observability.conftest import Deploy
    from tests.observability.deployed import Answer
    from tests.observability.records import Span

MISSING = missing_requirement()

pytestmark = pytest.mark.slow


def function_of(way: Way, deploy: Deploy, backend: Backend, concurrency: int = 1) -> Deployed:
    variables = {
        "DD_TRACE_AGENT_URL": backend.url,
        "DD_TRACE_WRITER_INTERVAL_SECONDS": "600",  # beside Datadog's extension no thread sends
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    }
    return deploy("datadog", way, variables, concurrency=concurrency)


def spans_of(backend: Backend, answer: Answer) -> list[Span]:
    """Return the spans of a request: its own first."""
    spans = datadog_spans(backend.bodies("/traces"))
    (root,) = [span for span in spans if span.attributes.get("request_id") == answer.request_id]
    return [root, *(span for span in spans if span.trace_id == root.trace_id and span is not root)]


@each_way
def test_spans_are_in_the_caller_s_trace_and_sent_before_the_freeze(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of(way, deploy, backend)
    trace_id = 1_000_000 + len(way.unique) * 1000 + len(way.source)
    headers = [
        ("x-datadog-trace-id", str(trace_id)),
        ("x-datadog-parent-id", "7"),
        ("x-datadog-sampling-priority", "1"),
    ]

    answer = function.get(f"/tea/{way.unique}", source=way.source, headers=headers)

    assert answer.is_streamed == way.is_streamed
    root, *others = spans_of(backend, answer)
    assert (root.name, root.parent_id) == (f"{way.framework}.request", "7")
    assert root.trace_id == f"{trace_id:x}"
    assert "brew" in [span.name for span in others]


@each_way
def test_an_error_is_in_the_trace(way: Way, deploy: Deploy, backend: Backend) -> None:
    answer = function_of(way, deploy, backend).get(f"/broken/{way.unique}", source=way.source)

    root, *others = spans_of(backend, answer)
    assert root.is_error
    assert f"no {way.unique}" in [span.attributes.get("error.message") for span in [root, *others]]


@each_way_at_once
def test_requests_at_once_do_not_mix(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of(way, deploy, backend, PARTIES)
    names = [f"{way.unique}-{number}" for number in range(PARTIES)]

    for answer in function.get_together(*names, source=way.source):
        assert (answer.status, answer.is_streamed) == (200, way.is_streamed)
        root, *others = spans_of(backend, answer)
        assert root.attributes["http.url"].endswith(f"/{answer.name}")
        assert len([span for span in others if span.name == "brew"]) == 1


@each_way_with_flask
def test_the_wrapper_records_the_invocation_for_one_request_at_a_time(way: Way, deploy: Deploy) -> None:
    function = deploy("datadog-lambda", way, {}, handler="datadog_lambda.handler.handler")

    answer = function.get(f"/tea/{way.unique}", source=way.source)

    assert (answer.status, answer.is_streamed) == (200, False)
    spans = datadog_log_spans(function.log)
    (invocation,) = [
        span for span in spans if span.attributes.get("request_id") == answer.request_id and span.name == "aws.lambda"
    ]
    (request,) = [span for span in spans if span.name == "flask.request" and span.trace_id == invocation.trace_id]
    assert request.parent_id == invocation.span_id


@pytest.mark.skipif(bool(MISSING), reason=f"A private /opt requires {MISSING}")
@each_way_with_flask
def test_beside_datadog_s_extension_the_wrapper_sends_before_the_freeze(
    way: Way, backend: Backend, tmp_path: Path
) -> None:
    mount = 'mount -t tmpfs none /opt && mkdir -p /opt/extensions/datadog-agent && exec "$@"'

    def wrap(code: Path, python: str) -> list[str]:
        command = command_of(way, "datadog_lambda.handler.handler", python)
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", mount, "sh", *command]

    handler = "datadog_lambda.handler.handler"
    variables = {"DD_TRACE_AGENT_URL": backend.url}
    function = Deployed(tmp_path / "function", "datadog-lambda", way, variables, handler, wrap=wrap)

    with function.service:
        answer = function.get(f"/tea/extension-{way.unique}", source=way.source)

    spans = datadog_spans(backend.bodies("/traces"))
    (invocation,) = [
        span for span in spans if span.name == "aws.lambda" and span.attributes.get("request_id") == answer.request_id
    ]
    (request,) = [span for span in spans if span.name == "flask.request" and span.trace_id == invocation.trace_id]
    assert request.parent_id == invocation.span_id


def test_the_wrapper_fails_for_requests_at_once(deploy: Deploy) -> None:
    handler = "datadog_lambda.handler.handler"
    function = deploy("datadog-lambda", Way("bridge", "flask", "http-api"), {}, handler=handler, concurrency=PARTIES)

    with pytest.raises(AssertionError, match="signal only works in main thread"):
        function.get("/tea/failing")
