"""States of a stack that ministack does not have, by botocore's stubber."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from bridge.dev.cli.deploy_progress import PlainProgress
from bridge.dev.deploying.deployed_stack import DeployedStack, StackFailedError
from bridge.dev.deploying.deployer import Deployer
from bridge.dev.deploying.function_settings import FunctionSettings
from bridge.dev.deploying.stack_settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.deploying.artifact_bucket import ArtifactBucket
    from bridge.dev.deploying.aws import AwsClients

NOW = datetime(2026, 11, 29, tzinfo=UTC)
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop-dev/1"


class StubbedCloud:
    """CloudFormation with the answers of a test, in order."""

    def __init__(self) -> None:
        self.api: Any = boto3.client(
            "cloudformation", region_name="eu-west-1", aws_access_key_id="nobody", aws_secret_access_key="nothing"
        )
        self.stubber = Stubber(self.api)

    def client(self, service: str) -> Any:
        assert service == "cloudformation"
        return self.api

    def has_status(self, status: str) -> None:
        stack = {
            "StackName": "shop-dev",
            "StackId": STACK_ID,
            "StackStatus": status,
            "CreationTime": NOW,
            "Tags": [{"Key": "deployed-by", "Value": "serverless-bridge"}],
        }
        self.stubber.add_response("describe_stacks", {"Stacks": [stack]})

    def has_events(self, *events: tuple[str, str, str]) -> None:
        """Add the events, the newest first; of each its resource, its status and the reason."""
        content = [
            {
                "EventId": f"{resource} {status}",
                "StackId": STACK_ID,
                "StackName": "shop-dev",
                "Timestamp": NOW,
                "LogicalResourceId": resource,
                "PhysicalResourceId": STACK_ID if resource == "shop-dev" else resource,
                "ResourceType": "AWS::CloudFormation::Stack" if resource == "shop-dev" else "AWS::Lambda::Function",
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
            for resource, status, reason in events
        ]
        self.stubber.add_response("describe_stack_events", {"StackEvents": content})


@pytest.fixture
def cloud() -> Iterator[StubbedCloud]:
    cloud = StubbedCloud()
    with cloud.stubber:
        yield cloud
    cloud.stubber.assert_no_pending_responses()


def test_a_failed_rollback_is_continued_before_the_deployment(
    cloud: StubbedCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.has_status("UPDATE_ROLLBACK_FAILED")
    cloud.has_events(("shop-dev", "UPDATE_ROLLBACK_FAILED", ""))
    cloud.stubber.add_response("continue_update_rollback", {}, {"StackName": "shop-dev"})
    cloud.has_events(
        ("shop-dev", "UPDATE_ROLLBACK_COMPLETE", ""),
        ("Function", "UPDATE_COMPLETE", ""),
        ("shop-dev", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
        ("shop-dev", "UPDATE_ROLLBACK_FAILED", ""),
    )
    cloud.has_status("UPDATE_ROLLBACK_COMPLETE")
    cloud.has_status("UPDATE_ROLLBACK_COMPLETE")
    stack = StackSettings("shop", "dev", FunctionSettings("3.13", "arm64"))
    deployer = Deployer(cast("AwsClients", cloud), stack, cast("ArtifactBucket", None), PlainProgress())
    assert deployer.prepare().status == "UPDATE_ROLLBACK_COMPLETE"
    assert capsys.readouterr().err.splitlines() == [
        "The last update of shop-dev was not rolled back completely. Rolling it back …",
        "  Function (AWS::Lambda::Function) update complete",
    ]


def test_a_resource_that_cannot_be_deleted_is_named(cloud: StubbedCloud) -> None:
    cloud.has_status("CREATE_COMPLETE")
    cloud.has_events(("shop-dev", "CREATE_COMPLETE", ""))
    cloud.stubber.add_response("delete_stack", {}, {"StackName": STACK_ID})
    cloud.has_events(
        ("shop-dev", "DELETE_FAILED", "The following resource(s) failed to delete: [Function]."),
        ("Function", "DELETE_FAILED", "It is replicated"),
        ("shop-dev", "DELETE_IN_PROGRESS", ""),
        ("shop-dev", "CREATE_COMPLETE", ""),
    )
    cloud.has_status("DELETE_FAILED")
    with pytest.raises(StackFailedError) as error:
        DeployedStack(cast("AwsClients", cloud), "shop-dev").delete(lambda _event: None)
    assert str(error.value) == "Function (AWS::Lambda::Function) failed (DELETE_FAILED): It is replicated."


def test_the_first_failure_is_named_and_not_what_follows_from_it(cloud: StubbedCloud) -> None:
    cloud.has_status("CREATE_IN_PROGRESS")
    cloud.has_events(
        ("shop-dev", "ROLLBACK_COMPLETE", ""),
        ("Role", "CREATE_FAILED", "Resource creation cancelled"),
        ("Function", "CREATE_FAILED", "Function already exists"),
        ("LogGroup", "CREATE_FAILED", "Resource creation cancelled"),
        ("shop-dev", "REVIEW_IN_PROGRESS", ""),
    )
    cloud.has_status("ROLLBACK_COMPLETE")
    stack = DeployedStack(cast("AwsClients", cloud), "shop-dev")
    with pytest.raises(StackFailedError, match=r"^Function .* failed \(CREATE_FAILED\): Function already exists\.$"):
        stack.wait_for_change(stack.read(), "shop-dev REVIEW_IN_PROGRESS", lambda _event: None)
