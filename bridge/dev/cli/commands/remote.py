"""``bridge exec``, ``command``, ``manage`` and ``flask``: run a command in a deployed function, or in this process."""

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

from bridge.dev.cli.common_options import add_serverless_options, flag, serverless_options
from bridge.dev.cli.deploy_options import has_deployment, select_deployment
from bridge.dev.cli.function_loader import load_functions, set_environment
from bridge.dev.cli.output import missing_package, print_message, print_warnings
from bridge.dev.cli.remote_client import CommandResult, RemoteError, invoke, make_client, parse_result
from bridge.dev.deploying.stack_settings import ALIAS, DEFAULT_STAGE
from bridge.dev.errors import CommandError, NoApplicationError, UsageError
from bridge.dev.gateway.context import LocalContext
from bridge.dev.projects import pyproject
from bridge.dev.projects.discover import find_project
from bridge.dev.projects.project import Project, ProjectFunction
from bridge.dev.terminal_logs import set_up_logging
from bridge.errors import EventError
from bridge.handlers import Handler
from bridge.remote.commands import VARIABLE, answer, command_event

if TYPE_CHECKING:
    import argparse

_LOCAL_TIMEOUT_SECONDS = 15 * 60  # the longest timeout of a function
# Of each command: its summary, the name of its text in the usage, and the help for that.
_COMMANDS = {
    "exec": ("run Python code in a deployed function", "CODE", "Python code; the application is its variable app"),
    "command": ("run a shell command line in a deployed function", "LINE", "a command line for the shell"),
    "manage": ("run a command of Django's manage.py in a deployed function", "WORDS", "its words: 'migrate --noinput'"),
    "flask": ("run a command of Flask's command line in a deployed function", "WORDS", "its words: 'routes'"),
}


def add_parser(subparsers: Any) -> None:
    """Add the parsers of the four commands."""
    for command, (summary, metavar, text_help) in _COMMANDS.items():
        parser = subparsers.add_parser(command, help=summary, description=_description(command, summary))
        target = parser.add_mutually_exclusive_group().add_argument
        target("--function", metavar="NAME", help="the name or ARN of a deployed function")
        target("--local", nargs="?", const="", metavar="APP",
            help="run on this machine instead, with this application; default: that of the project")  # fmt: skip
        text = parser.add_mutually_exclusive_group().add_argument
        text("-c", "--command", dest="text", metavar=metavar, help=text_help)
        text("-f", "--file", metavar="FILE", help="a file with that text; default: -, which is standard input")
        add = parser.add_argument
        add("--stage", default=None, metavar="STAGE",
            help=f"the stage whose function `bridge deploy` has deployed; default: {DEFAULT_STAGE}")  # fmt: skip
        add("--name", help="the name of that deployment; default: that of the folder")
        add("--region", help="the region of the function; default: as for the AWS CLI")
        add("--profile", help="the profile of the AWS CLI with the credentials and the region")
        add("--qualifier", metavar="VERSION", help="a version or alias of the function")
        add("--endpoint-url", metavar="URL", help="the URL of the Lambda API; default: that of AWS")
        add("--env-file", metavar="FILE", help="with --local: NAME=value lines, set before the application is imported")
        add_serverless_options(parser)
        parser.takes_words = command != "exec"
        parser.set_defaults(run=partial(run, command), command=[])


def _description(command: str, summary: str) -> str:
    words = "" if command == "exec" else " Words after -- replace -c."
    return (
        f"{summary[0].upper()}{summary[1:]}, print its output and exit with its status. The function must have the "
        f"environment variable {VARIABLE}=on.{words}"
    )


def run(command: str, options: argparse.Namespace) -> int:
    """Print the output of the command and return its exit status."""
    _check(options)
    is_deployment = options.function is None and options.local is None
    if is_deployment:
        _select_deployed_function(command, options)
    event = command_event(command, _text(command, options))
    try:
        is_remote = options.function is not None
        result = _run_remotely(command, options, event) if is_remote else _run_locally(command, options, event)
    except RemoteError as error:
        text = str(error)
        if is_deployment and f"{VARIABLE}=on" in text:
            stage = options.stage or DEFAULT_STAGE
            text = f"{text}\nFor this deployment: bridge deploy --stage {stage} --env {VARIABLE}=on"
        raise CommandError(text) from error
    sys.stdout.buffer.write(result.output.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
    return result.status


def _select_deployed_function(command: str, options: argparse.Namespace) -> None:
    """Set the options of the function that ``bridge deploy`` has deployed.

    Raises:
        UsageError: no stage is named, and nothing was deployed from this folder.
    """
    if options.stage is None and not has_deployment(options):
        raise UsageError(
            f"Say where to run the command: in a deployed function with `bridge {command} --function NAME` or `bridge "
            f"{command} --stage STAGE`, or in this process with `bridge {command} --local`."
        )
    selection = select_deployment(options)
    options.function = selection.stack_name
    options.qualifier = options.qualifier or ALIAS
    options.region, options.profile = selection.target.region, selection.target.profile
    options.endpoint_url = selection.target.endpoint_url


def _check(options: argparse.Namespace) -> None:
    """Raise a :class:`UsageError` for options that do not apply."""
    project_defaults = pyproject.options(Path.cwd(), options.stage or "")  # those for other commands are no error

    def given(*names: str) -> list[str]:
        return [flag(name) for name in names if getattr(options, name) not in (None, project_defaults.get(name))]

    if options.local is None:
        wrong = given("env_file") + (["--opt"] if options.opt else [])
        if options.function is not None:
            wrong += given("stage", "name")
        target, reason = "--function", "a deployed function has its own environment"
    else:
        wrong = given("region", "profile", "qualifier", "endpoint_url", "name")
        target, reason = "--local", "it invokes no deployed function"
    if wrong:
        verb, it = ("does", "it") if len(wrong) == 1 else ("do", "them")
        raise UsageError(f"{' and '.join(wrong)} {verb} not apply with {target}: {reason}. Remove {it}.")


def _text(command: str, options: argparse.Namespace) -> str:
    """Return the code or command line, from an option, the words after ``--``, a file or standard input."""
    if options.command:
        if options.text is not None or options.file is not None:
            raise UsageError("The command is given twice: after -- and with -c or -f. Remove one of them.")
        return shlex.join(options.command)
    if options.text is not None:
        return str(options.text)
    try:
        if options.file not in (None, "-"):
            return Path(options.file).read_text(encoding="utf-8-sig")
        if sys.stdin.isatty():
            print_message(
                f"Reading the command from the terminal until Ctrl-D. (Or give it as `bridge {command} -c TEXT`.)"
            )
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--file {options.file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{options.file or 'Standard input'} is not valid UTF-8: {error}.") from None


def _run_remotely(command: str, options: argparse.Namespace, event: dict[str, Any]) -> CommandResult:
    try:
        client = make_client(region=options.region, profile=options.profile, endpoint_url=options.endpoint_url)
    except ImportError:
        raise missing_package(f"bridge {command} --function", "boto3", "remote") from None
    try:
        return invoke(client, options.function, event, options.qualifier)
    except KeyboardInterrupt:
        print_message("Interrupted. The function continues to run the command; its output is lost.")
        raise
    finally:
        client.close()


def _run_locally(command: str, options: argparse.Namespace, event: dict[str, Any]) -> CommandResult:
    set_up_logging(logging.WARNING)
    logging.getLogger("bridge").setLevel(logging.WARNING)  # without the line that a command is run
    os.environ[VARIABLE] = "on"
    words, is_shell = f"bridge {command} --local", command == "command"
    try:
        project = find_project(
            options.local or None,
            Path.cwd(),
            serverless_options(options),
            command=words,
            detect=not is_shell,
            env_file=options.env_file,
        )
    except NoApplicationError:
        if not is_shell:
            raise
        project = Project([ProjectFunction("bridge", "")])
    print_warnings(project)
    project.functions = project.functions[:1]
    (function,) = project.functions
    context = LocalContext(_LOCAL_TIMEOUT_SECONDS, function.name)
    if is_shell:
        set_environment(project, options.env_file)
        return parse_result(answer(event, context, app=None), "bridge")
    with contextlib.redirect_stdout(sys.stderr):  # so that standard output has nothing but the command's output
        (handler,) = load_functions(project, options.env_file).values()
        try:
            payload = handler(event, context)
            if inspect.iscoroutine(payload):
                payload = asyncio.run(payload)
        except EventError as error:
            raise RemoteError(f"{function.app}: {error}") from None
        finally:
            if isinstance(handler, Handler):
                handler.close()
    return parse_result(payload, function.app)
