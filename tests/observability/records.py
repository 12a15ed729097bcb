"""What telemetry libraries have sent or logged, decoded."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UDP_HEADER = b'{"format":"json","version":1}\nT1S'


class Span(NamedTuple):
    """A span of any of the tools.

    Attributes:
        name: what was done.
        trace_id, span_id, parent_id: hexadecimal; a parent of ``""`` for a root.
        attributes: of any type.
        is_error: whether the span has failed.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    is_error: bool


def otlp_spans(requests: Iterable[bytes]) -> list[Span]:
    """Return the spans in requests to an OTLP receiver."""
    spans = []
    for request in requests:
        message = ExportTraceServiceRequest.FromString(request)
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {each.key: _otlp_value(each.value) for each in span.attributes}
                    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                    spans.append(Span(span.name, *ids, attributes, span.status.code == span.status.STATUS_CODE_ERROR))
    return spans


def _otlp_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def daemon_spans(datagrams: Iterable[bytes]) -> list[Span]:
    """Return the OTLP spans in datagrams to the X-Ray daemon."""
    bodies = []
    for datagram in datagrams:
        assert datagram.startswith(_UDP_HEADER)
        bodies.append(base64.b64decode(datagram.removeprefix(_UDP_HEADER)))
    return otlp_spans(bodies)


def xray_subsegments(datagrams: Iterable[bytes]) -> list[Span]:
    """Return the subsegments that X-Ray's own SDK has sent to the daemon, and those inside of them."""

    def flat(segment: dict[str, Any]) -> Iterator[Span]:
        name, trace_id, parent_id = segment["name"], segment.get("trace_id", ""), segment.get("parent_id", "")
        yield Span(name, trace_id.removeprefix("1-").replace("-", ""), segment["id"], parent_id, segment, False)
        for child in segment.get("subsegments", ()):
            yield from flat(child)

    return [
        span
        for datagram in datagrams
        if b"\nT1" not in datagram
        for span in flat(json.loads(datagram.partition(b"\n")[2]))
    ]


def sentry_items(requests: Iterable[bytes], kind: str) -> list[dict[str, Any]]:
    """Return the items of a kind, ``"event"`` or ``"transaction"``, in Sentry's envelopes."""
    items = []
    for request in requests:
        _, *lines = request.strip().split(b"\n")
        for head, content in zip(lines[::2], lines[1::2], strict=False):
            if json.loads(head)["type"] == kind:
                items.append(json.loads(content))
    return items


def datadog_spans(requests: Iterable[bytes]) -> list[Span]:
    """Return the spans in requests to a Datadog agent, in version 0.5 of its format."""
    spans = []
    for request in requests:
        texts, traces = msgpack.unpackb(request, strict_map_key=False)
        for trace in traces:
            for _, name, _, trace_id, span_id, parent_id, _, _, error, tags, *_ in trace:
                attributes = {texts[key]: texts[value] for key, value in tags.items()}
                parent = f"{parent_id:x}" if parent_id else ""
                spans.append(Span(texts[name], f"{trace_id:x}", f"{span_id:x}", parent, attributes, bool(error)))
    return spans


def datadog_log_spans(log: str) -> list[Span]:
    """Return the spans that Datadog's library has logged for the Forwarder."""
    traces = [trace for line in _json_objects(log, "traces") for trace in line["traces"]]
    return [
        Span(
            span["name"],
            span["trace_id"],
            span["span_id"],
            "" if int(span["parent_id"], 16) == 0 else span["parent_id"],
            span["meta"],
            bool(span["error"]),
        )
        for trace in traces
        for span in trace
    ]


def newrelic_transactions(log: str) -> list[dict[str, Any]]:
    """Return the attributes of the transactions that New Relic's agent has logged."""
    return [{**intrinsics, **user, **agent} for _, intrinsics, user, agent in _newrelic(log, "analytic_event_data")]


def newrelic_errors(log: str) -> list[dict[str, Any]]:
    """Return the attributes of the errors that New Relic's agent has logged."""
    return [{**intrinsics, **user, **agent} for _, intrinsics, user, agent in _newrelic(log, "error_event_data")]


def newrelic_spans(log: str) -> list[dict[str, Any]]:
    """Return the attributes of the spans that New Relic's agent has logged."""
    return [{**intrinsics, **user, **agent} for _, intrinsics, user, agent in _newrelic(log, "span_event_data")]


def _newrelic(log: str, kind: str) -> Iterator[tuple[str, Any, Any, Any]]:
    for text in re.findall(r'\[1,"NR_LAMBDA_MONITORING","([^"]*)"\]', log):
        payload = json.loads(gzip.decompress(base64.b64decode(text)))
        for event in payload["data"].get(kind, [None, None, []])[2]:
            yield (kind, *event)


def log_records(log: str, key: str) -> list[dict[str, Any]]:
    """Return the JSON objects in a log, one a line, that have a key."""
    return _json_objects(log, key)


def _json_objects(log: str, key: str) -> list[dict[str, Any]]:
    objects = []
    for line in log.splitlines():
        start = line.find("{")
        if start < 0:
            continue
        try:
            value = json.loads(line[start:])
        except ValueError:
            continue
        if isinstance(value, dict) and key in value:
            objects.append(value)
    return objects
