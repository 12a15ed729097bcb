"""The templates in examples/init_files are valid, and each of them deploys the same two functions."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hcl2
import pytest

import bridge
from bridge.dev.gateway import Request, compose, interpret
from bridge.dev.projects.discover import find_project
from bridge.dev.projects.yaml_file import load
from bridge.loading import find_application
from tests.examples.applications import EXAMPLES

DEPLOY = EXAMPLES / "init_files"
PACKAGED_HERE = ("sam", "cdk", "terraform", "image")
TOOLS = (*PACKAGED_HERE, "serverless")
HANDLER = "bridge.entrypoint.handler"
WRAPPER = "/var/task/bridge/runtime/bootstrap"
STREAM = {"AWS_LAMBDA_EXEC_WRAPPER": WRAPPER, "BRIDGE_RESPONSE_MODE": "stream"}
HTTP_API_TIMEOUT = 30  # seconds

MISSING_FOR_CDK = [
    name
    for name, is_installed in (("aws-cdk-lib", find_spec("aws_cdk")), ("node", shutil.which("node")))
    if not is_installed
]


def lint(*templates: Path, ignore: str = "") -> None:
    """Assert that cfn-lint, which also expands SAM templates, finds nothing in *templates*.

    Args:
        templates: the files.
        ignore: the number of a rule that is not checked.
    """
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", *map(str, templates)]
    command += ["--ignore-checks", ignore] if ignore else []
    run = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def sam_functions(folder: str) -> dict[str, dict[str, Any]]:
    """Return the functions of a SAM template by name, with the template's globals in their properties."""
    content = load(DEPLOY / folder, ("template.yaml",))
    assert content is not None
    functions: dict[str, dict[str, Any]] = {
        name: each for name, each in content["Resources"].items() if each["Type"] == "AWS::Serverless::Function"
    }
    for function in functions.values():
        function["Properties"] = {**content["Globals"]["Function"], **function["Properties"]}
    return functions


def terraform_resources() -> dict[str, dict[str, dict[str, Any]]]:
    """Return Terraform's resources by type and name."""
    resources: dict[str, dict[str, dict[str, Any]]] = {}
    for block in hcl2.loads((DEPLOY / "terraform/main.tf").read_text())["resource"]:
        for kind, named in _unquoted(block).items():
            resources.setdefault(kind, {}).update(named)
    return resources


def _unquoted(value: Any) -> Any:
    """Remove the quotes that hcl2 leaves around strings."""
    if isinstance(value, dict):
        return {_unquoted(key): _unquoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unquoted(inner) for inner in value]
    return value.strip('"') if isinstance(value, str) else value


def dockerfile_stages() -> dict[str, list[tuple[str, str]]]:
    """Return the Dockerfile's instructions by stage; the first of each is ``FROM``."""
    stages: dict[str, list[tuple[str, str]]] = {}
    stage = ""
    for line in (DEPLOY / "image/Dockerfile").read_text().splitlines():
        if line and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            if instruction == "FROM":
                rest, _, stage = rest.partition(" AS ")
                assert stage not in ("", *stages), f"This stage has no name, or that of another one: {line}"
                stages[stage] = []
            stages[stage].append((instruction, rest))
    return stages


@pytest.mark.slow
def test_the_linter_finds_nothing_in_the_templates_and_policies(tmp_path: Path) -> None:
    policies = {
        tool.capitalize(): {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": json.loads((DEPLOY / tool / "policy.json").read_text())},
        }
        for tool in TOOLS
    }
    wrapped = tmp_path / "policies.json"
    wrapped.write_text(json.dumps({"Resources": policies}))
    lint(DEPLOY / "sam/template.yaml", DEPLOY / "image/template.yaml", wrapped)


def test_sam_has_a_buffered_function_behind_an_http_api_and_a_streaming_one_behind_a_function_url() -> None:
    functions = sam_functions("sam")
    buffered, streaming = (functions[name]["Properties"] for name in ("ApiFunction", "StreamingFunction"))
    for function in (buffered, streaming):
        assert function["Handler"] == HANDLER
        assert (DEPLOY / "sam" / function["CodeUri"]).resolve() == DEPLOY / "build/function.zip"
    assert [event["Type"] for event in buffered["Events"].values()] == ["HttpApi"]
    assert buffered["Timeout"] < HTTP_API_TIMEOUT
    assert streaming["FunctionUrlConfig"]["InvokeMode"] == "RESPONSE_STREAM"
    assert streaming["Environment"]["Variables"] == STREAM


def test_terraform_has_a_buffered_function_behind_an_http_api_and_a_streaming_one_behind_a_function_url() -> None:
    resources = terraform_resources()
    functions = resources["aws_lambda_function"]
    for function in functions.values():
        assert function["handler"] == HANDLER
        assert function["s3_key"] == "${aws_s3_object.artifact.key}"
        assert "local.artifact" in function["source_code_hash"]
    assert functions["api"]["timeout"] < HTTP_API_TIMEOUT
    assert functions["streaming"]["environment"][0]["variables"] == STREAM
    integration = resources["aws_apigatewayv2_integration"]["api"]
    assert integration["integration_uri"] == "${aws_lambda_function.api.invoke_arn}"
    url = resources["aws_lambda_function_url"]["streaming"]
    assert (url["function_name"], url["invoke_mode"]) == (
        "${aws_lambda_function.streaming.function_name}",
        "RESPONSE_STREAM",
    )


def test_every_resource_that_terraform_refers_to_is_defined() -> None:
    resources = terraform_resources()
    references = re.findall(r"\b(aws_\w+)\.(\w+)\.", (DEPLOY / "terraform/main.tf").read_text())
    assert len(references) > 10
    assert [name for kind, name in references if name not in resources.get(kind, {})] == []


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING_FOR_CDK), reason=f"cdk synth needs {' and '.join(MISSING_FOR_CDK)}")
def test_the_cdk_generates_a_valid_template_with_both_functions(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "cdk", tmp_path / "cdk")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/function.zip").write_bytes(b"")
    command = shlex.split(json.loads((tmp_path / "cdk/cdk.json").read_text())["app"])
    run = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=tmp_path / "cdk",
        env={**os.environ, "CDK_OUTDIR": str(tmp_path / "out"), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    template = tmp_path / "out/bridge-example.template.json"
    lint(template, ignore="W3005")  # the CDK adds a dependency that a reference implies

    resources = json.loads(template.read_text())["Resources"].values()
    functions = [each["Properties"] for each in resources if each["Type"] == "AWS::Lambda::Function"]
    buffered, streaming = sorted(functions, key=lambda function: "Environment" in function)
    assert (buffered["Handler"], streaming["Handler"]) == (HANDLER, HANDLER)
    assert buffered["Timeout"] < HTTP_API_TIMEOUT
    assert streaming["Environment"]["Variables"] == STREAM
    (url,) = (each["Properties"] for each in resources if each["Type"] == "AWS::Lambda::Url")
    assert url["InvokeMode"] == "RESPONSE_STREAM"
    permissions = [each["Properties"] for each in resources if each["Type"] == "AWS::Lambda::Permission"]
    # AWS requires both since October 2025.
    public = {permission["Action"] for permission in permissions if permission["Principal"] == "*"}
    assert public == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}


def test_the_image_unpacks_the_artifact_onto_the_base_image_of_aws() -> None:
    stages = dockerfile_stages()
    earlier: list[str] = []
    for stage, instructions in stages.items():
        base = instructions[0][1]
        assert base in earlier or base.startswith("public.ecr.aws/lambda/python:")
        for instruction, rest in instructions:
            source = re.match(r"--from=(\S+)", rest) if instruction == "COPY" else None
            assert source is None or source[1] in earlier
        earlier.append(stage)
    copied = [rest.split()[0] for instruction, rest in stages["artifact"] if instruction == "COPY"]
    assert copied == ["function.zip"]
    assert "!function.zip" in (DEPLOY / "image/.dockerignore").read_text().splitlines()
    assert " -o image/function.zip " in (DEPLOY / "image/README.md").read_text()


def test_the_image_has_a_buffered_and_a_streaming_target_that_the_template_builds() -> None:
    stages = dockerfile_stages()
    for function in sam_functions("image").values():
        metadata = function["Metadata"]
        context = DEPLOY / "image" / metadata["DockerContext"]
        assert (context / metadata["Dockerfile"]).samefile(DEPLOY / "image/Dockerfile")
        assert metadata["DockerBuildTarget"] in stages
        assert function["Properties"]["PackageType"] == "Image"
    assert dict(stages["api"]) == {"FROM": "code", "CMD": json.dumps([HANDLER])}
    streaming = dict(stages["streaming"])
    assert streaming["ENV"] == "BRIDGE_RESPONSE_MODE=stream"
    assert json.loads(streaming["ENTRYPOINT"]) == ["python", "-m", "bridge.runtime"]
    assert find_spec("bridge.runtime.__main__") is not None


def test_the_wrapper_is_an_executable_file_of_the_package() -> None:
    program = Path(bridge.__file__).parents[1] / Path(WRAPPER).relative_to("/var/task")
    assert os.access(program, os.X_OK)


def test_serverless_has_a_buffered_function_behind_an_http_api_and_a_streaming_one_behind_a_function_url() -> None:
    content = load(DEPLOY, ("serverless.yml",))
    assert content is not None
    assert content["plugins"] == ["serverless-bridge"]
    assert content["provider"]["runtime"] == "python3.13"
    buffered, streaming = (content["functions"][name] for name in ("api", "streaming"))
    assert (buffered["handler"], streaming["handler"]) == (HANDLER, HANDLER)
    assert buffered["events"] == [{"httpApi": "*"}]
    assert buffered["timeout"] < HTTP_API_TIMEOUT
    assert streaming["url"] == {"invokeMode": "RESPONSE_STREAM"}
    assert "!serverless/**" in content["package"]["patterns"]


def test_bridge_serve_reads_the_application_from_serverless_yml() -> None:
    project = find_project(None, DEPLOY)
    assert [function.app for function in project.functions] == ["app:app"]
    assert (project.source, [route.template for route in project.routes]) == ("http-api", ["$default"])


@pytest.mark.parametrize("tool", PACKAGED_HERE)
def test_the_readme_has_the_command_for_the_templates_python_and_a_link_to_the_policy(tool: str) -> None:
    readme = (DEPLOY / tool / "README.md").read_text()
    command = re.search(rf"bridge package app:app --python (\S+) --arch x86_64 --exclude /{tool}/ ", readme)
    assert command is not None
    template = {"terraform": "main.tf", "cdk": "app.py", "image": "Dockerfile"}.get(tool, "template.yaml")
    versions = set(re.findall(r"(?i)python[:_]?(3[._]\d+)", (DEPLOY / tool / template).read_text()))
    assert {version.replace("_", ".") for version in versions} == {command[1]}
    assert "(policy.json)" in readme


@pytest.mark.parametrize("tool", TOOLS)
def test_a_policy_has_no_wildcard_action_and_allows_only_reads_on_every_resource(tool: str) -> None:
    for statement in json.loads((DEPLOY / tool / "policy.json").read_text())["Statement"]:
        actions = statement["Action"]
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            reads = ("Get", "Describe", "Validate")
            assert [action for action in actions if not action.partition(":")[2].startswith(reads)] == []
        if {"iam:PassRole", "iam:AttachRolePolicy"} & set(actions):
            assert statement["Condition"]


@pytest.mark.parametrize("source", ["http-api", "function-url"])
def test_the_application_counts_behind_both_front_doors(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "app", raising=False)
    handler = bridge.handler(find_application(str(DEPLOY / "app.py") + ":app"))
    request = Request(path="/count", query="to=3&seconds=0", headers=[("host", "example.com")])
    answer = interpret(handler(compose(request, source), None), source, request)
    handler.close()
    del sys.modules["app"]  # other examples have a module of that name
    assert (answer.status, answer.body) == (200, b"0\n1\n2\n")
