"""``bridge exec``, ``command``, ``manage`` and ``flask``: a command inside a deployed function, or in this process."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.adapter import Handler
from bridge.dev.cli.function_loader import load_functions, needs, say
from bridge.dev.cli.lambda_client import Outcome, RemoteError, client, invoke, outcome
from bridge.dev.cli.options import add_framework_options, framework_options
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.gateway.context import LocalContext
from bridge.dev.projects import pyproject
from bridge.dev.projects.project import find_project
from bridge.errors import EventError
from bridge.remote import VARIABLE, command_event

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_LOCAL_SECONDS = 15 * 60  # as long as a function may have
# What each does, and what its text is.
_COMMANDS = {
    "exec": ("run Python code in a deployed function", "CODE", "Python code, which finds the application as app"),
    "command": ("run a shell's command line in a deployed function", "LINE", "a command line for the shell"),
    "manage": ("run a command of Django's manage.py in a deployed function", "WORDS", "its words: 'migrate --noinput'"),
    "flask": ("run a command of Flask's command line in a deployed function", "WORDS", "its words: 'routes'"),
}


def add_to(commands: Any) -> None:
    """Add the four commands to the parser."""
    for command, (what, metavar, text) in _COMMANDS.items():
        parser = commands.add_parser(command, help=what, description=_description(command, what))
        where = parser.add_mutually_exclusive_group().add_argument
        where("--function", metavar="NAME", help="the function's name or ARN")
        local = "in this process instead, with this application; without APP the project's"
        where("--local", nargs="?", const="", metavar="APP", help=local)
        given = parser.add_mutually_exclusive_group().add_argument
        given("-c", "--command", dest="text", metavar=metavar, help=text)
        given("-f", "--file", metavar="FILE", help="a file with that; - for standard input, which is the default")
        add = parser.add_argument
        add("--region", help="the function's region; as for the AWS CLI, like the next three")
        add("--profile", help="whose credentials and region")
        add("--qualifier", metavar="VERSION", help="a version or alias of the function")
        add("--endpoint-url", metavar="URL", help="where Lambda is, if not at AWS")
        add("--env-file", metavar="FILE", help="with --local: NAME=value lines, set before the application is imported")
        add_framework_options(parser)
        parser.takes_command = command != "exec"
        parser.set_defaults(run=partial(run, command), command=[])


def _description(command: str, what: str) -> str:
    words = "" if command == "exec" else " What comes after -- are its words, in place of -c."
    return (
        f"{what[0].upper()}{what[1:]}, print its output and exit with its status. The function must have the variable "
        f"{VARIABLE}=on.{words}"
    )


def run(command: str, chosen: argparse.Namespace) -> int:
    """Print the command's output; its status is this process's."""
    if chosen.function is None and chosen.local is None:
        raise UsageError("Where? --function NAME is a deployed function, --local APP an application here.")
    _check(chosen)
    event = command_event(command, _text(chosen))
    try:
        status, output = _remotely(chosen, event) if chosen.function is not None else _locally(chosen, event)
    except RemoteError as error:
        raise CommandError(str(error)) from error
    sys.stdout.buffer.write(output.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
    return status


def _check(chosen: argparse.Namespace) -> None:
    """Refuse options that mean nothing together.

    Raises:
        UsageError: there are some.
    """
    if chosen.function is not None:
        said = pyproject.options(Path.cwd()).get("env_file")  # the project's own, which is for other commands
        wrong = ["--env-file"] if chosen.env_file not in (None, said) else []
        wrong += ["--opt"] if chosen.opt else []
        why = "has the function's own environment"
    else:
        options = ("region", "profile", "qualifier", "endpoint_url")
        wrong = [f"--{name.replace('_', '-')}" for name in options if getattr(chosen, name) is not None]
        why = "asks no deployed function"
    if wrong:
        side = "--function" if chosen.function is not None else "--local"
        raise UsageError(f"{side} {why}, so {' and '.join(wrong)} means nothing with it. Leave it out.")


def _text(chosen: argparse.Namespace) -> str:
    """The code or words, from wherever they are given.

    Raises:
        UsageError: they are given twice, or cannot be read.
    """
    if chosen.command:
        if chosen.text is not None or chosen.file is not None:
            raise UsageError("The words after -- stand in place of -c or -f. Leave one of both out.")
        return shlex.join(chosen.command)
    if chosen.text is not None:
        return str(chosen.text)
    try:
        if chosen.file not in (None, "-"):
            return Path(chosen.file).read_text(encoding="utf-8-sig")
        if sys.stdin.isatty():
            say("Reading from the terminal, up to Ctrl-D. (-c gives it in a word, -f from a file.)")
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--file {chosen.file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{chosen.file or 'Standard input'} cannot be read as UTF-8: {error}.") from None


def _remotely(chosen: argparse.Namespace, event: dict[str, Any]) -> Outcome:
    try:
        lambdas = client(region=chosen.region, profile=chosen.profile, endpoint_url=chosen.endpoint_url)
    except ImportError:
        raise needs("boto3", extra="remote") from None
    try:
        return invoke(lambdas, chosen.function, event, chosen.qualifier)
    except KeyboardInterrupt:
        say("The function goes on with the command, and nobody waits for its output.")
        raise
    finally:
        lambdas.close()


def _locally(chosen: argparse.Namespace, event: dict[str, Any]) -> Outcome:
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("bridge").setLevel(logging.WARNING)  # that a command is run needs no line here
    given = framework_options(getattr(chosen, "stage", ""), chosen.opt)
    project = find_project(chosen.local or None, Path.cwd(), given)
    project.functions = project.functions[:1]
    with contextlib.redirect_stdout(sys.stderr):  # what the application prints is no part of the output
        ((name, handler),) = load_functions(project, chosen.env_file).items()
        os.environ[VARIABLE] = "on"
        try:
            payload = _answer(handler, event, LocalContext.starting(_LOCAL_SECONDS, name))
        except EventError as error:
            raise RemoteError(f"{project.functions[0].app}: {error}") from None
        finally:
            if isinstance(handler, Handler):
                handler.close()
    return outcome(payload, project.functions[0].app)


def _answer(handler: Callable[[Any, Any], Any], event: dict[str, Any], context: LocalContext) -> Any:
    payload = handler(event, context)
    return asyncio.run(payload) if inspect.iscoroutine(payload) else payload
