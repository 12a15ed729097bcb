"""The recipe for Sentry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.observability.deployed import PARTIES, each_way, each_way_at_once
from tests.observability.records import sentry_items

if TYPE_CHECKING:
    from tests.observability.backend import Backend
    from tests.observability.conftest import Deploy
    from tests.observability.deployed import Answer, Deployed, Way

pytestmark = pytest.mark.slow


def function_of(way: Way, deploy: Deploy, backend: Backend, concurrency: int = 1) -> Deployed:
    dsn = backend.url.replace("http://", "http://key@") + "/1"
    return deploy("sentry", way, {"SENTRY_DSN": dsn}, concurrency=concurrency)


def items(backend: Backend, kind: str, answer: Answer) -> list[dict[str, Any]]:
    """Return what has been recorded with the request's id."""
    found = sentry_items(backend.bodies("/envelope/"), kind)
    return [item for item in found if item.get("tags", {}).get("aws_request_id") == answer.request_id]


@each_way
def test_an_error_is_sent_once_with_the_request_id_before_the_freeze(
    way: Way, deploy: Deploy, backend: Backend
) -> None:
    function = function_of(way, deploy, backend)

    answer = function.get(f"/broken/{way.unique}", source=way.source)

    assert (answer.status, answer.is_streamed) == (500, way.is_streamed)
    (event,) = items(backend, "event", answer)
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("RuntimeError", f"no {way.unique}")
    (transaction,) = items(backend, "transaction", answer)
    assert event["contexts"]["trace"]["trace_id"] == transaction["contexts"]["trace"]["trace_id"]


@each_way
def test_a_request_is_a_transaction_with_its_spans_in_the_caller_s_trace(
    way: Way, deploy: Deploy, backend: Backend
) -> None:
    function = function_of(way, deploy, backend)
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    answer = function.get(
        f"/tea/{way.unique}", source=way.source, headers=[("sentry-trace", f"{trace_id}-{parent_id}-1")]
    )

    (transaction,) = items(backend, "transaction", answer)
    trace = transaction["contexts"]["trace"]
    assert (trace["trace_id"], trace["parent_span_id"]) == (trace_id, parent_id)
    spans = {span["description"]: span for span in transaction["spans"] if span["op"] == "brew"}
    assert spans.keys() == {way.unique}
    assert spans[way.unique]["parent_span_id"] == trace["span_id"]


@each_way_at_once
def test_requests_at_once_do_not_mix(way: Way, deploy: Deploy, backend: Backend) -> None:
    function = function_of(way, deploy, backend, PARTIES)

    for answer in function.get_together(f"{way.unique}-a", f"{way.unique}-b", f"{way.unique}-c", source=way.source):
        assert (answer.status, answer.is_streamed) == (200, way.is_streamed)
        (transaction,) = items(backend, "transaction", answer)
        assert [span["description"] for span in transaction["spans"] if span["op"] == "brew"] == [answer.name]
