"""A deployment from the change set to the URL: :class:`Deployer`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bridge.dev.deploying.aws import aws_errors
from bridge.dev.deploying.change_set import ChangeSet, OutdatedChangeSetError, ResourceChange, url_effect
from bridge.dev.deploying.deployed_stack import DeployedStack, StackFailedError, StackState
from bridge.dev.deploying.function_settings import STREAMING_VARIABLES
from bridge.dev.deploying.function_versions import FunctionVersions
from bridge.dev.deploying.stack_settings import MARK_TAG
from bridge.dev.deploying.stack_template import stack_template
from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.deploying.artifact_bucket import ArtifactBucket, ArtifactFile
    from bridge.dev.deploying.aws import AwsClients
    from bridge.dev.deploying.deployed_stack import StackEvent
    from bridge.dev.deploying.stack_settings import StackSettings


class DeploymentProgress(Protocol):
    """Displays the progress of a deployment."""

    def step(self, text: str) -> None:
        """Begin a step of the deployment."""

    def note(self, text: str) -> None:
        """Print a message."""

    def start_upload(self, size: int) -> None:
        """Begin an upload of *size* bytes."""

    def uploaded(self, size: int) -> None:
        """Add *size* bytes to those that have arrived."""

    def resource(self, event: StackEvent) -> None:
        """Display the event of a resource."""


@dataclass(frozen=True)
class DeploymentPlan:
    """The changes of a deployment.

    Attributes:
        changes: the changes of resources.
        url: what they mean for the URL; see :func:`bridge.dev.deploying.change_set.url_effect`.
        creates: whether the stack is created.
        replaces_failed: whether the remains of a failed creation are removed first.
        ends_rollback: whether nothing changes but the version that the alias serves, after ``bridge rollback``.
        removed_variables: the names of environment variables that the function has and the deployment does not name.
    """

    changes: list[ResourceChange]
    url: str
    creates: bool
    replaces_failed: bool = False
    ends_rollback: bool = False
    removed_variables: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DeploymentResult:
    """The result of a deployment.

    Attributes:
        outcome: ``created``, ``updated``, ``unchanged``, or ``declined``.
        state: the state of the stack.
        changes: the changes.
        version: the version that serves; None if there is none.
    """

    outcome: str
    state: StackState
    changes: list[ResourceChange] = field(default_factory=list)
    version: int | None = None


class Deployer:
    """Deploys an artifact.

    Args:
        clients: the clients of the account and region.
        settings: the settings of the stack.
        bucket: the bucket for the artifact.
        progress: displays the progress.
    """

    def __init__(
        self,
        clients: AwsClients,
        settings: StackSettings,
        bucket: ArtifactBucket,
        progress: DeploymentProgress,
    ) -> None:
        self._settings, self._bucket, self._progress = settings, bucket, progress
        self._stack = DeployedStack(clients, settings.stack_name)
        self._versions = FunctionVersions(clients, settings.stack_name)

    def prepare(self) -> StackState:
        """Return the state of the stack when no other deployment changes it.

        An update whose rollback failed is rolled back to its end.

        Raises:
            CommandError: another tool has made the stack, or a function of its name, or has deleted the function.
        """
        state = self._stack.wait_until_free(self._report_wait)
        if state.exists and not state.is_own:
            raise CommandError(
                f"The stack {state.name} exists, and was not made by `bridge deploy`. Choose another name with --name "
                "or another stage with --stage."
            )
        if not state.exists and self._versions.function_exists():
            raise CommandError(
                f"The function {state.name} exists, and was not made by `bridge deploy`. Choose another name with "
                "--name or another stage with --stage."
            )
        if state.status == "UPDATE_ROLLBACK_FAILED":
            self._progress.note(f"The last update of {state.name} was not rolled back completely. Rolling it back …")
            since = self._stack.last_event()
            self._stack.api.continue_update_rollback(StackName=state.name)
            with contextlib.suppress(StackFailedError):  # UPDATE_ROLLBACK_COMPLETE counts as a failure
                self._stack.wait_for_change(state, since, self._progress.resource)
            state = self._stack.read()
        if _deployed_version(state) is not None and not state.is_failed_creation:
            self._versions.require_live()
        return state

    def deploy(
        self, state: StackState, artifact: ArtifactFile, confirm: Callable[[DeploymentPlan], bool]
    ) -> DeploymentResult:
        """Show the changes, and apply them if they are confirmed.

        Args:
            state: the state of the stack, as :meth:`prepare` returns it.
            artifact: the artifact.
            confirm: returns whether to apply a plan; False leaves everything as it was.

        Raises:
            StackFailedError: CloudFormation could not apply the changes, and rolled them back.
            CommandError: the changes cannot be computed, or the artifact cannot be uploaded.
        """
        while True:
            change_set = self._change_set(state, artifact)
            try:
                plan = self._plan(state, change_set)
                if not plan.changes:
                    self._discard(change_set)
                    return DeploymentResult("unchanged", state, version=self._versions.live())
                if not confirm(plan):
                    self._discard(change_set)
                    return DeploymentResult("declined", state, plan.changes)
                if plan.ends_rollback:
                    self._discard(change_set)
                    return self._finish("updated", state, plan, artifact)
                self._upload(artifact)
                if plan.replaces_failed:
                    self._progress.step("Removing the remains of the failed creation")
                    self._stack.delete(self._progress.resource)
                    state = self._stack.read()
                    change_set = self._change_set(state, artifact)
                    change_set.create()
                self._progress.step("Changing resources")
                live, since = self._versions.live(), self._stack.last_event()
                change_set.execute()
            except OutdatedChangeSetError:
                self._discard(change_set)
                state = self.prepare()
                continue
            except BaseException:
                self._discard(change_set)
                raise
            new = self._wait(state, since, live)
            return self._finish("created" if plan.creates else "updated", new, plan, artifact)

    def _change_set(self, state: StackState, artifact: ArtifactFile) -> ChangeSet:
        template = stack_template(self._settings, artifact.digest)
        parameters = {
            "ArtifactBucket": self._bucket.name,
            "ArtifactKey": artifact.key(self._settings.stack_name),
        }
        return ChangeSet(self._stack, state, template, parameters, {**self._settings.tags, **MARK_TAG})

    def _plan(self, state: StackState, change_set: ChangeSet) -> DeploymentPlan:
        front_door = self._settings.front_door
        if state.is_failed_creation:
            resources = change_set.template["Resources"]
            changes = [ResourceChange("add", name, resource["Type"]) for name, resource in resources.items()]
            return DeploymentPlan(changes, url_effect(changes, front_door), creates=True, replaces_failed=True)
        self._progress.step("Computing the changes")
        change_set.create()
        changes = change_set.changes
        if not changes and self._versions.live() != _deployed_version(state):
            alias = ResourceChange("modify", "Alias", "AWS::Lambda::Alias", ("FunctionVersion",))
            return DeploymentPlan([alias], "kept", creates=False, ends_rollback=True)
        removed = self._removed_variables() if changes and state.exists else []
        return DeploymentPlan(changes, url_effect(changes, front_door), change_set.creates, removed_variables=removed)

    def _removed_variables(self) -> list[str]:
        named = {*self._settings.function.variables, *STREAMING_VARIABLES}
        return [name for name in self._versions.variables() if name not in named]

    def _upload(self, artifact: ArtifactFile) -> None:
        self._bucket.ensure(lambda name: self._progress.note(f"Creating the bucket {name} for artifacts …"))
        key = artifact.key(self._settings.stack_name)
        if self._bucket.has(artifact, key):
            return
        self._progress.start_upload(artifact.size)
        with aws_errors("The artifact cannot be uploaded"):
            self._bucket.upload(artifact, key, self._progress.uploaded)

    def _wait(self, state: StackState, since: str, live: int | None) -> StackState:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._stack.wait_for_change(state, since, self._progress.resource)
        except (KeyboardInterrupt, BotoCoreError, ClientError):
            self._progress.note(
                f"Interrupted. CloudFormation goes on with {state.name}: `bridge status` shows it, and the next "
                "`bridge deploy` waits for its end."
            )
            raise
        except StackFailedError as error:
            raise StackFailedError(f"{error}\n{self._after_failure(state, live)}") from error

    def _after_failure(self, before: StackState, live: int | None) -> str:
        """Return what has become of the deployment, and make the alias serve the version *live* again."""
        status = self._stack.read().status
        if not before.exists or before.is_failed_creation:
            return (
                f"Nothing was deployed. The stack {before.name} is empty ({status}); the next `bridge deploy` replaces "
                "it."
            )
        if status == "UPDATE_ROLLBACK_FAILED":
            return (
                f"The rollback failed, too ({status}): the resources may be changed in part. The next `bridge deploy` "
                "continues the rollback."
            )
        if live is not None and self._versions.live() != live:  # CloudFormation restores the stack's own version
            self._versions.serve(live)
        return f"All changes were rolled back, and version {live} serves as before."

    def _finish(
        self, outcome: str, state: StackState, plan: DeploymentPlan, artifact: ArtifactFile
    ) -> DeploymentResult:
        """Make the alias serve the stack's version, which ``bridge rollback`` may have changed, and tidy up."""
        live, deployed = self._versions.live(), _deployed_version(state)
        if deployed is not None and live != deployed:
            self._versions.serve(deployed)
            self._progress.note(f"Version {deployed} serves again, in place of version {live}.")
            live = deployed
        try:
            with aws_errors():
                self._versions.prune()
                self._bucket.prune(state.name, artifact.key(state.name))
        except CommandError as error:
            self._progress.note(f"Old versions and artifacts were not removed. {error}")
        return DeploymentResult(outcome, state, plan.changes, live)

    def _report_wait(self, state: StackState) -> None:
        self._progress.note(
            f"Another deployment of {state.name} is in progress ({state.status}). Waiting for its end; Ctrl-C stops "
            "waiting."
        )

    def _discard(self, change_set: ChangeSet) -> None:
        """Delete a change set, whatever its state is; the error of the deployment matters more."""
        with contextlib.suppress(CommandError), aws_errors():
            change_set.discard()


def _deployed_version(state: StackState) -> int | None:
    """Return the version that the stack has published; None if the stack is not complete."""
    version = state.outputs.get("Version")
    return int(version) if version else None
