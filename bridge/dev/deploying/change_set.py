"""Change sets: what a deployment changes, before it does."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.aws import error_code
from bridge.dev.deploying.front_door_resources import DOMAIN_RESOURCE, RULE_CONDITIONS, URL_RESOURCES
from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.dev.deploying.deployed_stack import DeployedStack, StackState

# CloudFormation's reasons for a change set without changes.
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_POLL_SECONDS, _MAX_POLLS = 1, 300
# Errors of a change set whose stack another deployment has changed in the meantime.
_OUTDATED = ("InvalidChangeSetStatus", "ChangeSetNotFound", "OperationInProgressException", "AlreadyExistsException")
_ACTIONS = {"Add": "add", "Modify": "modify", "Remove": "remove", "Import": "add", "Dynamic": "modify"}


@dataclass(frozen=True)
class ResourceChange:
    """A change of a resource.

    Attributes:
        action: ``add``, ``modify``, ``replace``, ``replace?`` if AWS decides during the deployment, ``remove``, or
            ``keep`` for a resource that leaves the stack and is not deleted.
        resource: the logical id of the resource.
        kind: the type of the resource.
        properties: the names of the properties that change.
    """

    action: str
    resource: str
    kind: str
    properties: tuple[str, ...] = ()


class OutdatedChangeSetError(CommandError):
    """Another deployment has changed the stack since the change set was made."""


class ChangeSet:
    """A change set of a stack.

    Args:
        stack: the stack.
        state: its state; a stack that does not exist is created.
        template: the template.
        parameters: the template's parameters.
        tags: the tags of the stack.

    Attributes:
        template: the template.
        changes: the changes, which :meth:`create` sets.
        creates: whether the change set creates the stack.
    """

    def __init__(
        self,
        stack: DeployedStack,
        state: StackState,
        template: Mapping[str, Any],
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        self._stack, self._api, self.template, self._state = stack, stack.api, template, state
        self._name = f"bridge-{int(time.time())}-{secrets.token_hex(4)}"
        self._arguments = {
            "StackName": stack.name,
            "ChangeSetName": self._name,
            "ChangeSetType": "UPDATE" if state.exists else "CREATE",
            "TemplateBody": json.dumps(template),
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        self.changes: list[ResourceChange] = []
        self.creates = not state.exists

    def create(self) -> None:
        """Let CloudFormation compute the changes.

        Raises:
            OutdatedChangeSetError: another deployment has begun to change the stack.
            CommandError: CloudFormation refuses the template.
        """
        from botocore.exceptions import ClientError, WaiterError

        try:
            self._api.create_change_set(**self._arguments)
        except ClientError as error:
            raise self._outdated(error) from error
        names = {"StackName": self._stack.name, "ChangeSetName": self._name}
        try:
            self._api.get_waiter("change_set_create_complete").wait(
                **names, WaiterConfig={"Delay": _POLL_SECONDS, "MaxAttempts": _MAX_POLLS}
            )
        except WaiterError as error:
            if "Error" in error.last_response:  # such as that the other deployment's execution has deleted it
                raise self._outdated(ClientError(error.last_response, "DescribeChangeSet")) from error
            reason = error.last_response.get("StatusReason", str(error))
            if any(text in reason for text in _NO_CHANGES):
                return
            raise CommandError(f"CloudFormation refuses the template of {self._stack.name}: {reason}") from error
        try:
            pages = list(self._api.get_paginator("describe_change_set").paginate(**names))
        except ClientError as error:
            raise self._outdated(error) from error
        self.changes = [
            _resource_change(change["ResourceChange"])
            for page in pages
            for change in page["Changes"]
            if "ResourceChange" in change
        ]
        self.changes.sort(key=lambda change: (change.action == "keep", change.resource))

    def execute(self) -> None:
        """Start the changes.

        Raises:
            OutdatedChangeSetError: another deployment was faster.
        """
        from botocore.exceptions import ClientError

        now, before = self._stack.read(), self._state
        # AWS refuses an outdated change set. An emulator may execute it.
        if now.is_changing or now.exists != before.exists or (now.exists and now.changed != before.changed):
            raise OutdatedChangeSetError(f"Another deployment changes {self._stack.name}.")
        try:
            self._api.execute_change_set(StackName=self._stack.name, ChangeSetName=self._name)
        except ClientError as error:
            raise self._outdated(error) from error

    def discard(self) -> None:
        """Delete the change set, and the empty stack that it was made for."""
        self._api.delete_change_set(StackName=self._stack.name, ChangeSetName=self._name)
        state = self._stack.read()
        if self.creates and state.status == "REVIEW_IN_PROGRESS" and not self._is_shared():
            self._api.delete_stack(StackName=state.stack_id)

    def _is_shared(self) -> bool:
        """Return whether another deployment has a change set of the same empty stack."""
        summaries = self._api.list_change_sets(StackName=self._stack.name)["Summaries"]
        return any(each["ChangeSetName"] != self._name for each in summaries)

    def _outdated(self, error: Exception) -> Exception:
        """Return the error of a change set of a stack that has changed in the meantime; *error* itself otherwise."""
        is_busy = error_code(error) == "ValidationError" and "_IN_PROGRESS" in str(error)
        is_other_type = error_code(error) == "ValidationError" and "already exists" in str(error)
        if error_code(error) in _OUTDATED or is_busy or is_other_type:
            return OutdatedChangeSetError(f"Another deployment of {self._stack.name} is in progress.")
        return error


def url_effect(changes: Sequence[ResourceChange], front_door: str) -> str:
    """Return what changes mean for the URL: ``new``, ``kept``, ``changes`` or ``may change``."""
    by_resource = {change.resource: change.action for change in changes}
    own = [by_resource.get(resource, "") for resource in (*URL_RESOURCES[front_door], DOMAIN_RESOURCE)]
    other_host = any(each.resource == "ListenerRule" and RULE_CONDITIONS in each.properties for each in changes)
    if "remove" in own or (other_host and "add" not in own):
        return "changes"
    if "add" in own:
        others = [each for door in URL_RESOURCES if door != front_door for each in URL_RESOURCES[door]]
        was_there = any(by_resource.get(resource) == "remove" for resource in others)
        return "changes" if was_there else "new"
    if "replace" in own:
        return "changes"
    return "may change" if "replace?" in own else "kept"


def _resource_change(change: Mapping[str, Any]) -> ResourceChange:
    action = _ACTIONS.get(change["Action"], change["Action"].lower())
    if action == "modify":
        action = {"True": "replace", "Conditional": "replace?"}.get(change.get("Replacement", ""), action)
    elif action == "remove" and change.get("PolicyAction") == "Retain":
        action = "keep"
    names = {
        detail["Target"].get("Name") or detail["Target"].get("Attribute", "") for detail in change.get("Details", ())
    }
    return ResourceChange(
        action, change["LogicalResourceId"], change["ResourceType"], tuple(sorted(filter(None, names)))
    )
