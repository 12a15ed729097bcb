"""``bridge deploy`` and the commands beside it, from an empty account to an empty account, on ministack.

ministack emulates CloudFormation, Lambda, S3, IAM, API Gateway, load balancers and CloudWatch Logs. It does not start
``bridge.runtime`` by ``AWS_LAMBDA_EXEC_WRAPPER``, and a REST API does not stream, so that streamed responses are
tested in ``test_deployment.py`` and in ``tests/runtime``. CloudFormation registers no targets in target groups.
"""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.dev.cli.packages import HOST, write_files
from tests.end_to_end.deploy_projects import TARGET, DeployProject
from tests.end_to_end.front_doors import FrontDoor
from tests.end_to_end.ministack import ministack as ministack
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from tests.end_to_end.ministack import Ministack

    MakeProject = Callable[..., DeployProject]

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(HOST is None, reason="Lambda has no processors of this architecture"),
]

TEA = (EXAMPLES / "flask" / "tea.png").read_bytes()
ENVIRONMENT = ("--env", "SECRET_KEY=of the sessions", "--env", "BRIDGE_REMOTE_COMMANDS=on")
# Unpacking Django's translations and bytecode, most of its five thousand files, takes long.
SMALL_DJANGO = ("--no-bytecode", "--exclude", "LC_MESSAGES/", "--include", "/django/conf/locale/en/LC_MESSAGES/")


@pytest.fixture
def make_project(tmp_path: Path, cache: Path, ministack: Ministack) -> MakeProject:
    """Makes a project: a copy of an example, or one with a plain application."""

    def make(name: str, example: str | None = None) -> DeployProject:
        project = DeployProject(tmp_path / name, cache, ministack.url)
        if example is not None:
            shutil.copytree(EXAMPLES / example, project.folder, dirs_exist_ok=True)
        return project

    return make


def client(url: str, ministack: Ministack) -> httpx.Client:
    return FrontDoor(url.rstrip("/")).client(ministack)


def fetch(url: str, ministack: Ministack) -> str:
    with client(url, ministack) as http:
        return http.get("").text


@pytest.mark.parametrize(
    ("example", "app", "options"),
    [
        ("flask", None, ()),
        ("fastapi", None, ()),
        ("django", "teashop.wsgi:application", SMALL_DJANGO),
    ],
)
def test_an_example_is_deployed_changed_rolled_back_and_destroyed(
    example: str, app: str | None, options: tuple[str, ...], make_project: MakeProject, ministack: Ministack
) -> None:
    project = make_project(f"{example}-example", example)
    arguments = (*([app] if app else []), *ENVIRONMENT, *options)
    url = project.deploy_successfully(*arguments)
    with client(url, ministack) as http:
        assert http.get("/image").content == TEA
        assert "Tee, thé, чай, 茶 ☕" in http.get("/").text
    assert project.run("url") == (0, f"{url}\n", "")

    status, out, err = project.deploy(*arguments)
    assert (status, out) == (0, f"{url}\n")
    assert "Nothing has changed." in err

    project.edit("Tee", "Kaffee", find_greeting(project))
    assert project.deploy_successfully(*arguments) == url
    assert "Kaffee, thé" in fetch(url, ministack)
    assert versions(project) == [(2, True), (1, False)]

    start = time.monotonic()
    status, out, err = project.run("rollback")
    assert (status, out, "serves version 1, in place of version 2." in err) == (0, "", True)
    assert time.monotonic() - start < 5
    assert "Tee, thé" in fetch(url, ministack)
    assert "1 (rolled back from 2)" in project.run("status")[1]
    status, _, err = project.deploy("--dry-run", *arguments)
    assert (status, "  modify  Alias  AWS::Lambda::Alias  FunctionVersion\n" in err) == (0, True)
    assert "Tee, thé" in fetch(url, ministack)
    status, _, err = project.deploy(*arguments)
    assert (status, "Version 2 serves again, in place of version 1." in err) == (0, True)
    assert "Kaffee, thé" in fetch(url, ministack)

    status, out, err = project.run("exec", "-c", "import os; print(os.environ['AWS_LAMBDA_FUNCTION_NAME'])")
    assert (status, out, err) == (0, f"{example}-example-dev\n", "")
    if example == "flask":
        assert "/items/<item_id>" in project.run("flask", "--", "routes")[1]
    if example == "django":
        assert "no issues" in project.run("manage", "-c", "check")[1]
    assert project.run("command", "--stage", "dev", "--", "ls", "requirements.txt")[:2] == (0, "requirements.txt\n")

    with client(url, ministack) as http:
        assert http.get("/error").status_code == 500
    wait_for(lambda: project.run("logs", "--since", "1h")[1].count(" took ") > 3)
    if example != "django":  # which mails errors
        assert "Traceback" in project.run("logs")[1]

    status, out, err = project.run("destroy", "--yes")
    assert (status, out) == (0, "")
    assert "is deleted. The bucket serverless-bridge-000000000000-us-east-1 is kept" in err
    assert f"--log-group-name /aws/lambda/{example}-example-dev-" in err
    assert leftovers(ministack, f"{example}-example-dev") == []
    status, _, err = project.run("url", "--endpoint-url", project.url)
    assert (status, f"There is no deployment {example}-example-dev" in err) == (1, True)


def find_greeting(project: DeployProject) -> str:
    """Return the file of an example that has the greeting."""
    for path in sorted(project.folder.rglob("*")):
        if path.suffix in (".py", ".html") and "Tee, th" in path.read_text():
            return path.relative_to(project.folder).as_posix()
    raise AssertionError("no file has the greeting")


def versions(project: DeployProject) -> list[tuple[int, bool]]:
    status, out, err = project.run("versions", "--output", "json")
    assert status == 0, err
    return [(each["version"], each["live"]) for each in json.loads(out)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def leftovers(ministack: Ministack, name: str) -> list[str]:
    """Return what is left of a deployment, except for the log group."""
    functions = [each["FunctionName"] for each in ministack.client("lambda").list_functions()["Functions"]]
    roles = [each["RoleName"] for each in ministack.client("iam").list_roles()["Roles"]]
    buckets = [each["Name"] for each in ministack.client("s3").list_buckets()["Buckets"]]
    keys = [each["Key"] for bucket in buckets
            for each in ministack.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())]  # fmt: skip
    return [each for each in (*functions, *roles, *keys) if each.startswith(name)]


def test_a_deployment_of_one_line_takes_three_seconds_more_than_packaging(make_project: MakeProject) -> None:
    project = make_project("quick")
    project.deploy_successfully()
    project.edit("one", "two")
    start = time.monotonic()
    assert project.run("package", *TARGET)[0] == 0
    packaged = time.monotonic()
    project.edit("two", "three")
    project.deploy_successfully()
    assert time.monotonic() - packaged < packaged - start + 3


# The bucket and the resources


def test_the_bucket_is_private_encrypted_and_aborts_uploads(make_project: MakeProject, ministack: Ministack) -> None:
    project = make_project("bucket")
    project.deploy_successfully("--no-check")
    s3, name = ministack.client("s3"), "serverless-bridge-000000000000-us-east-1"
    blocks = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert all(blocks.values())
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    for word in ("two", "three", "four"):
        write_files(project.folder, {"word.txt": word})
        project.deploy_successfully("--no-check")
    assert s3.list_objects_v2(Bucket=name, Prefix="bucket-dev/")["KeyCount"] == 2


def test_a_bucket_may_be_named(make_project: MakeProject, ministack: Ministack) -> None:
    project = make_project("own-bucket")
    status, _, err = project.deploy("--bucket", "mine", "--dry-run")
    assert (status, "--bucket mine: there is no such bucket. Create it" in err) == (1, True)
    assert "Packaging" not in err
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket="mine")
    project.deploy_successfully("--bucket", "mine", "--no-check")
    assert s3.list_objects_v2(Bucket="mine", Prefix="own-bucket-dev/")["KeyCount"] == 1
    assert project.run("destroy", "--yes", "--bucket", "mine")[0] == 0
    assert s3.list_objects_v2(Bucket="mine")["KeyCount"] == 0


def test_old_versions_are_removed(make_project: MakeProject, ministack: Ministack) -> None:
    project = make_project("versions")
    project.deploy_successfully("--no-check")
    functions = ministack.client("lambda")
    for number in range(2, 13):
        functions.update_function_configuration(FunctionName="versions-dev", Description=str(number))
        functions.publish_version(FunctionName="versions-dev")
    project.edit("one", "two")
    project.deploy_successfully("--no-check")
    assert [number for number, _ in versions(project)] == list(range(13, 3, -1))
    status, _, err = project.run("rollback", "2")
    assert (status, "has no version 2. The published versions are: 13, 12," in err) == (2, True)
    assert project.run("rollback", "5")[0] == 0
    assert dict(versions(project))[5]


def test_the_options_of_the_function_are_those_of_the_table_and_of_its_stage(
    make_project: MakeProject, ministack: Ministack
) -> None:
    project = make_project("options")
    ministack.client("ssm").put_parameter(Name="/options/key", Value="from ssm", Type="String")
    ministack.client("secretsmanager").create_secret(Name="options/db", SecretString='{"password": "from the secret"}')
    table = """
        [tool.bridge]
        memory = 256
        timeout = 7
        env = { TEA = "sencha", CUPS = "1" }
        secret = { KEY = "ssm:/options/key" }
        tag = { team = "tea" }
        env-file = "local.env"
        [tool.bridge.stages.prod]
        memory = 1024
        env = { CUPS = "2" }
        secret = { PASSWORD = "secretsmanager:options/db:password" }
        env-file = "prod.env"
        reserved-concurrency = 3
        log-retention = 7
    """
    write_files(project.folder, {"pyproject.toml": table, "local.env": "LOCAL=1\n", "prod.env": "FILE=2\nCUPS=0\n"})
    project.deploy_successfully("--no-check")
    project.deploy_successfully("--no-check", "--stage", "prod", "--env", "MORE=3")
    dev, prod = (ministack.client("lambda").get_function(FunctionName=f"options-{stage}") for stage in ("dev", "prod"))
    assert (dev["Configuration"]["MemorySize"], dev["Configuration"]["Timeout"]) == (256, 7)
    assert dev["Configuration"]["Environment"]["Variables"] == {"TEA": "sencha", "CUPS": "1", "KEY": "from ssm"}
    assert (prod["Configuration"]["MemorySize"], prod["Configuration"]["Timeout"]) == (1024, 7)
    assert prod["Configuration"]["Environment"]["Variables"] == {
        "TEA": "sencha", "CUPS": "2", "KEY": "from ssm", "PASSWORD": "from the secret", "FILE": "2", "MORE": "3",
    }  # fmt: skip
    status, out, _ = project.run("status", "--stage", "prod", "--output", "json")
    assert status == 0
    content = json.loads(out)
    assert (content["stack"], content["tags"]["team"]) == ("options-prod", "tea")
    (group,) = ministack.client("logs").describe_log_groups(logGroupNamePrefix=content["logGroup"])["logGroups"]
    assert group["retentionInDays"] == 7
    (role,) = [each for each in ministack.client("iam").list_roles()["Roles"]
               if each["RoleName"].startswith("options-prod")]  # fmt: skip
    policy = ministack.client("iam").get_role_policy(RoleName=role["RoleName"], PolicyName="function")["PolicyDocument"]
    policy = json.loads(policy) if isinstance(policy, str) else policy
    (statement,) = policy["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert content["logGroup"] in statement["Resource"]


def test_environment_variables_that_a_deployment_removes_are_named(make_project: MakeProject) -> None:
    project = make_project("variables")
    project.deploy_successfully("--no-check", "--env", "TEA=1", "--env", "CUPS=2", "--stream")
    message = "The function loses environment variables that this deployment does not name: {}. Options count for one"
    for words, names in (((), "CUPS, TEA"), (("--env", "TEA=2"), "CUPS")):
        status, _, err = project.deploy("--dry-run", *words)
        assert (status, message.format(names) in err) == (0, True)
    assert "loses" not in project.deploy("--dry-run", "--env", "TEA=2", "--env", "CUPS=2")[2]


def test_streaming_snapstart_and_a_vpc_are_deployed_and_removed(
    make_project: MakeProject, ministack: Ministack
) -> None:
    """ministack does not pass the VPC on to the function, so that it shows in the template and in the role only."""
    project = make_project("special")
    options = ("--snap-start", "--python", "3.12", "--vpc", "subnet-1,subnet-2,sg-1", "--no-check")
    status, _, err = project.deploy("--stream", *options)
    assert (status, "Deploy to it with --no-stream." in err) == (0, True), err
    functions, cloud = ministack.client("lambda"), ministack.client("cloudformation")
    function = functions.get_function_configuration(FunctionName="special-dev", Qualifier="live")
    assert function["SnapStart"]["ApplyOn"] == "PublishedVersions"
    assert function["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == "/var/task/bridge/runtime/bootstrap"
    url = functions.get_function_url_config(FunctionName="special-dev", Qualifier="live")
    assert url["InvokeMode"] == "RESPONSE_STREAM"
    template = cloud.get_template(StackName="special-dev")["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    vpc = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert template["Resources"]["Function"]["Properties"]["VpcConfig"] == vpc
    assert "ec2:CreateNetworkInterface" in role_actions(ministack, function["Role"])

    project.deploy_successfully("--no-check")
    function = functions.get_function_configuration(FunctionName="special-dev", Qualifier="live")
    assert (function["SnapStart"]["ApplyOn"], function["Environment"]["Variables"]) == ("None", {})
    url = functions.get_function_url_config(FunctionName="special-dev", Qualifier="live")
    assert url["InvokeMode"] == "BUFFERED"
    assert role_actions(ministack, function["Role"]) == ["logs:CreateLogStream", "logs:PutLogEvents"]


def role_actions(ministack: Ministack, role: str) -> list[str]:
    name = role.rpartition("/")[2]
    policy = ministack.client("iam").get_role_policy(RoleName=name, PolicyName="function")["PolicyDocument"]
    policy = json.loads(policy) if isinstance(policy, str) else policy
    return [action for statement in policy["Statement"] for action in statement["Action"]]


def test_a_secret_that_has_changed_is_deployed_and_one_that_is_missing_is_named(
    make_project: MakeProject, ministack: Ministack
) -> None:
    project = make_project("secrets")
    ssm, manager = ministack.client("ssm"), ministack.client("secretsmanager")
    ssm.put_parameter(Name="/secrets/key", Value="first", Type="String")
    ssm.put_parameter(Name="/secrets/secure", Value="first", Type="SecureString")
    manager.create_secret(Name="secrets/db", SecretString="first")
    options = ("--secret", "KEY=ssm:/secrets/key", "--secret", "DB=secretsmanager:secrets/db", "--no-check")
    project.deploy_successfully(*options)
    assert "Nothing has changed." in project.deploy(*options)[2]
    ssm.put_parameter(Name="/secrets/key", Value="second", Type="String", Overwrite=True)
    manager.put_secret_value(SecretId="secrets/db", SecretString="second")
    assert "is deployed: version 2." in project.deploy(*options)[2]
    function = ministack.client("lambda").get_function(FunctionName="secrets-dev")["Configuration"]
    assert function["Environment"]["Variables"] == {"KEY": "second", "DB": "second"}
    status, _, err = project.deploy("--secret", "KEY=ssm:/secrets/none")
    assert (status, "--secret KEY: us-east-1 has no value /secrets/none." in err) == (1, True)
    status, _, err = project.deploy("--secret", "KEY=secretsmanager:secrets/none")
    assert (status, "--secret KEY: us-east-1 has no value secrets/none" in err) == (1, True)
    status, _, err = project.deploy("--secret", "KEY=ssm:/secrets/secure")
    assert (status, "is a SecureString, which CloudFormation does not put into" in err) == (1, True)


# Front doors


@pytest.mark.parametrize("front_door", ["http-api", "rest-api"])
def test_an_api_serves_the_application_and_keeps_its_url(
    front_door: str, make_project: MakeProject, ministack: Ministack
) -> None:
    project = make_project(front_door)
    url = project.deploy_successfully("--front-door", front_door, "--env", "TEA=1")
    assert url.endswith("/dev/" if front_door == "rest-api" else "/")
    status, out, err = project.deploy("--front-door", front_door, "--env", "TEA=2")
    assert (status, out) == (0, f"{url}\n")
    assert "The URL stays as it is. It is open to the public." in err
    assert f"GET {url} (cold): 200 in " in err
    assert f"GET {url} (warm): 200 in " in err


def test_another_front_door_is_announced_as_another_url(make_project: MakeProject) -> None:
    project = make_project("moves")
    first = project.deploy_successfully("--no-check")
    status, out, err = project.deploy("--front-door", "http-api", "--dry-run")
    assert (status, out) == (0, "")
    assert "The URL changes: the current one stops working." in err
    assert "remove  FunctionUrl " in err
    assert "Nothing was changed." in err
    assert project.run("url")[1] == f"{first}\n"
    second = project.deploy_successfully("--front-door", "http-api")
    assert second != first
    assert project.run("url")[1] == f"{second}\n"


def test_a_load_balancer_gets_a_rule_in_its_listener(make_project: MakeProject, ministack: Ministack) -> None:
    balancing = ministack.client("elbv2")
    balancer = balancing.create_load_balancer(Name="tea", Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][0]
    refusal = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    listener = balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[refusal]
    )["Listeners"][0]["ListenerArn"]
    project = make_project("balanced")
    url = project.deploy_successfully("--front-door", "alb", "--listener", listener, "--env", "TEA=1", "--no-check")
    assert balancer["DNSName"] in url
    (group,) = balancing.describe_target_groups()["TargetGroups"]
    assert group["TargetType"] == "lambda"
    alias = ministack.client("lambda").get_alias(FunctionName="balanced-dev", Name="live")["AliasArn"]
    balancing.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": alias}])
    assert fetch(f"http://{balancer['DNSName']}/", ministack) == "one 1"


def test_a_domain_needs_a_certificate_that_exists(make_project: MakeProject, ministack: Ministack) -> None:
    project = make_project("domain")
    options = ("--front-door", "http-api", "--domain", "tea.example.com", "--no-check")
    status, _, err = project.deploy(*options)
    assert (status, "--domain tea.example.com: Certificate Manager has no valid certificate for it" in err) == (1, True)
    ministack.client("acm").request_certificate(DomainName="*.example.com")
    wait_for(lambda: bool(issued_certificates(ministack)))
    status, out, err = project.deploy(*options)
    assert status == 0, err
    assert "tea.example.com" in out
    assert "The DNS record of tea.example.com must be a CNAME, or an alias, of " in err


def issued_certificates(ministack: Ministack) -> list[Any]:
    answer = ministack.client("acm").list_certificates(CertificateStatuses=["ISSUED"])
    return list(answer["CertificateSummaryList"])


# Output


def test_the_output_for_programs_is_json_alone(make_project: MakeProject, ministack: Ministack) -> None:
    project = make_project("programs")
    status, out, err = project.deploy("--dry-run", "--output", "json")
    planned = json.loads(out)
    assert (status, planned["outcome"], planned["url"]) == (0, "planned", None), err
    assert {"action": "add", "resource": "Function", "kind": "AWS::Lambda::Function", "properties": []} in planned[
        "changes"
    ]
    stacks = ministack.client("cloudformation").list_stacks()["StackSummaries"]
    assert {each["StackStatus"] for each in stacks if each["StackName"] == "programs-dev"} <= {"DELETE_COMPLETE"}
    status, out, _ = project.deploy("--output", "json")
    created = json.loads(out)
    assert (created["outcome"], created["version"], created["stack"]) == ("created", 1, "programs-dev")
    assert [check["status"] for check in created["checks"]] == [200, 200]
    assert json.loads(project.run("url", "--output", "json")[1]) == {"url": created["url"]}
    assert json.loads(project.deploy("--output", "json")[1])["outcome"] == "unchanged"
    wait_for(lambda: len(project.run("logs", "--filter", "answering", "--output", "json")[1].splitlines()) == 2)
    lines = [json.loads(line) for line in project.run("logs", "--output", "json")[1].splitlines()]
    ids = [line["requestId"] for line in lines if line["message"].startswith("answering")]
    assert len(set(ids)) == 2
    assert "" not in ids
    assert json.loads(project.run("rollback", "1", "--output", "json")[1])["version"] == 1
    deleted = json.loads(project.run("destroy", "--yes", "--output", "json")[1])
    assert deleted["outcome"] == "deleted"
    assert deleted["kept"]["logGroup"].startswith("/aws/lambda/programs-dev-")


def test_the_log_is_followed_until_ctrl_c(make_project: MakeProject, ministack: Ministack) -> None:
    import signal

    project = make_project("followed")
    url = project.deploy_successfully("--no-check")
    follower = project.start("logs", "--follow")
    assert follower.stdout is not None
    for _ in range(2):
        fetch(url, ministack)
        lines = [follower.stdout.readline() for _ in range(3)]
        assert [line.split()[2] for line in lines] == ["request", "answering", "took"]
        assert len({line.split()[1] for line in lines}) == 1
    follower.send_signal(signal.SIGINT)
    assert (follower.communicate(timeout=10)[1], follower.returncode) == ("", 130)


def test_the_printed_template_can_be_deployed_by_other_tools(make_project: MakeProject, ministack: Ministack) -> None:
    project = make_project("pipeline")
    status, _, err = project.run("package", "--output", "build/function.zip")
    assert status == 0, err
    status, out, err = project.run("template", "--output", "json", "--env", "TEA=1")
    assert status == 0, err
    template = json.loads(out)
    assert "Transform" not in template
    s3, cloud = ministack.client("s3"), ministack.client("cloudformation")
    s3.create_bucket(Bucket="pipeline")
    key = template["Parameters"]["ArtifactKey"]["Default"]
    s3.put_object(Bucket="pipeline", Key=key, Body=(project.folder / "build/function.zip").read_bytes())
    cloud.create_stack(
        StackName="pipeline-dev",
        TemplateBody=out,
        Parameters=[{"ParameterKey": "ArtifactBucket", "ParameterValue": "pipeline"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloud.get_waiter("stack_create_complete").wait(StackName="pipeline-dev", WaiterConfig={"Delay": 1})
    status, url, err = project.run("url", "--endpoint-url", project.url)
    assert status == 0, err
    assert fetch(url.strip(), ministack) == "one 1"
    status, out, err = project.run("template")
    assert out.startswith("AWSTemplateFormatVersion: '2010-09-09'\n")
    assert f"aws s3 cp build/function.zip s3://BUCKET/{key}" in err
