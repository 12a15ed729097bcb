"""The command ``bridge``: one module for each subcommand."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from bridge import __version__
from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Sequence


class CommandError(BridgeError):
    """A command cannot go on; the message says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 if all went well, 1 if not, 2 for wrong options.

    Args:
        arguments: the words after ``bridge``; those of the process if None.
    """
    from bridge.cli import event, invoke, serve

    parser = argparse.ArgumentParser(prog="bridge", description="Python applications behind AWS Lambda front doors.")
    parser.add_argument("--version", action="version", version=f"bridge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (serve, invoke, event):
        command.add_to(commands)
    chosen = parser.parse_args(arguments)
    try:
        sys.exit(chosen.run(chosen))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `bridge event … | head`
        sys.stderr.close()
        sys.exit(141)
    except BridgeError as error:
        print(f"bridge: {error}", file=sys.stderr)
        sys.exit(1)
