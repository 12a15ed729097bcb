"""``bridge deploy``: packages and deploys the application; ``bridge template``: prints its CloudFormation template."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.commands.package import add_artifact_options, application_name, exit_on_sigterm, package_options
from bridge.dev.cli.common_options import serverless_options
from bridge.dev.cli.deploy_options import (
    DeploymentSelection,
    add_output_option,
    add_stack_options,
    add_target_options,
    last_deployment,
    select_deployment,
    stack_settings_from,
)
from bridge.dev.cli.deploy_progress import PlainProgress, RichProgress, deployment_progress, paused, print_changes
from bridge.dev.cli.output import missing_package, print_message, to_json
from bridge.dev.deploying.function_settings import DEFAULT_ARCH
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.limits import UNZIPPED_LIMIT
from bridge.dev.packaging.target import MACHINES

if TYPE_CHECKING:
    from bridge.dev.deploying.artifact_bucket import ArtifactFile
    from bridge.dev.deploying.aws import AwsClients
    from bridge.dev.deploying.deployer import DeploymentPlan, DeploymentResult
    from bridge.dev.deploying.stack_settings import StackSettings
    from bridge.dev.deploying.url_check import CheckedResponse

    Progress = PlainProgress | RichProgress

_ARTIFACT = "build/function.zip"
_EFFECTS_ON_URL = {
    "new": "The URL is new, and open to the public.",
    "kept": "The URL stays as it is. It is open to the public.",
    "changes": "The URL changes: the current one stops working. The new one is open to the public.",
    "may change": "The URL may change: AWS decides during the deployment. It is open to the public.",
}


def add_parser(subparsers: Any) -> None:
    """Add the parsers of the two commands."""
    parser = subparsers.add_parser(
        "deploy",
        help="package the application and deploy it to AWS",
        description="Package the application, and create or change its stack on AWS. The last line is the URL.",
    )
    add = parser.add_argument
    add("app", nargs="?", metavar="APP", help="the application, as in `bridge serve`; default: that of the project")
    add_target_options(parser)
    add_stack_options(parser)
    add_artifact_options(parser, arch=DEFAULT_ARCH)
    add("--bucket", help="the bucket for the artifact; default: one for the account and region, which is created")
    add("-y", "--yes", action="store_true", help="do not prompt before the changes")
    add("--dry-run", action="store_true", help="show the changes, and change nothing")
    add("--print-policy", action="store_true", help="print the IAM policy that a deployment needs, and exit")
    add("--check", action=argparse.BooleanOptionalAction, default=True,
        help="call the URL after the deployment; default: on")  # fmt: skip
    add_output_option(parser)
    parser.set_defaults(run=run, arch=None)  # an emulator has another default

    summary = "print the CloudFormation template that `bridge deploy` deploys"
    parser = subparsers.add_parser("template", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    add_target_options(parser)
    add_stack_options(parser)
    add = parser.add_argument
    add("--python", metavar="3.12", help="the function's Python version; default: that of the running Python")
    add("--arch", choices=list(MACHINES), help=f"the function's processor; default: {DEFAULT_ARCH}")
    add("--artifact", metavar="FILE", default=_ARTIFACT, help=f"the zip of `bridge package`; default: {_ARTIFACT}")
    add("--output", choices=("yaml", "json"), default="yaml", help="the format; default: yaml")
    parser.set_defaults(run=run_template)


def run(options: argparse.Namespace) -> int:
    """Deploy, and print the URL on standard output."""
    selection = select_deployment(options)
    stack = stack_settings_from(options, selection)
    if options.print_policy:
        from bridge.dev.deploying.iam_policy import deployer_policy

        print(deployer_policy(stack, options.bucket), end="")
        return 0
    _check_terminal(options)
    if find_spec("boto3") is None:
        raise missing_package("bridge deploy", "boto3", "deploy")
    from bridge.dev.deploying.aws import aws_errors

    clients = selection.clients("bridge deploy")
    with exit_on_sigterm(), aws_errors():
        return _deploy(options, selection, stack, clients)


def _deploy(
    options: argparse.Namespace, selection: DeploymentSelection, stack: StackSettings, clients: AwsClients
) -> int:
    from bridge.dev.deploying.artifact_bucket import ArtifactBucket
    from bridge.dev.deploying.certificates import find_certificate
    from bridge.dev.deploying.deployed_url import deployed_url
    from bridge.dev.deploying.deployer import Deployer
    from bridge.dev.deploying.remembered_deployments import remember_deployment
    from bridge.dev.deploying.secret_references import pin_secrets

    for warning in stack.warnings:
        print_message(warning)
    if stack.function.streaming and selection.target.is_emulator:
        print_message(
            "An emulator that does not run AWS_LAMBDA_EXEC_WRAPPER, such as ministack, returns the payload in place of "
            "a streamed response. Deploy to it with --no-stream."
        )
    account = clients.identity().account  # fails before the packaging, without credentials
    place = f" at {clients.endpoint_url}" if clients.endpoint_url else ""
    print_message(f"Deploying {stack.stack_name} to {clients.region} in the account {account}{place}.")
    stack = find_certificate(clients, stack)
    function = replace(stack.function, secrets=pin_secrets(clients, stack.function.secrets))
    stack = replace(stack, function=function)
    bucket = ArtifactBucket(clients, options.bucket)
    if options.bucket is not None:
        bucket.ensure(print_message)  # fails before the packaging, if there is no such bucket
    app = application_name(options.app, Path.cwd(), serverless_options(options), command="bridge deploy")

    def confirm(plan: DeploymentPlan) -> bool:
        with paused(progress):
            is_confirmed = _confirm(options, stack, plan)
        if is_confirmed:  # so that the other commands find it, whatever happens next
            remember_deployment(Path.cwd(), selection.stage, last_deployment(selection))
        return is_confirmed

    with deployment_progress() as progress:
        deployer = Deployer(clients, stack, bucket, progress)
        state = deployer.prepare()
        result = deployer.deploy(state, _package(options, app, stack, progress), confirm)
    if result.outcome == "unchanged":
        remember_deployment(Path.cwd(), selection.stage, last_deployment(selection))
    url = deployed_url(clients, result.state)
    checks = []
    if options.check and url and result.outcome in ("created", "updated"):
        checks = _check_url(url, clients, is_new=result.outcome == "created")
    _print_result(options, stack, result, url, checks)
    return 0 if result.outcome != "declined" or options.dry_run else 1


def _check_terminal(options: argparse.Namespace) -> None:
    if not (options.yes or options.dry_run or sys.stdin.isatty()):
        raise UsageError(
            "`bridge deploy` prompts before it changes anything, and there is no terminal. Add --yes to deploy, or "
            "--dry-run to see the changes."
        )


def _package(options: argparse.Namespace, app: str, stack: StackSettings, progress: Progress) -> ArtifactFile:
    from bridge.dev.deploying.artifact_bucket import ArtifactFile
    from bridge.dev.packaging.build import build_artifact
    from bridge.dev.packaging.report import format_size, size_warnings

    progress.step(f"Packaging {app}")
    own = {"app": app, "output": _ARTIFACT, "python": stack.function.python, "arch": stack.function.arch}
    others = {"no_app": False, "add_to": None, "files": None, "layer": False, "image": False}
    chosen = package_options(argparse.Namespace(**{**vars(options), **own, **others}))
    try:
        built = build_artifact(chosen, progress.packaging)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"The artifact cannot be built: {place}{error.strerror or error}.") from None
    except KeyboardInterrupt:
        progress.note("Interrupted while packaging: nothing was changed.")
        raise
    about_sizes = size_warnings(built.files, built.sizes)  # for uploads to Lambda itself
    for warning in built.warnings:
        if warning not in about_sizes:
            progress.note(warning)
    unzipped = sum(size.unzipped for size in built.sizes)
    if unzipped > UNZIPPED_LIMIT:
        raise CommandError(
            f"Unzipped, the artifact has {format_size(unzipped)}: Lambda takes up to {format_size(UNZIPPED_LIMIT)}. "
            "Leave files out with --slim and --exclude, or deploy an image: `bridge init image`."
        )
    return ArtifactFile.of(built.files[0])


def _confirm(options: argparse.Namespace, stack: StackSettings, plan: DeploymentPlan) -> bool:
    if plan.replaces_failed:
        print_message("The last creation failed. What is left of it is removed first.")
    if plan.ends_rollback:
        print_message("Nothing has changed since the last deployment. Its version, now rolled back, serves again.")
    print_changes(plan.changes, stack.stack_name)
    if plan.removed_variables:
        print_message(
            "The function loses environment variables that this deployment does not name: "
            f"{', '.join(plan.removed_variables)}. Options count for one deployment, keys in pyproject.toml for all."
        )
    print_message(_EFFECTS_ON_URL[plan.url])
    if options.dry_run:
        return False
    return options.yes or _ask("Deploy these changes?")


def _ask(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _check_url(url: str, clients: AwsClients, *, is_new: bool) -> list[CheckedResponse]:
    from bridge.dev.deploying.url_check import check_url

    checks = check_url(url, clients.endpoint_url, is_new=is_new)
    for name, check in zip(("cold", "warm"), checks, strict=True):
        answer = f"{check.status} in {check.milliseconds} ms" if check.status else f"no response: {check.error}"
        print_message(f"GET {url} ({name}): {answer}")
    if any(check.status is None or check.status == 400 or check.status >= 500 for check in checks):
        print_message("The function is deployed, and does not answer as it should. `bridge logs` shows why.")
    return checks


def _print_result(
    options: argparse.Namespace,
    stack: StackSettings,
    result: DeploymentResult,
    url: str,
    checks: list[CheckedResponse],
) -> None:
    messages = {
        "created": f"{stack.stack_name} is deployed: version {result.version}.",
        "updated": f"{stack.stack_name} is deployed: version {result.version}.",
        "unchanged": f"Nothing has changed. {stack.stack_name} serves version {result.version}.",
        "declined": "Nothing was changed.",
    }
    print_message(messages[result.outcome])
    if target := result.state.outputs.get("DomainTarget"):
        print_message(f"The DNS record of {stack.domain} must be a CNAME, or an alias, of {target}.")
    if options.output == "json":
        content = {
            "stack": stack.stack_name,
            "stage": stack.stage,
            "outcome": "planned" if options.dry_run and result.outcome == "declined" else result.outcome,
            "url": url or None,
            "version": result.version,
            "changes": [asdict(change) for change in result.changes],
            "checks": [asdict(check) for check in checks],
        }
        print(to_json(content))
    elif url and result.outcome != "declined":
        print(url)


def run_template(options: argparse.Namespace) -> int:
    """Print the template, and on standard error how to deploy it."""
    from bridge.dev.deploying.artifact_bucket import ArtifactFile
    from bridge.dev.deploying.stack_template import stack_template

    stack = stack_settings_from(options, select_deployment(options))
    if stack.domain is not None and stack.certificate is None and stack.front_door != "alb":
        raise UsageError("--domain needs its certificate in a template. Name it: --certificate ARN")
    file = Path(options.artifact)
    artifact = ArtifactFile.of(file) if file.is_file() else None
    key = artifact.key(stack.stack_name) if artifact else None
    template = stack_template(stack, artifact.digest if artifact else "", key=key)
    print(json.dumps(template, indent=2) if options.output == "json" else _to_yaml(template), end="")
    if artifact is None:
        print_message(
            f"There is no {file}, so this template publishes no new version if only the code changes. Run `bridge "
            "package` before `bridge template`."
        )
    else:
        print_message(
            f"To deploy it:\n  aws s3 cp {file} s3://BUCKET/{key}\n  aws cloudformation deploy --template-file FILE "
            f"--stack-name {stack.stack_name} \\\n    --parameter-overrides ArtifactBucket=BUCKET "
            f"ArtifactKey={key} --capabilities CAPABILITY_IAM"
        )
    return 0


def _to_yaml(template: dict[str, Any]) -> str:
    try:
        import yaml
    except ImportError:
        raise missing_package("bridge template", "pyyaml", "deploy") from None

    class WithoutAliases(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    return yaml.dump(template, Dumper=WithoutAliases, sort_keys=False, width=120)
