"""The recipes for Powertools for AWS Lambda: Logger, Metrics and Tracer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.observability.deployed import PARENT, PARTIES, Way, each_way, each_way_at_once, each_way_with_flask
from tests.observability.records import log_records, xray_subsegments

if TYPE_CHECKING:
    from tests.observability.backend import Backend
    from tests.observability.conftest import Deploy
    from tests.observability.deployed import Answer, Deployed

pytestmark = pytest.mark.slow


def function_of(tool: str, way: Way, deploy: Deploy, backend: Backend, concurrency: int = 1) -> Deployed:
    handler = "app.handler" if tool == "powertools-handler" else ""
    variables = {"AWS_XRAY_DAEMON_ADDRESS": backend.datagram_address}
    return deploy(tool, way, variables, handler=handler, concurrency=concurrency)


def logged(function: Deployed, answer: Answer) -> list[dict[str, Any]]:
    """Return what the request has logged."""
    records = log_records(function.log, "function_request_id")
    return [record for record in records if record["function_request_id"] == answer.request_id]


def metrics(function: Deployed, tea: str) -> list[dict[str, Any]]:
    """Return the metrics of a tea."""
    return [record for record in log_records(function.log, "_aws") if record.get("tea") == tea]


@each_way
def test_a_record_has_the_request_s_id_trace_and_keys(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of("powertools", way, deploy, backend)

    answer = function.get(f"/tea/{way.unique}", source=way.source)
    without_keys = function.get(f"/plain/{way.unique}", source=way.source)

    assert answer.is_streamed == way.is_streamed
    (record,) = logged(function, answer)
    assert (record["message"], record["tea"]) == ("brew", way.unique)
    assert record["xray_trace_id"].replace("1-", "", 1).replace("-", "") == answer.trace_id
    (record,) = logged(function, without_keys)
    assert "tea" not in record, "the keys of a request end with it"


@each_way
def test_metrics_are_in_the_log_before_the_freeze(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of("powertools", way, deploy, backend)

    function.get(f"/tea/metric-{way.unique}", source=way.source)

    (metric,) = metrics(function, f"metric-{way.unique}")
    (definition,) = metric["_aws"]["CloudWatchMetrics"]
    assert (definition["Namespace"], metric["Teas"]) == ("Shop", [1.0])


@each_way
def test_subsegments_are_below_lambda_s_segment(way: Way, deploy: Deploy, backend: Backend) -> None:
    answer = function_of("powertools", way, deploy, backend).get(f"/tea/traced-{way.unique}", source=way.source)

    (brew,) = [span for span in xray_subsegments(backend.datagrams()) if span.name == f"brew traced-{way.unique}"]
    assert (brew.trace_id, brew.parent_id) == (answer.trace_id, PARENT)


@each_way_at_once
def test_requests_at_once_do_not_mix(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of("powertools", way, deploy, backend, PARTIES)
    names = [f"{way.unique}-{number}" for number in range(PARTIES)]

    for answer in function.get_together(*names, source=way.source):
        (record,) = logged(function, answer)
        assert record["tea"] == answer.name
        assert len(metrics(function, answer.name)) == 1
    recorded = {span.name for span in xray_subsegments(backend.datagrams())}
    assert not recorded & {f"brew {name}" for name in names}, "X-Ray's SDK, which Tracer uses, records nothing"


@each_way_with_flask
def test_the_decorators_work_for_one_request_at_a_time(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of("powertools-handler", way, deploy, backend)

    for number in (1, 2):
        before = len(log_records(function.log, "_aws"))
        answer = function.get(f"/tea/{way.unique}-{number}", source=way.source)

        assert not answer.is_streamed
        (record,) = logged(function, answer)
        assert (record["tea"], record["function_name"]) == (answer.name, "teas")
        assert (
            len([record for record in log_records(function.log, "_aws") if record.get("Teas") == [1.0]]) == before + 1
        )
        spans = [span for span in xray_subsegments(backend.datagrams()) if span.trace_id in ("", answer.trace_id)]
        (handler,) = [span for span in spans if span.parent_id == PARENT and span.trace_id == answer.trace_id]
        assert handler.name == "## handler"
        assert f"brew {answer.name}" in [span.name for span in spans]


def test_the_decorators_mix_requests_at_once(deploy: Deploy, backend: Backend) -> None:
    way = Way("bridge", "flask", "http-api")
    function = function_of("powertools-handler", way, deploy, backend, PARTIES)

    answers = function.get_together(*(f"mixed-{number}" for number in range(PARTIES)))

    records = [record for record in log_records(function.log, "function_request_id") if record["message"] == "brew"]
    logged = {(record["function_request_id"], record["tea"]) for record in records}
    assert logged != {(answer.request_id, answer.name) for answer in answers}, json.dumps(records)
