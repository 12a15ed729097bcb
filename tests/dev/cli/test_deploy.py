"""``bridge deploy`` and the commands beside it: options, messages and output, without a cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.cli.deploy_progress import PlainProgress, print_changes
from bridge.dev.deploying.aws import AwsTarget
from bridge.dev.deploying.change_set import ResourceChange
from bridge.dev.deploying.deployed_stack import StackEvent
from bridge.dev.deploying.remembered_deployments import LastDeployment, recall_deployment, remember_deployment
from tests.dev.cli.packages import write_files
from tests.dev.cli.serve_process import run
from tests.remote.fake_lambda import NO_AWS_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable

    Bridge = Callable[..., tuple[int, str, str]]

COMMANDS = ("deploy", "status", "url", "versions", "logs", "rollback", "destroy")
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/tea/50dc6c495c0c9188/f2f7dc8efc522ab2"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which the commands run, on a machine without credentials that has deployed nothing."""
    folder = write_files(tmp_path / "shop", {"app.py": "def app(environ, start_response): ...\n"})
    monkeypatch.chdir(folder)
    for name in (
        "BRIDGE_APP",
        "AWS_ACCESS_KEY_ID",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in NO_AWS_CONFIG.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


@pytest.fixture
def bridge(project: Path, bridge_command: Bridge) -> Bridge:
    """Runs a command in the project."""
    return bridge_command


# Messages


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_region_or_credentials_the_message_is_one_sentence_with_what_to_do(
    command: str, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    yes = ("--yes",) if command in ("deploy", "destroy") else ()
    status, out, err = bridge(command, *yes)
    assert (status, out) == (1, "")
    assert err == "bridge: You must specify a region. Set it with --region or AWS_REGION.\n"
    status, out, err = bridge(command, *yes, "--region", "eu-west-1")
    assert (status, out) == (1, "")
    assert err.startswith("bridge: Unable to locate credentials. To set credentials, run `aws configure` or `aws sso")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_without_a_terminal_a_change_needs_yes(command: str, bridge: Bridge) -> None:
    status, out, err = bridge(command, "--region", "eu-west-1")
    assert (status, out) == (2, "")
    assert "there is no terminal. Add --yes to " in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--front-door", "cdn"), "invalid choice: 'cdn'"),
        (("--front-door", "alb"), "--front-door alb needs the listener of a load balancer. Name it: --listener ARN"),
        (("--front-door", "http-api", "--stream"), "--stream: an HTTP API does not stream."),
        (("--domain", "tea.example.com"), "--domain: a Function URL has no domain of its own."),
        (("--env", "TEA"), "argument --env: 'TEA' is not of the form NAME=VALUE"),
        (("--env", "AWS_REGION=x"), "The environment variable AWS_REGION cannot be set"),
        (("--secret", "KEY=value"), "--secret KEY=value: name a value as ssm:NAME or secretsmanager:NAME"),
        (("--vpc", "vpc-1"), "--vpc: vpc-1 is not the id of a subnet"),
        (("--memory", "64"), "--memory 64: Lambda takes 128 to 10240 MB."),
        (("--timeout", "1000"), "--timeout 1000: Lambda takes 1 to 900 seconds."),
        (("--reserved-concurrency", "-1"), "--reserved-concurrency -1: write a number of 0 or more."),
        (("--stage", "a_b"), "--stage a_b: a stage has up to 16 letters, digits and single dashes, as in prod."),
        (("--name", "My Shop"), "as in my-shop."),
        (("--python", "3.10"), "--python 3.10: write one of the versions that Lambda runs"),
        (("--env-file", "missing.env"), "--env-file missing.env cannot be read"),
        (("--log-retention", "2"), "--log-retention 2: CloudWatch keeps logs for one of 1, 3, 5, "),
    ],
)
def test_a_wrong_option_is_one_message_and_exit_status_2(words: tuple[str, ...], message: str, bridge: Bridge) -> None:
    status, out, err = bridge("deploy", "--yes", *words)
    assert (status, out) == (2, "")
    assert message in err


def test_a_wrong_time_of_the_log_is_a_message(bridge: Bridge) -> None:
    status, _, err = bridge("logs", "--since", "yesterday")
    assert (status, "--since yesterday: write a duration" in err) == (2, True)


# The policy and the template


def actions(policy: str) -> set[str]:
    return {action for statement in json.loads(policy)["Statement"] for action in statement["Action"]}


def test_the_policy_has_what_the_options_need(bridge: Bridge) -> None:
    status, out, err = bridge("deploy", "--print-policy")
    assert (status, err) == (0, "")
    assert {
        "cloudformation:CreateChangeSet",
        "cloudformation:ExecuteChangeSet",
        "lambda:CreateFunctionUrlConfig",
        "s3:CreateBucket",
        "s3:PutObject",
        "iam:CreateRole",
        "iam:PassRole",
        "logs:FilterLogEvents",
        "lambda:UpdateAlias",
    } <= actions(out)
    assert "arn:aws:cloudformation:*:*:stack/shop-dev/*" in out
    _, with_api, _ = bridge("deploy", "--print-policy", "--front-door", "http-api", "--bucket", "mine")
    assert "apigateway:POST" in actions(with_api)
    assert not {"s3:CreateBucket", "lambda:CreateFunctionUrlConfig"} & actions(with_api)
    words = ("--front-door", "alb", "--listener", LISTENER, "--vpc", "subnet-1,sg-1", "--secret", "KEY=ssm:key")
    _, with_more, _ = bridge("deploy", "--print-policy", *words)
    assert {"elasticloadbalancing:CreateRule", "ec2:DescribeSubnets", "ssm:GetParameters"} <= actions(with_more)


def test_the_policy_in_the_documentation_is_the_one_that_is_printed(bridge: Bridge) -> None:
    text = (Path(__file__).parents[3] / "docs" / "deploying.md").read_text(encoding="utf-8")
    assert f"```json\n{bridge('deploy', '--print-policy')[1]}```\n" in text


def test_the_template_is_yaml_or_json(bridge: Bridge, project: Path) -> None:
    status, text, err = bridge("template", "--python", "3.13", "--memory", "1024")
    assert (status, "There is no build/function.zip" in err) == (0, True)
    assert text.startswith("AWSTemplateFormatVersion: '2010-09-09'\nDescription: 'Deployed by serverless-bridge: shop,")
    assert "MemorySize: 1024" in text
    status, text, _ = bridge("template", "--python", "3.13", "--memory", "1024", "--output", "json")
    assert json.loads(text)["Resources"]["Function"]["Properties"]["MemorySize"] == 1024


def test_the_template_of_a_domain_needs_its_certificate(bridge: Bridge) -> None:
    status, _, err = bridge("template", "--front-door", "http-api", "--domain", "tea.example.com")
    assert (status, "Name it: --certificate ARN" in err) == (2, True)


def test_the_options_may_be_in_pyproject_with_a_table_for_each_stage(bridge: Bridge, project: Path) -> None:
    table = """
        [tool.bridge]
        name = "tea"
        memory = 256
        front-door = "http-api"
        env = { TEA = "1", CUP = "1" }
        [tool.bridge.stages.prod]
        memory = 2048
        vpc = ["subnet-1", "sg-1"]
        env = { CUP = "2", POT = "2" }
    """
    write_files(project, {"pyproject.toml": table})

    def function(*words: str) -> dict[str, Any]:
        status, out, err = bridge("template", "--output", "json", *words)
        assert status == 0, err
        template = json.loads(out)
        assert "HttpApi" in template["Resources"]
        properties: dict[str, Any] = template["Resources"]["Function"]["Properties"]
        return properties

    dev, prod = function(), function("--stage", "prod", "--env", "POT=3")
    assert (dev["FunctionName"], dev["MemorySize"], "VpcConfig" in dev) == ("tea-dev", 256, False)
    assert dev["Environment"]["Variables"] == {"TEA": "1", "CUP": "1"}
    assert (prod["FunctionName"], prod["MemorySize"]) == ("tea-prod", 2048)
    assert prod["VpcConfig"] == {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert prod["Environment"]["Variables"] == {"TEA": "1", "CUP": "2", "POT": "3"}
    assert function("--stage", "prod", "--memory", "128")["MemorySize"] == 128


def test_init_writes_the_memory_and_the_timeout_that_deploy_deploys(bridge: Bridge, project: Path) -> None:
    write_files(project, {"pyproject.toml": "[tool.bridge]\nmemory = 768\ntimeout = 20\n"})
    assert bridge("init", "sam")[0] == 0
    text = (project / "sam" / "template.yaml").read_text()
    assert "MemorySize: 768" in text
    assert "Timeout: 20" in text


def test_init_writes_the_function_that_streams_and_names_what_its_files_do_not_have(
    bridge: Bridge, project: Path
) -> None:
    table = '[tool.bridge]\nstream = true\nenv = { TEA = "sencha" }\nvpc = ["subnet-1", "sg-1"]\n'
    write_files(project, {"pyproject.toml": table})
    status, _, err = bridge("init", "sam")
    assert status == 0
    assert "RESPONSE_STREAM" in (project / "sam" / "template.yaml").read_text()
    assert "The files do not have what pyproject.toml sets for `bridge deploy`: env, vpc. Add it to them." in err


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", "x86_64"), ("aarch64", "arm64"), ("arm64", "arm64")])
def test_the_processor_is_arm64_and_before_an_emulator_that_of_this_machine(
    machine: str, arch: str, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)

    def architectures(*words: str) -> list[str]:
        template = json.loads(bridge("template", "--output", "json", *words)[1])
        found: list[str] = template["Resources"]["Function"]["Properties"]["Architectures"]
        return found

    assert architectures() == ["arm64"]
    assert architectures("--endpoint-url", "http://localhost:4566") == [arch]
    assert architectures("--endpoint-url", "http://localhost:4566", "--arch", "x86_64") == ["x86_64"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert architectures() == [arch]


# Where it was deployed to


def test_the_last_deployment_of_a_stage_is_remembered(project: Path) -> None:
    assert recall_deployment(project, "dev") is None
    last = LastDeployment("shop", AwsTarget(region="eu-west-1", endpoint_url="http://localhost:4566"))
    remember_deployment(project, "dev", last)
    remember_deployment(project, "prod", LastDeployment("shop", AwsTarget(profile="work")))
    assert recall_deployment(project, "dev") == last
    assert recall_deployment(project.parent, "dev") is None
    remember_deployment(project, "dev", None)
    assert recall_deployment(project, "dev") is None
    assert recall_deployment(project, "prod") == LastDeployment("shop", AwsTarget(profile="work"))


@pytest.mark.parametrize("content", ["", "[]", "{", '{"%s": {"dev": {"name": "shop"}}}'])
def test_a_damaged_memory_is_ignored(content: str, project: Path, tmp_path: Path) -> None:
    text = content.replace("%s", str(project))
    write_files(tmp_path / "state", {"serverless-bridge/deployments.json": text})
    assert recall_deployment(project, "dev") is None


def test_the_commands_use_the_region_of_the_last_deployment(bridge: Bridge, project: Path) -> None:
    remember_deployment(project, "dev", LastDeployment("shop", AwsTarget(region="eu-west-1")))
    assert "Unable to locate credentials" in bridge("url")[2]
    assert "Unable to locate credentials" in bridge("exec", "-c", "1")[2]
    assert "You must specify a region" in bridge("url", "--stage", "prod")[2]


# Progress


def test_changes_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [
        ResourceChange("modify", "Function", "AWS::Lambda::Function", ("Code", "MemorySize")),
        ResourceChange("replace?", "Role", "AWS::IAM::Role", tuple("ABCDEF")),
    ]
    print_changes(changes, "shop-dev")
    assert capsys.readouterr().err.splitlines() == [
        "Changes of shop-dev:",
        "  modify    Function  AWS::Lambda::Function  Code, MemorySize",
        "  replace?  Role      AWS::IAM::Role         A, B, C, D …",
    ]


def test_without_a_terminal_the_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    progress.step("Packaging")
    progress.start_upload(32 * 1024 * 1024)
    for _ in range(8):
        progress.uploaded(4 * 1024 * 1024)
    progress.resource(StackEvent("1", "Role", "AWS::IAM::Role", "CREATE_IN_PROGRESS", ""))
    progress.resource(StackEvent("2", "LogGroup", "AWS::Logs::LogGroup", "DELETE_SKIPPED", ""))
    progress.resource(StackEvent("3", "Role", "AWS::IAM::Role", "CREATE_FAILED", "no"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["Packaging …", "Uploading 32.0 MiB …"]
    assert lines[2:-2] == ["  8.0 MiB of 32.0 MiB", "  16.0 MiB of 32.0 MiB", "  24.0 MiB of 32.0 MiB"]
    assert lines[-2:] == ["  LogGroup (AWS::Logs::LogGroup) kept", "  Role (AWS::IAM::Role) create failed: no"]


def test_without_boto3_the_message_names_the_extra(project: Path) -> None:
    write_files(project, {"boto3.py": "raise ModuleNotFoundError(\"No module named 'boto3'\", name='boto3')\n"})
    for command in COMMANDS:
        yes = ("--yes",) if command in ("deploy", "destroy") else ()
        status, out, err = run(project, command, *yes, "--region", "eu-west-1", PYTHONPATH=str(project))
        assert (status, out) == (1, "")
        assert err.startswith(f"bridge: bridge {command} needs the package boto3, which is not installed.")
        assert err.endswith("pip install 'serverless-bridge[deploy]'\n")
