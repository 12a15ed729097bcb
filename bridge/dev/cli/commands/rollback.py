"""``bridge rollback``: lets the front door serve an earlier version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.dev.cli.common_options import positive_integer
from bridge.dev.cli.deploy_options import add_output_option, add_target_options, require_stack, select_deployment
from bridge.dev.cli.output import print_message, to_json
from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    parser = subparsers.add_parser(
        "rollback",
        help="serve an earlier version of the function",
        description="Serve an earlier version of the function. The next `bridge deploy` serves the newest again.",
    )
    parser.add_argument("version", nargs="?", type=positive_integer, metavar="VERSION",
        help="the version, as `bridge versions` lists it; default: the one before the version that serves")  # fmt: skip
    add_target_options(parser)
    add_output_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Change the version that the alias serves, and print it and the one before."""
    selection = select_deployment(options)
    clients = selection.clients("bridge rollback")
    from bridge.dev.deploying.aws import aws_errors
    from bridge.dev.deploying.function_versions import FunctionVersions

    with aws_errors():
        state = require_stack(clients, selection)
        if state.is_changing:
            raise CommandError(
                f"A deployment of {state.name} is in progress ({state.status}), and sets the version. Wait for its "
                "end: `bridge status` shows it."
            )
        versions = FunctionVersions(clients, state.name)
        before = versions.live()
        version = versions.earlier(options.version)
        if version.number != before:
            versions.serve(version.number)
    if options.output == "json":
        print(to_json({"stack": state.name, "version": version.number, "before": before}))
    elif version.number == before:
        print_message(f"{state.name} serves version {before} already.")
    else:
        print_message(f"{state.name} serves version {version.number}, in place of version {before}.")
    return 0
