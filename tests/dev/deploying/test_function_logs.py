"""The lines of a function's log, and the requests that they belong to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.dev.cli.commands.logs import format_line
from bridge.dev.deploying.function_logs import FunctionLogs, LogLine, parse_since
from bridge.dev.errors import UsageError

if TYPE_CHECKING:
    from bridge.dev.deploying.aws import AwsClients

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
REPORT = "Duration: 12.5 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\tMax Memory Used: 70 MB\tInit Duration: 250 ms"


class FakeLogs:
    """CloudWatch with the events of a test, and a paginator that returns them."""

    def __init__(self, *messages: tuple[str, str]) -> None:
        self._events = [
            {"eventId": str(index), "logStreamName": stream, "timestamp": 1_764_417_600_000 + index, "message": message}
            for index, (stream, message) in enumerate(messages)
        ]

    def client(self, _service: str) -> FakeLogs:
        return self

    def get_paginator(self, _name: str) -> FakeLogs:
        return self

    def paginate(self, **_options: Any) -> list[dict[str, Any]]:
        return [{"events": self._events[:2]}, {"events": self._events[2:]}]


def lines(*messages: tuple[str, str], text: str | None = None) -> list[LogLine]:
    clients = cast("AwsClients", FakeLogs(*messages))
    return list(FunctionLogs(clients, "group").read(NOW, text))


def test_a_line_belongs_to_the_request_that_its_sandbox_answers() -> None:
    found = lines(
        ("a", f"START RequestId: {FIRST} Version: 1\n"),
        ("b", f"START RequestId: {SECOND} Version: 1\n"),
        ("a", "first\n"),
        ("b", "second\n"),
        ("a", f"END RequestId: {FIRST}\n"),
        ("a", f"REPORT RequestId: {FIRST}\t{REPORT}\n"),
        ("a", "between two requests\n"),
    )
    assert [(line.kind, line.request_id) for line in found] == [
        ("start", FIRST),
        ("start", SECOND),
        ("message", FIRST),
        ("message", SECOND),
        ("end", FIRST),
        ("report", FIRST),
        ("message", ""),
    ]
    assert [format_line(line, use_colors=False).partition(" ")[2] for line in found[2:6]] == [
        "11111111 first",
        "22222222 second",
        "",
        "11111111 took 12.5 ms, used 70 MB, cold start 250 ms",
    ]


def test_a_filter_keeps_the_requests_of_the_lines() -> None:
    messages = (("a", f"START RequestId: {FIRST} Version: 1"), ("a", "green tea"), ("a", "coffee"))
    (line,) = lines(*messages, text="tea")
    assert (line.text, line.request_id) == ("green tea", FIRST)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (f'{{"level": "ERROR", "message": "cold", "requestId": "{FIRST}", "cups": 2}}', "11111111 ERROR cold  cups=2"),
        ('{"levelname": "info", "msg": "warm"}', "         INFO warm"),
        ('{"message": "no", "stackTrace": ["  File \\"app.py\\", line 1\\n"]}', '         no\n  File "app.py", line 1'),
        (
            f'{{"type": "platform.report", "record": {{"requestId": "{FIRST}", "metrics": {{"durationMs": 3}}}}}}',
            "11111111 took 3 ms",
        ),
        ('{"broken":', '         {"broken":'),
        (f"[ERROR]\t2026-11-29T12:00:00Z\t{FIRST}\ttea", f"11111111 [ERROR]\t2026-11-29T12:00:00Z\t{FIRST}\ttea"),
    ],
)
def test_json_lines_are_readable(message: str, text: str) -> None:
    (line,) = lines(("a", message))
    assert format_line(line, use_colors=False).partition(" ")[2] == text


def test_levels_and_requests_have_colors_at_a_terminal() -> None:
    (line,) = lines(("a", f'{{"level": "ERROR", "message": "cold", "requestId": "{FIRST}"}}'))
    assert "\x1b[31mERROR cold\x1b[0m" in format_line(line, use_colors=True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", datetime(2026, 11, 29, 11, 59, 30, tzinfo=UTC)),
        ("5m", datetime(2026, 11, 29, 11, 55, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 29, 10, 0, tzinfo=UTC)),
        ("1d", datetime(2026, 11, 28, 12, 0, tzinfo=UTC)),
        ("2026-11-29T11:00:00+00:00", datetime(2026, 11, 29, 11, 0, tzinfo=UTC)),
    ],
)
def test_since_is_a_duration_or_a_time(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


def test_another_since_is_an_error() -> None:
    with pytest.raises(UsageError, match="--since yesterday: write a duration, such as 30s, 5m, 2h or 1d"):
        parse_since("yesterday")
