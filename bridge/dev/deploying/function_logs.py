"""The log of a function: events of CloudWatch, and the requests that they belong to."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.deploying.aws import AwsClients

_POLL_SECONDS = 1.0
# Events arrive out of order; each poll reads this many milliseconds again.
_OVERLAP = 10_000
_REMEMBERED_EVENTS = 20_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
_REQUEST_LINE = re.compile(r"(START|END|REPORT) RequestId: (\S+)")
_REQUEST_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_REPORT_FIELDS = ("Duration", "Billed Duration", "Memory Size", "Max Memory Used", "Init Duration", "Restore Duration")
_LEVELS = {"DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "TRACE"}
_TEXT_LEVEL = re.compile(r"\[?(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL|TRACE)\]?\b")


@dataclass(frozen=True)
class LogLine:
    """A line of the log.

    Attributes:
        time: the time.
        request_id: the id of the request that the line belongs to; empty if that is unknown.
        kind: ``start``, ``end``, ``report``, or ``message``.
        level: the level, such as ``ERROR``; empty without one.
        text: the text; of a JSON line its message.
        fields: other fields of a JSON line, and those of a report.
    """

    time: datetime
    request_id: str
    kind: str
    level: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the line for ``--output json``."""
        return {
            "time": self.time.isoformat(timespec="milliseconds"),
            "requestId": self.request_id,
            "kind": self.kind,
            "level": self.level,
            "message": self.text,
            **({"fields": self.fields} if self.fields else {}),
        }


class FunctionLogs:
    """The log of a function.

    Args:
        clients: the clients of the account and region.
        group: the name of the log group.
    """

    def __init__(self, clients: AwsClients, group: str) -> None:
        self._clients, self._group = clients, group
        self._requests: dict[str, str] = {}  # the current request of each stream, which is a sandbox

    def read(self, since: datetime, text: str | None = None, *, follow: bool = False) -> Iterator[LogLine]:
        """Yield the lines from *since* on.

        Args:
            since: the time of the first line.
            text: a text that the lines contain; None for all lines. All lines are read: those without the text show
                which request a line belongs to, and CloudWatch's own filters do not match parts of words.
            follow: whether to wait for further lines, forever.
        """
        start = round(since.timestamp() * 1000)
        seen: deque[str] = deque(maxlen=_REMEMBERED_EVENTS)
        known: set[str] = set()
        while True:
            newest = start
            for event in self._events(start):
                event_id = event.get("eventId") or f"{event['logStreamName']} {event['timestamp']} {event['message']}"
                if event_id in known:
                    continue
                if len(seen) == seen.maxlen:
                    known.discard(seen[0])
                seen.append(event_id)
                known.add(event_id)
                newest = max(newest, event["timestamp"])
                yield from (line for line in self._lines(event) if text is None or text in event["message"])
            if not follow:
                return
            start = max(start, newest - _OVERLAP)
            time.sleep(_POLL_SECONDS)

    def _events(self, start: int) -> Iterator[dict[str, Any]]:
        api = self._clients.client("logs")
        pages = api.get_paginator("filter_log_events").paginate(logGroupName=self._group, startTime=start)
        for page in pages:
            yield from page["events"]

    def _lines(self, event: dict[str, Any]) -> Iterator[LogLine]:
        moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        stream, message = event["logStreamName"], event["message"].rstrip("\n")
        if (line := _parse_json(moment, message)) is not None:
            yield line
            return
        if match := _REQUEST_LINE.match(message):
            kind, request = match[1].lower(), match[2]
            self._requests[stream] = request
            fields = _report_fields(message) if kind == "report" else {}
            yield LogLine(moment, request, kind, "", message, fields)
            if kind == "report":
                self._requests.pop(stream, None)
            return
        named = _REQUEST_ID.search(message)
        request = self._requests.get(stream) or (named[0] if named else "")
        level = _TEXT_LEVEL.match(message)
        yield LogLine(moment, request, "message", level[1] if level else "", message)


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """Return the time that ``--since`` names.

    Args:
        text: a duration before now, such as ``5m``, ``2h`` or ``1d``, or a time in ISO 8601.
        now: the time from which durations count; None for the current time.

    Raises:
        UsageError: the text is neither.
    """
    from datetime import timedelta

    if duration := re.fullmatch(r"(\d+)([smhdw])", text):
        return (now or datetime.now(UTC)) - timedelta(seconds=int(duration[1]) * _UNITS[duration[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since {text}: write a duration, such as 30s, 5m, 2h or 1d, or a time, such as 2026-11-29T12:00."
        ) from None
    return moment.astimezone() if moment.tzinfo is None else moment


def _parse_json(moment: datetime, message: str) -> LogLine | None:
    """Return a line of Lambda's JSON format, or of an application that logs JSON; None for other lines."""
    if not message.startswith("{"):
        return None
    try:
        content = json.loads(message)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    record = content.get("record")
    if (
        isinstance(record, dict) and "type" in content
    ):  # https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
        kind = {"platform.start": "start", "platform.report": "report", "platform.runtimeDone": "end"}
        return LogLine(
            moment, str(record.get("requestId", "")), kind.get(content["type"], "message"), "", content["type"], record
        )
    fields = dict(content)
    request = next((str(fields.pop(key)) for key in ("requestId", "AWSRequestId", "request_id") if key in fields), "")
    level = next((str(fields.pop(key)).upper() for key in ("level", "levelname", "severity") if key in fields), "")
    text = next((str(fields.pop(key)) for key in ("message", "msg", "event") if key in fields), "")
    for key in ("timestamp", "time"):
        fields.pop(key, None)
    return LogLine(moment, request, "message", level if level in _LEVELS else "", text or message, fields)


def _report_fields(message: str) -> dict[str, str]:
    parts = (part.partition(": ") for part in message.split("\t"))
    return {name.strip(): value.strip() for name, _, value in parts if name.strip() in _REPORT_FIELDS}
