"""The state of a CloudFormation stack, and waiting for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.aws import POLICY_HINT, error_code, missing_permission
from bridge.dev.deploying.stack_settings import MARK, MARK_TAG
from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bridge.dev.deploying.aws import AwsClients

# Seconds between polls: short for changes that take no time, long enough not to be throttled by long ones.
_FIRST_POLL, _LAST_POLL, _POLL_GROWTH = 0.25, 3.0, 1.3
# A change of a function in a VPC, or its deletion, may take this many seconds.
_MAX_WAIT = 45 * 60
# The states of a stack that no change set can update; all of them have no function that serves.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_FAILED_CREATIONS = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
_SUCCESSES = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"}
# Reasons that follow from the failure of another resource.
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled", "The following resource(s) failed")


class StackFailedError(CommandError):
    """CloudFormation could not change a stack. The message names the first resource that failed, and why."""


@dataclass(frozen=True)
class StackState:
    """The state of a stack.

    Attributes:
        name: the name of the stack.
        status: the status of the stack; ``""`` if it does not exist.
        stack_id: the ARN of the stack.
        description: the description of its template.
        outputs: the outputs.
        tags: the tags.
        changed: the time of the last change.
        reason: AWS's reason for the status.
    """

    name: str
    status: str = ""
    stack_id: str = ""
    description: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    changed: datetime | None = None
    reason: str = ""

    @property
    def exists(self) -> bool:
        """Whether the stack has resources, or failed to delete them; a stack without executed change set has none."""
        return self.status not in ("", "REVIEW_IN_PROGRESS", "DELETE_COMPLETE")

    @property
    def is_own(self) -> bool:
        """Whether ``bridge deploy`` has made the stack, or another tool with the template of ``bridge template``."""
        return self.description.startswith(MARK) or MARK_TAG.items() <= self.tags.items()

    @property
    def is_changing(self) -> bool:
        """Whether CloudFormation changes the stack at the moment."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_failed_creation(self) -> bool:
        """Whether the stack must be deleted before it can be created."""
        return self.status in _FAILED_CREATIONS

    @property
    def is_successful(self) -> bool:
        """Whether the last change succeeded."""
        return self.status in _SUCCESSES


@dataclass(frozen=True)
class StackEvent:
    """An event of a stack.

    Attributes:
        event_id: its id.
        resource: the logical id of the resource; the stack's name for the stack itself.
        kind: the type of the resource.
        status: the status of the resource, such as ``CREATE_FAILED``.
        reason: AWS's reason; may be empty.
        is_of_stack: whether the event is that of the stack itself.
    """

    event_id: str
    resource: str
    kind: str
    status: str
    reason: str
    is_of_stack: bool = False

    @property
    def is_end(self) -> bool:
        """Whether the stack has reached the end of a change."""
        return self.is_of_stack and not self.status.endswith("_IN_PROGRESS")

    @property
    def is_failure(self) -> bool:
        """Whether the resource failed by itself, and not because of another one."""
        return not self.is_of_stack and self.status.endswith("_FAILED") and not self.reason.startswith(_CONSEQUENCES)


class DeployedStack:
    """A stack on AWS, which may not exist.

    Args:
        clients: the clients of the account and region.
        name: the name of the stack.

    Attributes:
        name: the name of the stack.
    """

    def __init__(self, clients: AwsClients, name: str) -> None:
        self._clients, self.name = clients, name

    @property
    def api(self) -> Any:
        """The client of CloudFormation."""
        return self._clients.client("cloudformation")

    def read(self, stack_id: str | None = None) -> StackState:
        """Return the state.

        Args:
            stack_id: the ARN of the stack, with which a deleted one is found, too; None for its name.
        """
        from botocore.exceptions import ClientError

        try:
            stack = self.api.describe_stacks(StackName=stack_id or self.name)["Stacks"][0]
        except ClientError as error:
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return StackState(self.name)
            raise
        return StackState(
            name=self.name,
            status=stack["StackStatus"],
            stack_id=stack["StackId"],
            description=stack.get("Description", ""),
            outputs={each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())},
            tags={each["Key"]: each["Value"] for each in stack.get("Tags", ())},
            changed=stack.get("LastUpdatedTime") or stack.get("CreationTime"),
            reason=stack.get("StackStatusReason", ""),
        )

    def read_resources(self) -> dict[str, str]:
        """Return the physical ids of the resources by their logical ids."""
        pages = self.api.get_paginator("list_stack_resources").paginate(StackName=self.name)
        summaries = [each for page in pages for each in page["StackResourceSummaries"]]
        return {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in summaries}

    def last_event(self) -> str:
        """Return the id of the newest event; empty if the stack has none."""
        return next((event.event_id for event in self._events(self.name)), "")

    def wait_until_free(self, on_wait: Callable[[StackState], None]) -> StackState:
        """Wait until no other deployment changes the stack, and return its state.

        Args:
            on_wait: called once, with the state of the stack, if there is something to wait for.
        """
        state = self.read()
        if not state.is_changing:
            return state
        on_wait(state)
        for _ in _polls():
            state = self.read()
            if not state.is_changing:
                return state
        raise self._still_changing(state)

    def wait_for_change(self, state: StackState, since: str, on_event: Callable[[StackEvent], None]) -> StackState:
        """Wait until CloudFormation has changed the stack.

        Args:
            state: a state of the stack from before the change.
            since: the id of the last event before the change; see :meth:`last_event`.
            on_event: called with each event.

        Raises:
            StackFailedError: the change failed, and was rolled back.
        """
        stack_id = state.stack_id or self.read().stack_id
        seen, failure, is_over = {since}, None, False
        for _ in _polls():
            for event in self._new_events(stack_id, seen):
                if not event.is_of_stack:
                    on_event(event)
                if failure is None and event.is_failure:
                    failure = event
                is_over = is_over or event.is_end
            # The status alone may still be that before the change.
            if is_over and not (new := self.read(stack_id)).is_changing:
                if new.is_successful:
                    return new
                raise _failure(new, failure)
        raise self._still_changing(self.read(stack_id))

    def delete(self, on_event: Callable[[StackEvent], None]) -> None:
        """Delete the stack and wait for the end.

        Raises:
            StackFailedError: a resource cannot be deleted.
        """
        state, since = self.read(), self.last_event()
        self.api.delete_stack(StackName=state.stack_id or self.name)
        if state.status == "REVIEW_IN_PROGRESS":  # has no resources
            self.api.get_waiter("stack_delete_complete").wait(
                StackName=state.stack_id, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )
            return
        self.wait_for_change(state, since, on_event)

    def _events(self, name: str) -> Iterator[StackEvent]:
        """Yield the events, the newest first."""
        for page in self.api.get_paginator("describe_stack_events").paginate(StackName=name):
            for event in page["StackEvents"]:
                yield StackEvent(
                    event["EventId"],
                    event.get("LogicalResourceId", ""),
                    event.get("ResourceType", ""),
                    event.get("ResourceStatus", ""),
                    event.get("ResourceStatusReason", ""),
                    event.get("PhysicalResourceId") == event["StackId"],
                )

    def _new_events(self, stack_id: str, seen: set[str]) -> list[StackEvent]:
        """Return the events after those in *seen*, the oldest first, and add them to *seen*."""
        new = []
        for event in self._events(stack_id):
            if event.event_id in seen:
                break
            new.append(event)
        seen.update(event.event_id for event in new)
        return new[::-1]

    def _still_changing(self, state: StackState) -> CommandError:
        return CommandError(
            f"{self.name} is still changing after {_MAX_WAIT // 60} minutes ({state.status}). `bridge status` shows "
            "what it does; run the command again when it has ended."
        )


def explain_failure(reason: str) -> str:
    """Return a reason of AWS, with the missing permission and how to get it."""
    text = reason.rstrip(".")
    return f"{text}. {POLICY_HINT}" if missing_permission(reason) else f"{text}."


def _failure(state: StackState, event: StackEvent | None) -> StackFailedError:
    if event is None:
        return StackFailedError(f"{state.name} failed ({state.status}). {state.reason}".rstrip())
    reason = explain_failure(event.reason) if event.reason else "AWS names no reason."
    return StackFailedError(f"{event.resource} ({event.kind}) failed ({event.status}): {reason}")


def _polls() -> Iterator[None]:
    """Yield, with a longer pause each time, until :data:`_MAX_WAIT`."""
    deadline, pause = time.monotonic() + _MAX_WAIT, _FIRST_POLL
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(pause * _POLL_GROWTH, _LAST_POLL)
