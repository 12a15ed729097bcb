"""``bridge plugin``: the folder of the Serverless Framework plugin, and what the plugin reads from Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridge
from bridge.dev.errors import UsageError

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    summary = "print the folder of the Serverless Framework's plugin, for plugins: in serverless.yml"
    parser = subparsers.add_parser("plugin", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument(
        "--applications",
        action="store_true",
        help="for the plugin: read a resolved configuration from standard input, and print its applications, as JSON",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the folder: relative, as osls requires of a local plugin, if it is below the current folder."""
    here = Path.cwd().resolve()
    if options.applications:
        return _print_applications(here)
    folder = Path(bridge.__file__).resolve().parent / "dev" / "serverless_plugin"
    print(f"./{folder.relative_to(here).as_posix()}" if folder.is_relative_to(here) else folder)
    return 0


def _print_applications(folder: Path) -> int:
    from bridge.dev.projects.serverless_service import ServerlessService, describe_applications

    try:
        config = json.load(sys.stdin.buffer)
    except ValueError as error:
        raise UsageError(f"The configuration on standard input is not JSON: {error}") from None
    print(json.dumps(describe_applications(ServerlessService(config, folder))))
    return 0
