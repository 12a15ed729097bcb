"""``bridge plugin``: the Serverless Framework plugin, where it is or as a copy, and what it reads from Python."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridge
from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    import argparse

_PLUGIN = Path(bridge.__file__).resolve().parent / "dev" / "serverless_plugin"
# The Serverless Framework finds the plugins of a service by name in this folder, and leaves it out of artifacts.
_VENDORED = Path(".serverless_plugins") / "serverless-bridge"


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    summary = "print the folder of the Serverless Framework's plugin, or copy it into the project"
    parser = subparsers.add_parser("plugin", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    action = parser.add_mutually_exclusive_group().add_argument
    action(
        "--vendor",
        action="store_true",
        help=f"copy the plugin into {_VENDORED.as_posix()}, to be committed, where `plugins: [serverless-bridge]` in "
        "serverless.yml finds it",
    )
    action(
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
    if options.vendor:
        return _vendor(here)
    print(f"./{_PLUGIN.relative_to(here).as_posix()}" if _PLUGIN.is_relative_to(here) else _PLUGIN)
    return 0


def _vendor(folder: Path) -> int:
    """Copy the plugin into *folder*, in the place of an earlier copy.

    Raises:
        CommandError: the copy's folder has other files, or cannot be written.
    """
    target = folder / _VENDORED
    if target.exists() and not (target / "index.js").is_file():
        raise CommandError(f"{_VENDORED.as_posix()} exists and is not a copy of the plugin. Move it away first.")
    try:
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(_PLUGIN, target)
    except OSError as error:
        raise CommandError(f"The plugin cannot be copied to {error.filename}: {error.strerror}.") from None
    print(f"Wrote {_VENDORED.as_posix()}, version {bridge.__version__}. Commit it, and name it in serverless.yml:\n")
    print("    plugins:\n      - serverless-bridge\n")
    print("After an update of the Python package, run the command again.")
    return 0


def _print_applications(folder: Path) -> int:
    from bridge.dev.projects.serverless_applications import ServerlessService, describe_applications

    try:
        config = json.load(sys.stdin.buffer)
    except ValueError as error:
        raise UsageError(f"The configuration on standard input is not JSON: {error}") from None
    print(json.dumps(describe_applications(ServerlessService(config, folder))))
    return 0
