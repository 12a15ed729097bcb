"""The command ``bridge``: one module for each subcommand."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bridge import __version__
from bridge.dev.errors import CommandError
from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Sequence


# The module of each.
_COMMANDS = {
    "serve": "commands.serve",
    "invoke": "commands.invoke",
    "event": "commands.event",
    "package": "commands.package",
    "init": "commands.init",
    "plugin": "commands.plugin",
    "exec": "commands.remote",
    "command": "commands.remote",
    "manage": "commands.remote",
    "flask": "commands.remote",
}


class _Parser(argparse.ArgumentParser):
    """Takes options and words in any order, as curl does: ``bridge invoke app:app -i /path``.

    What the project's pyproject.toml says stands in for options that are not given.

    Attributes:
        takes_command: whether the words after ``--`` are a command to run, and no longer the bridge's.
    """

    _is_inside = False
    takes_command = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._is_inside:
            return super().parse_known_args(args, namespace)
        from bridge.dev.cli import options
        from bridge.dev.projects import pyproject

        self._is_inside = True
        if self.takes_command and args and "--" in args:
            place = args.index("--")
            self.set_defaults(command=args[place + 1 :])
            args = args[:place]
        said = pyproject.options(Path.cwd())
        self.set_defaults(**said)
        chosen, rest = self.parse_known_intermixed_args(args, namespace)
        options.settle(chosen, said)
        return chosen, rest


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 if all went well, 1 if not, 2 for wrong options.

    Args:
        arguments: the words after ``bridge``; those of the process if None.
    """
    from bridge.dev.cli.process_exit import leave_if_stuck

    parser = argparse.ArgumentParser(prog="bridge", description="Python applications behind AWS Lambda front doors.")
    parser.add_argument("--version", action="version", version=f"bridge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        # To import the others takes longer than many a command.
        modules = [_COMMANDS[words[0]]] if words and words[0] in _COMMANDS else dict.fromkeys(_COMMANDS.values())
        for module in modules:
            import_module(f"bridge.dev.cli.{module}").add_to(commands)
        chosen = parser.parse_args(arguments)
        status = chosen.run(chosen)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # `bridge event … | head`
        sys.stderr.close()
        status = 141
    except BridgeError as error:
        print(f"bridge: {error}", file=sys.stderr)
        status = error.exit_status if isinstance(error, CommandError) else 1
    leave_if_stuck(status)
    sys.exit(status)
