"""The recipes for New Relic: the agent alone, and the wrapper for Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.observability.deployed import PARTIES, WAYS, Way, each_way, each_way_with_flask
from tests.observability.records import newrelic_errors, newrelic_spans, newrelic_transactions

if TYPE_CHECKING:
    from tests.observability.conftest import Deploy
    from tests.observability.deployed import Answer, Deployed

pytestmark = pytest.mark.slow


def function_of(way: Way, deploy: Deploy, concurrency: int = 1) -> Deployed:
    return deploy("newrelic", way, {}, concurrency=concurrency)


def of(answer: Answer, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events with the request's id."""
    return [event for event in events if event.get("aws.requestId") == answer.request_id]


@each_way
def test_a_request_is_a_transaction_that_is_logged_before_the_freeze(way: Way, deploy: Deploy) -> None:
    function = function_of(way, deploy)

    answer = function.get(f"/tea/{way.unique}", source=way.source)

    assert answer.is_streamed == way.is_streamed
    (transaction,) = of(answer, newrelic_transactions(function.log))
    spans = [span for span in newrelic_spans(function.log) if span["traceId"] == transaction["traceId"]]
    assert f"Function/brew {way.unique}" in [span["name"] for span in spans]


@each_way
def test_an_error_is_logged_with_the_request_id(way: Way, deploy: Deploy) -> None:
    function = function_of(way, deploy)

    answer = function.get(f"/broken/{way.unique}", source=way.source)

    (error,) = of(answer, newrelic_errors(function.log))
    assert error["error.message"] == f"no {way.unique}"


# In threads, as for Flask, the agent loses transactions.
@pytest.mark.parametrize("way", [way for way in WAYS if way.client == "bridge" and way.framework == "fastapi"], ids=str)
def test_requests_at_once_do_not_mix(way: Way, deploy: Deploy) -> None:
    function = function_of(way, deploy, PARTIES)
    names = [f"{way.unique}-{number}" for number in range(PARTIES)]

    for answer in function.get_together(*names, source=way.source):
        assert (answer.status, answer.is_streamed) == (200, way.is_streamed)
        (transaction,) = of(answer, newrelic_transactions(function.log))
        spans = [span for span in newrelic_spans(function.log) if span["traceId"] == transaction["traceId"]]
        assert [span["name"] for span in spans if "brew" in span["name"]] == [f"Function/brew {answer.name}"]


@each_way_with_flask
def test_the_wrapper_records_the_invocation_for_one_request_at_a_time(way: Way, deploy: Deploy) -> None:
    function = deploy("newrelic-lambda", way, {}, handler="app.handler")

    answer = function.get(f"/tea/{way.unique}", source=way.source)

    assert (answer.status, answer.is_streamed) == (200, False)
    (transaction,) = of(answer, newrelic_transactions(function.log))
    assert transaction["aws.lambda.arn"].rpartition(":")[2] == "teas"
