"""``bridge deploy`` when something fails: the message, what is left behind, and the next deployment.

ministack is the cloud. :class:`FaultProxy` stands before it, and answers some calls as AWS does when it denies or
throttles them, or not at all.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.packages import HOST
from tests.end_to_end.deploy_projects import TARGET, DeployProject
from tests.end_to_end.fault_proxy import Fault, FaultProxy
from tests.end_to_end.front_doors import FrontDoor
from tests.end_to_end.ministack import REGION
from tests.end_to_end.ministack import ministack as ministack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.ministack import Ministack

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(HOST is None, reason="Lambda has no processors of this architecture"),
]

BUCKET = f"serverless-bridge-000000000000-{REGION}"


@pytest.fixture
def proxy(ministack: Ministack) -> Iterator[FaultProxy]:
    with FaultProxy(ministack.url) as proxy:
        yield proxy


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, cache: Path, proxy: FaultProxy) -> DeployProject:
    """A project with a name of its own, since all tests share one account."""
    name = "p" + format(abs(hash(request.node.name)) % 10**9, "d")
    return DeployProject(tmp_path / name, cache, proxy.url)


def stack_status(ministack: Ministack, project: DeployProject, stage: str = "dev") -> str:
    stacks = ministack.client("cloudformation").list_stacks()["StackSummaries"]
    names = [each for each in stacks if each["StackName"] == f"{project.folder.name}-{stage}"]
    return next((each["StackStatus"] for each in names if each["StackStatus"] != "DELETE_COMPLETE"), "")


def change_sets(ministack: Ministack, project: DeployProject) -> list[str]:
    cloud = ministack.client("cloudformation")
    summaries = cloud.list_change_sets(StackName=f"{project.folder.name}-dev")["Summaries"]
    return [each["ChangeSetName"] for each in summaries if each.get("ExecutionStatus") == "AVAILABLE"]


def delete_bucket(ministack: Ministack) -> None:
    """Delete the artifacts' bucket, so that the next deployment creates it."""
    s3 = ministack.client("s3")
    if BUCKET in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        s3.delete_bucket(Bucket=BUCKET)


# Before anything is called


def test_without_credentials_the_error_is_one_sentence(project: DeployProject) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    status, out, err = project.run("deploy", "--yes", **none)
    assert (status, out) == (1, "")
    assert err.startswith("bridge: Unable to locate credentials. To set credentials, run `aws configure` or ")
    assert len(err.splitlines()) == 1


def test_without_a_region_or_with_an_unknown_profile_the_message_says_what_to_set(project: DeployProject) -> None:
    status, _, err = project.run("deploy", "--yes", AWS_REGION="")
    assert (status, err) == (1, "bridge: You must specify a region. Set it with --region or AWS_REGION.\n")
    status, _, err = project.deploy("--profile", "nobody")
    assert (status, "The config profile (nobody) could not be found. Name another one with" in err) == (1, True)


def test_an_endpoint_that_does_not_answer_is_named(project: DeployProject) -> None:
    status, _, err = project.run("deploy", "--yes", "--endpoint-url", "http://127.0.0.1:9")
    assert status == 1
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:9/"' in err
    assert "Check the network connection" in err


# Denied calls

# Each call of a first deployment, with the permission that its denial names.
DENIED = {
    "sts:GetCallerIdentity": "sts:GetCallerIdentity",
    "cloudformation:DescribeStacks": "cloudformation:DescribeStacks",
    "lambda:GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "cloudformation:CreateChangeSet": "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet": "cloudformation:DescribeChangeSet",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:CreateBucket": "s3:CreateBucket",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:HeadObject": "s3:GetObject",
    "s3:PutObject": "s3:PutObject",
    "cloudformation:DescribeStackEvents": "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet": "cloudformation:ExecuteChangeSet",
    "lambda:GetAlias": "lambda:GetAlias",
}


@pytest.mark.parametrize("call", DENIED)
def test_a_denied_call_names_the_permission_and_the_next_deployment_works(
    call: str, project: DeployProject, proxy: FaultProxy, ministack: Ministack
) -> None:
    delete_bucket(ministack)
    proxy.faults = [Fault(call)]
    status, out, err = project.deploy("--no-check")
    assert (status, out) == (1, ""), err
    assert DENIED[call] in err.splitlines()[-1]
    assert "bridge deploy --print-policy" in err
    if call not in ("cloudformation:DescribeStacks", "lambda:GetAlias"):
        assert stack_status(ministack, project) == ""
    proxy.clear()
    project.deploy_successfully("--no-check")
    assert stack_status(ministack, project).endswith("_COMPLETE")


def test_the_calls_of_a_deployment_are_those_that_are_denied_above(
    project: DeployProject, proxy: FaultProxy, ministack: Ministack
) -> None:
    delete_bucket(ministack)
    project.deploy_successfully("--no-check")
    optional = {"lambda:ListVersionsByFunction", "s3:ListObjectsV2"}  # of old versions and artifacts
    assert set(proxy.calls) - optional == DENIED.keys()
    status, policy, _ = project.run("deploy", "--print-policy")
    assert status == 0
    allowed = {action for statement in json.loads(policy)["Statement"] for action in statement["Action"]}
    assert {*DENIED.values(), *optional} - allowed <= {"sts:GetCallerIdentity", "s3:ListObjectsV2"}


@pytest.mark.parametrize("call", ["lambda:ListVersionsByFunction", "s3:ListObjectsV2"])
def test_without_the_permission_to_remove_what_is_old_the_deployment_succeeds(
    call: str, project: DeployProject, proxy: FaultProxy
) -> None:
    proxy.faults = [Fault(call)]
    status, out, err = project.deploy("--no-check")
    assert (status, len(out.splitlines())) == (0, 1), err
    assert "Old versions and artifacts were not removed. The permission " in err


def test_a_resource_that_is_denied_is_named_with_awss_reason(project: DeployProject, proxy: FaultProxy) -> None:
    """CloudFormation reports what it may not do in an event of the resource, which the proxy writes here."""
    reason = b"User: arn:aws:iam::1:user/dev is not authorized to perform: iam:CreateRole on resource: role shop"

    def fail(body: bytes) -> bytes:
        body = re.sub(rb"<ResourceStatusReason>.*?</ResourceStatusReason>|<ResourceStatusReason */>", b"", body)
        failed = (
            b"<ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason>" % reason
        )
        body = body.replace(b"<ResourceStatus>CREATE_COMPLETE</ResourceStatus>", failed)
        return body.replace(b"<StackStatus>CREATE_COMPLETE<", b"<StackStatus>ROLLBACK_COMPLETE<")

    events = "cloudformation:DescribeStackEvents"
    proxy.faults = [Fault(events, rewrite=fail), Fault("cloudformation:DescribeStacks", rewrite=fail)]
    status, out, err = project.deploy("--no-check")
    assert (status, out) == (1, "")
    assert "failed (CREATE_FAILED): User: arn:aws:iam::1:user/dev is not authorized to perform: iam:CreateRole" in err
    assert "`bridge deploy --print-policy` prints the policy" in err
    assert "Nothing was deployed. The stack " in err


# The stack


def test_after_a_failed_creation_the_next_deployment_replaces_what_is_left(
    project: DeployProject, ministack: Ministack
) -> None:
    status, out, err = project.deploy("--secret", "KEY=ssm:/missing:1")
    assert (status, out) == (1, "")
    assert "Function (AWS::Lambda::Function) failed (CREATE_FAILED): " in err
    assert "/missing" in err
    assert "the next `bridge deploy` replaces it." in err
    assert stack_status(ministack, project) == "ROLLBACK_COMPLETE"
    status, out, err = project.deploy("--dry-run")
    assert (status, out, stack_status(ministack, project)) == (0, "", "ROLLBACK_COMPLETE"), err
    status, out, err = project.deploy()
    assert status == 0, err
    assert "The last creation failed. What is left of it is removed first." in err
    assert stack_status(ministack, project) == "CREATE_COMPLETE"


def test_a_name_that_is_taken_is_named(project: DeployProject, ministack: Ministack) -> None:
    name = f"{project.folder.name}-dev"
    ministack.client("cloudformation").create_stack(
        StackName=name, TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    )
    time.sleep(0.5)
    status, out, err = project.deploy()
    assert (status, out) == (1, "")
    assert f"The stack {name} exists, and was not made by `bridge deploy`. Choose another name with --name" in err
    status, _, err = project.run("destroy", "--yes", "--endpoint-url", project.url)
    assert (status, "was not made by `bridge deploy`. Delete it with the tool that made it." in err) == (1, True)
    assert project.deploy_successfully("--name", f"{project.folder.name}b")


def test_the_name_of_another_function_is_taken(project: DeployProject, ministack: Ministack) -> None:
    project.deploy_successfully("--no-check")
    name = f"{project.folder.name}-prod"
    ministack.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/function",
        Handler="app.app",
        Code={"ZipFile": (project.folder / "build" / "function.zip").read_bytes()},
    )
    status, out, err = project.deploy("--stage", "prod")
    assert (status, out) == (1, "")
    assert f"The function {name} exists, and was not made by `bridge deploy`. Choose another name with --name" in err


def test_a_function_that_was_deleted_by_hand_is_named_and_can_be_deployed_again(
    project: DeployProject, ministack: Ministack
) -> None:
    project.deploy_successfully("--no-check")
    ministack.client("lambda").delete_function(FunctionName=f"{project.folder.name}-dev")
    for command in (("deploy", "--yes"), ("versions",), ("rollback",)):
        status, out, err = project.run(*command)
        assert (status, out) == (1, "")
        assert "was deleted by other means than `bridge destroy`." in err
        assert "Run `bridge destroy`, then `bridge deploy`" in err
    status, out, _ = project.run("status")
    assert (status, "version     none: the function or its alias was deleted. " in out) == (0, True)
    assert project.run("destroy", "--yes")[0] == 0
    project.deploy_successfully("--no-check")


def test_a_failed_update_leaves_the_version_before_serving(project: DeployProject, ministack: Ministack) -> None:
    url = project.deploy_successfully("--env", "TEA=sencha")
    project.edit("one", "two")
    status, out, err = project.deploy("--secret", "KEY=ssm:/missing:1")
    assert (status, out) == (1, "")
    assert "Function (AWS::Lambda::Function) failed (UPDATE_FAILED): " in err
    assert "All changes were rolled back, and version 1 serves as before." in err
    assert stack_status(ministack, project) == "UPDATE_ROLLBACK_COMPLETE"
    assert fetch(url, ministack) == "one sencha"
    assert project.deploy_successfully("--env", "TEA=sencha") == url
    assert fetch(url, ministack) == "two sencha"
    assert project.run("rollback", "1")[0] == 0
    project.edit("two", "three")
    status, _, err = project.deploy("--secret", "KEY=ssm:/missing:1")
    assert (status, "and version 1 serves as before." in err) == (1, True)
    assert fetch(url, ministack) == "one sencha"


def test_a_deployment_waits_for_another_one(project: DeployProject, proxy: FaultProxy) -> None:
    project.deploy_successfully("--no-check")
    project.edit("one", "two")

    def busy(body: bytes) -> bytes:
        return body.replace(b"CREATE_COMPLETE", b"UPDATE_IN_PROGRESS")

    proxy.faults = [Fault("cloudformation:DescribeStacks", rewrite=busy, times=3)]
    status, _, err = project.deploy("--no-check")
    assert status == 0, err
    assert err.count("-dev is in progress (UPDATE_IN_PROGRESS). Waiting for its end; Ctrl-C stops waiting.") == 1
    assert "is deployed: version 2." in err


def test_a_status_from_before_the_change_is_not_taken_for_its_end(
    project: DeployProject, proxy: FaultProxy, ministack: Ministack
) -> None:
    project.deploy_successfully("--no-check")
    project.edit("one", "two")
    proxy.faults = [Fault("cloudformation:DescribeStackEvents", rewrite=without_events, times=3, after=1)]
    status, _, err = project.deploy("--no-check")
    assert status == 0, err
    assert "is deployed: version 2." in err
    assert proxy.calls.count("cloudformation:DescribeStackEvents") > 4


def without_events(body: bytes) -> bytes:
    return re.sub(rb"<StackEvents>.*</StackEvents>", b"<StackEvents></StackEvents>", body, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("cloudformation:ExecuteChangeSet", "InvalidChangeSetStatus"),
        ("cloudformation:ExecuteChangeSet", "ChangeSetNotFound"),
        ("cloudformation:CreateChangeSet", "ValidationError"),
        ("cloudformation:CreateChangeSet", "AlreadyExistsException"),
        ("cloudformation:DescribeChangeSet", "ChangeSetNotFound"),
    ],
)
def test_a_change_set_that_another_deployment_outdates_is_made_again(
    call: str, code: str, project: DeployProject, proxy: FaultProxy, ministack: Ministack
) -> None:
    project.deploy_successfully("--no-check")
    project.edit("one", "two")
    message = "Stack:shop is in UPDATE_IN_PROGRESS state and can not be updated."
    proxy.faults = [Fault(call, status=400, code=code, message=message, times=1)]
    status, _, err = project.deploy("--no-check")
    assert status == 0, err
    assert "is deployed: version 2." in err
    assert change_sets(ministack, project) == []


def test_two_deployments_at_once_both_succeed(project: DeployProject, proxy: FaultProxy, ministack: Ministack) -> None:
    # CloudFormation executes one change set of a stack at a time; ministack would execute both.
    message = "ChangeSet [bridge] cannot be executed in its current status of [OBSOLETE]"
    call = "cloudformation:ExecuteChangeSet"
    proxy.faults = [Fault(call, status=400, code="InvalidChangeSetStatus", message=message, after=1, times=1)]
    command = ("deploy", "--yes", "--endpoint-url", project.url, *TARGET, "--no-check")
    processes = [project.start(*command), project.start(*command)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert stack_status(ministack, project) == "CREATE_COMPLETE"
    assert change_sets(ministack, project) == []


def test_an_update_whose_rollback_failed_is_rolled_back_first(project: DeployProject, proxy: FaultProxy) -> None:
    project.deploy_successfully("--no-check")
    project.edit("one", "two")

    def stuck(body: bytes) -> bytes:
        return body.replace(b"CREATE_COMPLETE", b"UPDATE_ROLLBACK_FAILED")

    proxy.faults = [
        Fault("cloudformation:DescribeStacks", rewrite=stuck, times=1),
        Fault("cloudformation:ContinueUpdateRollback", status=400, code="ValidationError", message="not in that state"),
    ]
    status, _, err = project.deploy("--no-check")
    assert (status, "was not rolled back completely. Rolling it back …" in err) == (1, True)
    assert "cloudformation:ContinueUpdateRollback" in proxy.calls
    assert "ContinueUpdateRollback: not in that state (ValidationError)." in err


# The network


def test_throttled_calls_are_tried_again(project: DeployProject, proxy: FaultProxy) -> None:
    proxy.faults = [
        Fault("cloudformation:CreateChangeSet", status=400, code="Throttling", message="Rate exceeded", times=2),
        Fault("cloudformation:DescribeStackEvents", status=400, code="Throttling", message="Rate exceeded", times=2),
        Fault("s3:PutObject", status=503, code="SlowDown", message="Reduce your request rate", times=1),
    ]
    assert project.deploy_successfully("--no-check")


def test_calls_that_are_throttled_for_long_are_reported(project: DeployProject, proxy: FaultProxy) -> None:
    call = "cloudformation:CreateChangeSet"
    proxy.faults = [Fault(call, status=400, code="Throttling", message="Rate exceeded")]
    status, _, err = project.deploy("--no-check")
    assert (status, "AWS throttles CreateChangeSet: Rate exceeded" in err.splitlines()[-1]) == (1, True)


def test_an_upload_that_is_cut_off_continues_where_it_was(
    project: DeployProject, proxy: FaultProxy, ministack: Ministack
) -> None:
    """The artifact has more than 50 MB, which Lambda takes from a bucket."""
    (project.folder / "blob.bin").write_bytes(os.urandom(55 * 1024 * 1024))
    proxy.faults = [Fault("s3:UploadPart", code="", after=4)]
    status, _, err = project.deploy("--no-check")
    assert status == 1
    assert "The artifact cannot be uploaded: " in err.splitlines()[-1]
    assert "Lambda takes up to 50" not in err
    assert stack_status(ministack, project) == ""
    proxy.clear()
    assert project.deploy_successfully("--no-check")
    assert proxy.calls.count("s3:UploadPart") == 3  # of seven
    assert "s3:CreateMultipartUpload" not in proxy.calls
    assert not ministack.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_a_connection_that_is_lost_during_the_changes_leaves_them_to_cloudformation(
    project: DeployProject, proxy: FaultProxy
) -> None:
    # The first call reads the events before the changes.
    proxy.faults = [Fault("cloudformation:DescribeStackEvents", code="", after=1)]
    status, out, err = project.deploy("--no-check")
    assert (status, out) == (1, "")
    message, reason = err.splitlines()[-2:]
    assert message.startswith("Interrupted. CloudFormation goes on with ")
    assert "Check the network connection" in reason
    proxy.clear()
    project.deploy_successfully("--no-check")


def test_an_artifact_above_250_mb_is_refused_before_the_upload(project: DeployProject, proxy: FaultProxy) -> None:
    with (project.folder / "zeros.bin").open("wb") as file:
        file.truncate(251 * 1024 * 1024)
    status, out, err = project.deploy()
    assert (status, out) == (1, "")
    assert "Lambda takes up to 250.0 MiB. Leave files out with --slim and --exclude" in err.splitlines()[-1]
    assert set(proxy.calls) == {
        "sts:GetCallerIdentity",
        "cloudformation:DescribeStacks",
        "lambda:GetFunctionConfiguration",
    }


# Ctrl-C

# The call that hangs in each phase.
PHASES = {
    "changes": "cloudformation:DescribeChangeSet",
    "bucket": "s3:PutPublicAccessBlock",
    "upload": "s3:PutObject",
    "upload in parts": "s3:UploadPart",
    "resources": "cloudformation:DescribeStackEvents",
}


@pytest.mark.parametrize("phase", PHASES)
def test_after_ctrl_c_the_next_deployment_works(
    phase: str, project: DeployProject, proxy: FaultProxy, ministack: Ministack
) -> None:
    if phase == "bucket":
        delete_bucket(ministack)
    if phase == "upload in parts":
        (project.folder / "blob.bin").write_bytes(os.urandom(20 * 1024 * 1024))
    skipped = 1 if phase == "resources" else 0  # the events before the change
    proxy.faults = [Fault(PHASES[phase], is_hanging=True, after=skipped)]
    process = project.start("deploy", "--yes", "--endpoint-url", project.url, *TARGET, "--no-check")
    assert proxy.hanging.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    if phase == "resources":
        assert "Interrupted. CloudFormation goes on with " in err
        assert project.run("status")[0] == 0
    else:
        assert stack_status(ministack, project) == ""
    proxy.clear()
    assert project.deploy_successfully("--no-check")
    assert change_sets(ministack, project) == []


def test_ctrl_c_while_packaging_changes_nothing(project: DeployProject, ministack: Ministack) -> None:
    tools = project.folder.parent / "tools"
    tools.mkdir()
    (tools / "uv").write_text("#!/bin/sh\ntouch started\nexec sleep 60\n")
    (tools / "uv").chmod(0o755)
    (project.folder / "requirements.txt").write_text("flask\n")
    path = f"{tools}:{os.environ['PATH']}"
    process = project.start("deploy", "--yes", "--endpoint-url", project.url, *TARGET, env={"PATH": path})
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Packaging"):
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert stack_status(ministack, project) == ""


def at_a_terminal(project: DeployProject, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run a command with a terminal as standard input, type *answer* at the question, and return status and stderr."""
    ours, theirs = pty.openpty()
    process = project.start(*arguments, stdin=theirs)
    assert process.stderr is not None
    err = ""
    while not err.endswith(("[y/N] ", "to delete it: ")):
        character = process.stderr.read(1)
        assert character, err
        err += character
    if answer == b"\x03":
        process.send_signal(signal.SIGINT)
    else:
        os.write(ours, answer)
    _, rest = process.communicate(timeout=60)
    for each in (ours, theirs):
        os.close(each)
    return process.returncode, err + rest


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 1), (b"\n", 1), (b"\x03", 130), (b"y\n", 0)])
def test_at_a_terminal_it_asks_and_only_yes_deploys(
    answer: bytes, status: int, project: DeployProject, ministack: Ministack
) -> None:
    command = ("deploy", "--endpoint-url", project.url, *TARGET, "--no-check")
    returned, err = at_a_terminal(project, answer, *command)
    assert returned == status, err
    assert "The URL is new, and open to the public." in err
    assert stack_status(ministack, project) == ("CREATE_COMPLETE" if status == 0 else "")


def test_destroying_needs_the_name(project: DeployProject, ministack: Ministack) -> None:
    project.deploy_successfully("--no-check")
    status, err = at_a_terminal(project, b"yes\n", "destroy")
    assert (status, "Nothing was deleted." in err, stack_status(ministack, project)) == (1, True, "CREATE_COMPLETE")
    status, err = at_a_terminal(project, f"{project.folder.name}-dev\n".encode(), "destroy")
    assert (status, stack_status(ministack, project)) == (0, ""), err


def fetch(url: str, ministack: Ministack) -> str:
    """Return the body of a deployed URL."""
    with FrontDoor(url).client(ministack) as client:
        return client.get("").text


def test_a_deployment_without_a_terminal_needs_yes(project: DeployProject) -> None:
    process = project.start("deploy")
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Add --yes to deploy, or --dry-run to see the changes." in err) == (2, True)
