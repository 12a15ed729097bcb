"""The CloudFormation template of a stack."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.deploying.function_settings import FunctionSettings
from bridge.dev.deploying.iam_policy import deployer_policy
from bridge.dev.deploying.secret_references import dynamic_reference
from bridge.dev.deploying.stack_settings import DEPLOYABLE_FRONT_DOORS, StackSettings
from bridge.dev.deploying.stack_template import stack_template
from bridge.dev.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/tea/50dc6c495c0c9188/f2f7dc8efc522ab2"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
SECRETS = {
    "KEY": dynamic_reference("KEY", "ssm:/shop/key:3"),
    "PASSWORD": dynamic_reference("PASSWORD", "secretsmanager:shop/database:password"),
}
# The options, and the values of each that its template depends on.
OPTIONS: dict[str, list[Any]] = {
    "front_door": list(DEPLOYABLE_FRONT_DOORS),
    "streaming": [False, True],
    "arch": ["x86_64", "arm64"],
    "python": ["3.11", "3.12", "3.13", "3.14"],
    "memory": [128, 512, 10_240],
    "timeout": [None, 1, 900],
    "environment": [{}, {"TEA": "sencha"}],
    "secrets": [{}, SECRETS],
    "vpc": [False, True],
    "reserved_concurrency": [None, 0, 5],
    "snap_start": [False, True],
    "domain": [None, "shop.example.com"],
    "certificate": [None, CERTIFICATE],
    "priority": [None, 7],
    "retention": [1, 30, 3653],
}


def make_stack(front_door: str = "function-url", **options: Any) -> StackSettings:
    """Return a stack. Options that need another one, such as the listener, get it."""
    vpc = options.pop("vpc", False)
    names = ("domain", "certificate", "priority", "retention")
    own: dict[str, Any] = {name: options.pop(name) for name in names if name in options}
    function: dict[str, Any] = {"python": "3.13", "arch": "x86_64", **options}
    if vpc:
        function |= {"subnets": ["subnet-0123456789abcdef0"], "security_groups": ["sg-0123456789abcdef0"]}
    if front_door == "alb":
        own["listener"] = LISTENER
    elif own.get("domain") is not None:
        own["certificate"] = CERTIFICATE  # `bridge deploy` finds it
    return StackSettings("shop", "prod", FunctionSettings(**function), front_door, **own)


def template_of(front_door: str = "function-url", **options: Any) -> dict[str, Any]:
    return stack_template(make_stack(front_door, **options), "digest")


def pairwise(options: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield choices of valid options until every valid pair of values was chosen."""
    missing = {
        frozenset(((first, i), (second, j))): None
        for first, second in itertools.combinations(options, 2)
        for i, j in itertools.product(range(len(options[first])), range(len(options[second])))
    }
    while missing:
        pair = next(iter(missing))
        choice = dict(sorted(pair))
        del missing[pair]
        if not is_valid(options, choice):
            continue
        for name in [name for name in options if name not in choice]:
            indices = [index for index in range(len(options[name])) if is_valid(options, {**choice, name: index})]
            gains = [sum(frozenset(((name, index), other)) in missing for other in choice.items()) for index in indices]
            choice[name] = indices[gains.index(max(gains))]
        for covered in itertools.combinations(choice.items(), 2):
            missing.pop(frozenset(covered), None)
        yield {name: options[name][index] for name, index in choice.items()}


def is_valid(options: dict[str, list[Any]], choice: dict[str, int]) -> bool:
    """Return whether the command line takes the options; those that are not chosen have their defaults."""
    try:
        make_stack(**{name: options[name][index] for name, index in choice.items()}).check()
    except UsageError:
        return False
    return True


@pytest.mark.slow
def test_the_linter_of_aws_finds_nothing_in_any_pair_of_options(tmp_path: Path) -> None:
    files = []
    for number, choice in enumerate(pairwise(OPTIONS)):
        stack = make_stack(**choice)
        policy = json.loads(deployer_policy(stack, "mine" if number % 2 else None))
        template = stack_template(stack, str(number))
        template["Resources"]["Deployer"] = {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": policy},
        }
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(template))
    assert len(files) >= 16
    assert lint(*files) == ""


@pytest.mark.slow
def test_the_linter_finds_a_mistake(tmp_path: Path) -> None:
    template = template_of()
    template["Resources"]["Function"]["Properties"]["MemorySize"] = "much"
    (tmp_path / "template.json").write_text(json.dumps(template))
    assert "'much' is not of type 'integer'" in lint(tmp_path / "template.json")


def lint(*templates: Path) -> str:
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", *map(str, templates)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout


def test_a_template_has_plain_resources_only() -> None:
    template = template_of()
    assert "Transform" not in template
    kinds = {name: resource["Type"] for name, resource in template["Resources"].items()}
    version = next(name for name in kinds if name.startswith("Version"))
    assert kinds == {
        "LogGroup": "AWS::Logs::LogGroup",
        "Role": "AWS::IAM::Role",
        "Function": "AWS::Lambda::Function",
        version: "AWS::Lambda::Version",
        "Alias": "AWS::Lambda::Alias",
        "FunctionUrl": "AWS::Lambda::Url",
        "FunctionUrlPermission": "AWS::Lambda::Permission",
        "FunctionUrlInvokePermission": "AWS::Lambda::Permission",
    }
    assert template["Resources"]["Function"]["Properties"]["FunctionName"] == "shop-prod"


def test_the_role_may_write_the_functions_log_and_nothing_else() -> None:
    (policy,) = template_of()["Resources"]["Role"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": ["LogGroup", "Arn"]}
    (policy,) = template_of(vpc=True)["Resources"]["Role"]["Properties"]["Policies"]
    assert [each["Sid"] for each in policy["PolicyDocument"]["Statement"]] == ["WriteLogs", "ConnectToVpc"]


def test_a_public_function_url_has_both_permissions() -> None:
    resources = template_of()["Resources"]
    permissions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Lambda::Permission"]
    assert [each["Action"] for each in permissions] == ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]
    assert permissions[0]["FunctionUrlAuthType"] == "NONE"
    assert permissions[1]["InvokedViaFunctionUrl"] is True
    assert all(each["FunctionName"] == {"Ref": "Alias"} for each in permissions)


@pytest.mark.parametrize("front_door", DEPLOYABLE_FRONT_DOORS)
def test_the_front_door_invokes_the_alias(front_door: str) -> None:
    text = json.dumps(template_of(front_door)["Resources"])
    assert '{"Ref": "Alias"}' in text
    if front_door == "rest-api":
        assert "functions/${Alias}/invocations" in text


def test_another_artifact_or_option_publishes_another_version_and_the_same_does_not() -> None:
    def version(artifact: str, **options: Any) -> str:
        resources: dict[str, Any] = stack_template(make_stack(**options), artifact)["Resources"]
        return next(name for name in resources if name.startswith("Version"))

    assert version("a") == version("a", retention=7) == version("a", front_door="http-api")
    assert version("a") == version("a", reserved_concurrency=1)  # Lambda publishes no equal version
    assert len({version("a"), version("b"), version("a", memory=1024), version("a", environment={"A": "b"})}) == 4


def test_streaming_sets_the_wrapper_and_the_front_doors_mode() -> None:
    resources = template_of(streaming=True)["Resources"]
    properties = resources["Function"]["Properties"]
    assert properties["Environment"]["Variables"] == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bridge/runtime/bootstrap",
        "BRIDGE_RESPONSE_MODE": "stream",
    }
    assert properties["Timeout"] == 300
    assert resources["FunctionUrl"]["Properties"]["InvokeMode"] == "RESPONSE_STREAM"
    integration = template_of("rest-api", streaming=True)["Resources"]["RestApiProxyMethod"]["Properties"][
        "Integration"
    ]
    assert integration["ResponseTransferMode"] == "STREAM"
    assert integration["Uri"]["Fn::Sub"].endswith("/response-streaming-invocations")


def test_logs_and_versions_outlive_the_stack_unless_their_creation_fails() -> None:
    resources = template_of()["Resources"]
    retained = {name.rstrip("0123456789abcdef") for name, each in resources.items() if "DeletionPolicy" in each}
    assert retained == {"LogGroup", "Version"}
    assert {each["DeletionPolicy"] for each in resources.values() if "DeletionPolicy" in each} == {
        "RetainExceptOnCreate"
    }


def test_the_priority_of_a_listeners_rule_depends_on_the_stacks_name_alone() -> None:
    rule = template_of("alb")["Resources"]["ListenerRule"]["Properties"]
    assert rule["Priority"] == template_of("alb", memory=1024)["Resources"]["ListenerRule"]["Properties"]["Priority"]
    assert 1000 <= rule["Priority"] <= 50_000
    assert template_of("alb", priority=5)["Resources"]["ListenerRule"]["Properties"]["Priority"] == 5
    assert rule["Conditions"] == [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}]
    rule = template_of("alb", domain="tea.example.com")["Resources"]["ListenerRule"]["Properties"]
    assert rule["Conditions"] == [{"Field": "host-header", "HostHeaderConfig": {"Values": ["tea.example.com"]}}]
