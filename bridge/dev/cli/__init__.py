"""The command line, ``bridge``: :func:`main` runs one of :data:`COMMANDS`."""

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

# The module in bridge.dev.cli.commands of each command.
COMMANDS = {
    "serve": "serve",
    "invoke": "invoke",
    "event": "event",
    "package": "package",
    "deploy": "deploy",
    "status": "status",
    "url": "status",
    "versions": "status",
    "logs": "logs",
    "rollback": "rollback",
    "destroy": "destroy",
    "template": "deploy",
    "init": "init",
    "plugin": "plugin",
    "exec": "remote",
    "command": "remote",
    "manage": "remote",
    "flask": "remote",
}


class CommandParser(argparse.ArgumentParser):
    """Parses the options of one command.

    Options and positional arguments may stand in any order: ``bridge invoke app:app -i /path``. The defaults are those
    of ``[tool.bridge]`` in the current folder's pyproject.toml, and of its table for the stage.

    Attributes:
        takes_words: whether the words after ``--`` are stored as ``command``, and not parsed.
    """

    takes_words = False
    _is_parsing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse *args* as :meth:`argparse.ArgumentParser.parse_known_args` does."""
        if self._is_parsing:  # called by parse_known_intermixed_args
            return super().parse_known_args(args, namespace)
        from bridge.dev.cli.common_options import discard_inapplicable_options
        from bridge.dev.projects import pyproject

        self._is_parsing = True
        if self.takes_words and args and "--" in args:
            index = args.index("--")
            self.set_defaults(command=args[index + 1 :])
            args = args[:index]
        project_defaults = pyproject.options(Path.cwd())
        self.set_defaults(**project_defaults)
        options, rest = self.parse_known_intermixed_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")  # with the usage of this command
        stage_defaults = pyproject.options(Path.cwd(), getattr(options, "stage", None) or "")
        if stage_defaults != project_defaults:
            project_defaults = stage_defaults
            self.set_defaults(**project_defaults)
            options, _ = self.parse_known_intermixed_args(args, namespace)
        if any(action.dest == "source" for action in self._actions):
            discard_inapplicable_options(options, project_defaults)
        return options, []


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    The exit status is 0 for success, 1 for a failure, 2 for an invalid option, 130 after Ctrl-C, and for some commands
    another one.

    Args:
        arguments: the words after ``bridge``; None for those of the process.
    """
    from bridge.dev.cli.process_exit import exit_if_threads_hang

    parser = argparse.ArgumentParser(
        prog="bridge", description="Serve, package and deploy Python web applications for AWS Lambda."
    )
    parser.add_argument("--version", action="version", version=f"bridge {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=CommandParser)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        # Importing the modules of all commands takes longer than many a command runs.
        modules = [COMMANDS[words[0]]] if words and words[0] in COMMANDS else dict.fromkeys(COMMANDS.values())
        for module in modules:
            import_module(f"bridge.dev.cli.commands.{module}").add_parser(subparsers)
        options = parser.parse_args(arguments)
        status = options.run(options)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # `bridge event … | head`
        sys.stderr.close()
        status = 141
    except BridgeError as error:
        print(f"bridge: {error}", file=sys.stderr)
        status = error.exit_status if isinstance(error, CommandError) else 1
    exit_if_threads_hang(status)
    sys.exit(status)
