"""``bridge status``, ``bridge url`` and ``bridge versions``: what is deployed."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.deploy_options import (
    add_output_option,
    add_target_options,
    require_stack,
    select_deployment,
)
from bridge.dev.cli.output import print_message, to_json
from bridge.dev.deploying.function_versions import DELETED_FUNCTION_HINT
from bridge.dev.errors import CommandError
from bridge.dev.packaging.report import format_size

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bridge.dev.deploying.aws import AwsClients
    from bridge.dev.deploying.deployed_stack import StackState
    from bridge.dev.deploying.function_versions import PublishedVersion

_SUMMARIES = {
    "status": "print the state of the deployment",
    "url": "print the URL of the deployment",
    "versions": "list the published versions of the function",
}


def add_parser(subparsers: Any) -> None:
    """Add the parsers of the three commands."""
    for command, show in (("status", _show_status), ("url", _show_url), ("versions", _show_versions)):
        summary = _SUMMARIES[command]
        parser = subparsers.add_parser(command, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        add_target_options(parser)
        add_output_option(parser)
        parser.set_defaults(run=partial(run, command, show))


def run(
    command: str, show: Callable[[AwsClients, StackState, argparse.Namespace], None], options: argparse.Namespace
) -> int:
    """Print what the command shows of the deployed stack."""
    selection = select_deployment(options)
    clients = selection.clients(f"bridge {command}")
    from bridge.dev.deploying.aws import aws_errors

    with aws_errors():
        show(clients, require_stack(clients, selection), options)
    return 0


def _show_url(clients: AwsClients, state: StackState, options: argparse.Namespace) -> None:
    from bridge.dev.deploying.deployed_url import deployed_url

    url = deployed_url(clients, state)
    if not url:
        raise CommandError(f"{state.name} has no URL: its status is {state.status}. `bridge status` shows more.")
    print(to_json({"url": url}) if options.output == "json" else url)


def _show_status(clients: AwsClients, state: StackState, options: argparse.Namespace) -> None:
    from bridge.dev.deploying.deployed_url import deployed_url
    from bridge.dev.deploying.function_versions import FunctionVersions

    live = FunctionVersions(clients, state.name).live()
    newest = state.outputs.get("Version")
    content = {
        "stack": state.name,
        "status": state.status,
        "reason": state.reason or None,
        "changed": state.changed.isoformat(timespec="seconds") if state.changed else None,
        "region": clients.region,
        "frontDoor": state.outputs.get("FrontDoor"),
        "url": deployed_url(clients, state) or None,
        "version": live,
        "deployedVersion": int(newest) if newest else None,
        "logGroup": state.outputs.get("LogGroup"),
        "tags": state.tags,
    }
    if options.output == "json":
        print(to_json(content))
        return
    labels = {
        "stack": state.name,
        "status": f"{state.status}{f': {state.reason}' if state.reason else ''}",
        "changed": _local_time(state.changed) if state.changed else "",
        "region": clients.region,
        "front door": content["frontDoor"],
        "url": content["url"],
        "version": _version_text(live, newest),
        "logs": content["logGroup"],
        "tags": ", ".join(f"{key}={value}" for key, value in state.tags.items()),
    }
    for label, value in labels.items():
        if value:
            print(f"{label:<11} {value}")


def _show_versions(clients: AwsClients, state: StackState, options: argparse.Namespace) -> None:
    from bridge.dev.deploying.function_versions import FunctionVersions

    versions = FunctionVersions(clients, state.name).all()
    if options.output == "json":
        rows = [
            {
                "version": each.number,
                "published": each.published,
                "size": each.size,
                "sha256": each.digest,
                "live": each.is_live,
            }
            for each in versions
        ]
        print(to_json(rows))
        return
    if not versions:
        print_message(f"{state.name} has no published versions.")
        return
    print(f"{'':>5}  {'published':<19}  {'size':>9}  SHA-256")
    for version in versions:
        print(_version_row(version))


def _version_row(version: PublishedVersion) -> str:
    published = _local_time(datetime.fromisoformat(version.published))
    row = f"{version.number:>5}  {published}  {format_size(version.size):>9}  {version.digest[:12]}"
    return f"{row}  live" if version.is_live else row


def _version_text(live: int | None, newest: str | None) -> str:
    if live is None:
        return f"none: the function or its alias was deleted. {DELETED_FUNCTION_HINT}" if newest else ""
    return f"{live}" if newest in (None, str(live)) else f"{live} (rolled back from {newest})"


def _local_time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
