"""``bridge destroy``: deletes the stack of a deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.deploy_options import add_output_option, add_target_options, require_stack, select_deployment
from bridge.dev.cli.deploy_progress import deployment_progress
from bridge.dev.cli.output import print_message, to_json
from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    import argparse

    from bridge.dev.deploying.deployed_stack import StackState


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    parser = subparsers.add_parser(
        "destroy",
        help="delete the deployment",
        description="Delete the function, its front door and its role. The logs and the artifacts' bucket are kept.",
    )
    add_target_options(parser)
    parser.add_argument("--bucket", help="the bucket with the artifacts, as in `bridge deploy`")
    parser.add_argument("-y", "--yes", action="store_true", help="do not prompt for the name of the deployment")
    add_output_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Delete the stack and its artifacts, and print what is kept."""
    selection = select_deployment(options)
    if not (options.yes or sys.stdin.isatty()):
        raise UsageError(
            "`bridge destroy` prompts for the name of the deployment, and there is no terminal. Add --yes to "
            f"delete {selection.stack_name}."
        )
    clients = selection.clients("bridge destroy")
    from bridge.dev.deploying.artifact_bucket import ArtifactBucket
    from bridge.dev.deploying.aws import aws_errors
    from bridge.dev.deploying.deployed_stack import DeployedStack
    from bridge.dev.deploying.remembered_deployments import remember_deployment

    with aws_errors():
        state = require_stack(clients, selection)
        if not state.is_own:
            raise CommandError(
                f"The stack {state.name} was not made by `bridge deploy`. Delete it with the tool that made it."
            )
        account = clients.identity().account
        print_message(f"Deleting {state.name} in {clients.region}, account {account}. Its URL stops working.")
        if not options.yes and not _is_confirmed(state):
            print_message("Nothing was deleted.")
            return 1
        stack = DeployedStack(clients, state.name)
        with deployment_progress() as progress:
            progress.step("Deleting resources")
            try:
                stack.wait_until_free(lambda busy: progress.note(f"Waiting for the end of {busy.status} …"))
                stack.delete(progress.resource)
            except KeyboardInterrupt:
                progress.note("Interrupted. CloudFormation goes on; run `bridge destroy` again to see the end.")
                raise
        bucket = ArtifactBucket(clients, options.bucket)
        bucket.delete_artifacts(state.name)
    remember_deployment(Path.cwd(), selection.stage, None)
    logs = state.outputs.get("LogGroup")
    if options.output == "json":
        print(to_json({"stack": state.name, "outcome": "deleted", "kept": {"bucket": bucket.name, "logGroup": logs}}))
        return 0
    print_message(f"{state.name} is deleted. The bucket {bucket.name} is kept, without the artifacts of {state.name}.")
    if logs:
        endpoint = f" --endpoint-url {clients.endpoint_url}" if clients.endpoint_url else ""
        print_message(
            f"The logs are kept, too. To delete them: aws logs delete-log-group --region {clients.region}{endpoint} "
            f"--log-group-name {logs}"
        )
    return 0


def _is_confirmed(state: StackState) -> bool:
    print(f"Type {state.name} to delete it: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == state.name
