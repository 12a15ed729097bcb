"""``bridge logs``: the log of the deployed function."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.deploy_options import add_output_option, add_target_options, require_stack, select_deployment
from bridge.dev.cli.output import print_message
from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    import argparse

    from bridge.dev.deploying.function_logs import LogLine

_DEFAULT_SINCE = "10m"
_RESET, _DIM, _RED, _YELLOW, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[1m"
_LEVEL_COLORS = {"ERROR": _RED, "CRITICAL": _RED, "FATAL": _RED, "WARNING": _YELLOW, "WARN": _YELLOW}
_REQUEST_COLORS = (36, 35, 32, 34, 33, 96, 95, 92, 94)
_ID_LENGTH = 8


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    parser = subparsers.add_parser(
        "logs",
        help="print the log of the deployed function",
        description="Print the log of the deployed function, with the beginning of the request's id in each line.",
    )
    add = parser.add_argument
    add("-f", "--follow", action="store_true", help="wait for further lines, until Ctrl-C")
    add("--since", default=_DEFAULT_SINCE, metavar="TIME",
        help=f"a duration before now, such as 30s, 5m, 2h or 1d, or a time; default: {_DEFAULT_SINCE}")  # fmt: skip
    add("--filter", metavar="TEXT", help="print only lines with this text, in the same case")
    add_target_options(parser)
    add_output_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the lines: as text, or as one JSON object each."""
    from bridge.dev.deploying.function_logs import FunctionLogs, parse_since

    since = parse_since(options.since)
    selection = select_deployment(options)
    clients = selection.clients("bridge logs")
    from bridge.dev.deploying.aws import aws_errors

    with aws_errors():
        state = require_stack(clients, selection)
        group = state.outputs.get("LogGroup")
        if group is None:
            raise CommandError(f"{state.name} has no log: its status is {state.status}. `bridge status` shows more.")
        use_colors = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        count = 0
        for line in FunctionLogs(clients, group).read(since, options.filter, follow=options.follow):
            is_json = options.output == "json"
            text = json.dumps(line.to_dict(), default=str) if is_json else format_line(line, use_colors)
            if text:
                count += 1
                print(text, flush=options.follow)
    if count == 0:
        text = f" with {options.filter!r}" if options.filter else ""
        print_message(f"No lines{text} after {since.astimezone():%H:%M:%S}. To see older ones: --since 1d")
    return 0


def format_line(line: LogLine, use_colors: bool) -> str:
    """Return a line of the log for a terminal; empty for lines that say nothing, such as the end of a request."""
    if line.kind == "end":
        return ""
    moment = f"{line.time.astimezone():%H:%M:%S}.{line.time.microsecond // 1000:03}"
    request = line.request_id[:_ID_LENGTH].ljust(_ID_LENGTH)
    if line.kind == "start":
        text, style = "request", _DIM
    elif line.kind == "report":
        text, style = _report_text(line), _DIM
    else:
        fields = " ".join(f"{key}={_short(value)}" for key, value in line.fields.items() if key != "stackTrace")
        level = "" if not line.level or line.text.startswith((line.level, f"[{line.level}")) else f"{line.level} "
        text = f"{level}{line.text}{f'  {fields}' if fields else ''}{_stack_trace(line)}"
        style = _LEVEL_COLORS.get(line.level, "")
    if not use_colors:
        return f"{moment} {request} {text}"
    color = _REQUEST_COLORS[sum(line.request_id.encode()) % len(_REQUEST_COLORS)]
    return f"{_DIM}{moment}{_RESET} \x1b[{color}m{request}{_RESET} {style}{text}{_RESET if style else ''}"


def _report_text(line: LogLine) -> str:
    metrics = line.fields.get("metrics", line.fields)
    labels = {
        "Duration": "took", "durationMs": "took", "Init Duration": "cold start", "initDurationMs": "cold start",
        "Restore Duration": "restored in", "Max Memory Used": "used", "maxMemoryUsedMB": "used",
    }  # fmt: skip
    units = {"durationMs": " ms", "initDurationMs": " ms", "maxMemoryUsedMB": " MB"}
    parts = [f"{labels[key]} {value}{units.get(key, '')}" for key, value in metrics.items() if key in labels]
    return ", ".join(parts) or line.text


def _stack_trace(line: LogLine) -> str:
    trace = line.fields.get("stackTrace")
    return "".join(f"\n{str(each).rstrip()}" for each in trace) if isinstance(trace, list) else ""


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
