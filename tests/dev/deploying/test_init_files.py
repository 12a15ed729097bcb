"""The files that deploy an application."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hcl2
import pytest

import bridge
from bridge.dev.deploying.init_files import render_commands, render_files
from bridge.dev.deploying.init_settings import TOOLS, InitSettings
from bridge.dev.packaging.bridge_wheel import build_wheel
from bridge.dev.projects.yaml_file import load
from tests.dev.cli.packages import write_files, zip_names
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLE = EXAMPLES / "init_files"
GENERATED = ("__pycache__", "cdk.out", ".terraform", ".aws-sam", "function.zip")
FUNCTIONS: dict[str, dict[str, bool]] = {
    "both": {"streaming": True},
    "buffered": {},
    "streaming": {"buffered": False, "streaming": True},
}
WEBSOCKET: dict[str, dict[str, bool]] = {
    "websocket": {"buffered": False, "websocket": True},
    "all": {"streaming": True, "websocket": True},
}


def deployment(kind: str, **settings: Any) -> InitSettings:
    defaults = {"app": "app:app", "name": "shop", "python": "3.13", "arch": "x86_64", "folder": kind}
    return InitSettings(**{"kind": kind, **defaults, **settings})


@pytest.mark.parametrize("kind", TOOLS)
def test_the_files_of_the_example_are_those_that_init_writes(kind: str) -> None:
    example = [path for path in (EXAMPLE / kind).rglob("*") if path.is_file()]
    example += EXAMPLE.glob(f"{kind}.yml")
    names = {path.relative_to(EXAMPLE).as_posix(): path for path in example}
    expected = {name: path.read_text() for name, path in names.items() if not any(part in name for part in GENERATED)}
    assert render_files(deployment(kind, name="bridge-example", streaming=True)) == expected


@pytest.mark.parametrize("kind", TOOLS)
def test_the_readme_has_the_commands(kind: str) -> None:
    setup, deploy = render_commands(deployment(kind))
    readme = render_files(deployment(kind))[f"{kind}/README.md"]
    assert [line[4:] for line in readme.splitlines() if line.startswith("    ")] == [*setup, *deploy.splitlines()]


@pytest.mark.parametrize("kind", TOOLS)
def test_the_stack_has_the_name_of_the_deployment(kind: str) -> None:
    text = "".join(render_files(deployment(kind)).values())
    assert re.search(r"(service: |stack_name = \"|name += \"|Deployment\(app, \")shop\b", text)


@pytest.mark.parametrize("kind", TOOLS)
@pytest.mark.parametrize(("only", "other"), [("buffered", "streaming"), ("streaming", "api")])
def test_one_function_comes_without_what_the_other_needs(kind: str, only: str, other: str) -> None:
    files = render_files(deployment(kind, arch="arm64", **FUNCTIONS[only]))
    for name, text in files.items():
        words = re.sub(r"invoke_mode|InvokeMode|serverless-bridge.*|--target \w+", "", text)
        assert not re.search(rf"\b{other}\b|{other.capitalize()}(Function|LogGroup|Url)", words), name
        assert "\n\n\n\n" not in text
        assert "@" not in re.sub(r"aws-cdk@2", "", text), name
    policy = json.loads(files[f"{kind}/policy.json"])
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    if kind != "cdk":
        assert any("FunctionUrlConfig" in action for action in actions) == (only == "streaming")
        assert ("apigateway:POST" in actions) == (only == "buffered")


@pytest.mark.parametrize("functions", FUNCTIONS)
def test_every_file_is_valid_in_its_language(functions: str, tmp_path: Path) -> None:
    for kind in TOOLS:
        write_files(tmp_path, render_files(deployment(kind, **FUNCTIONS[functions])))
    count = 2 if functions == "both" else 1
    compile((tmp_path / "cdk/app.py").read_text(), "app.py", "exec")
    hcl2.loads((tmp_path / "terraform/main.tf").read_text())
    for kind in ("sam", "image"):
        template = template_of(tmp_path / kind)
        assert len(template["Resources"]) == 2 * count  # a function and its log group
        assert len(template["Outputs"]) == count
    assert len((load(tmp_path, ("serverless.yml",)) or {})["functions"]) == count
    terraform = shutil.which("terraform")
    if terraform:
        subprocess.run([terraform, "fmt", "-check", "terraform"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("only", ["buffered", "streaming"])
def test_the_linter_of_aws_finds_nothing_in_one_function_on_arm64(only: str, tmp_path: Path) -> None:
    for kind in ("sam", "image"):
        write_files(tmp_path, render_files(deployment(kind, arch="arm64", **FUNCTIONS[only])))
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", "sam/template.yaml"]
    command.append("image/template.yaml")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("functions", WEBSOCKET)
def test_a_websocket_api_comes_with_its_table_and_its_permissions(functions: str, tmp_path: Path) -> None:
    kinds = [kind for kind in TOOLS if kind != "image"]
    files = {kind: render_files(deployment(kind, **WEBSOCKET[functions])) for kind in kinds}
    for kind in kinds:
        write_files(tmp_path, files[kind])
        text = "".join(files[kind].values())
        assert "\n\n\n\n" not in text
        assert "@" not in text.replace("aws-cdk@2", "")
        assert ("BRIDGE_RESPONSE_MODE" in text) == (functions == "all" and kind != "serverless")
        # The CDK and the Serverless Framework grant it themselves.
        assert ("execute-api:ManageConnections" in text) == (kind != "cdk")
        # The function behind the HTTP API may send to the connections, too.
        assert ("BRIDGE_WEBSOCKET_ENDPOINT" in text) == (functions == "all")
    compile((tmp_path / "cdk/app.py").read_text(), "app.py", "exec")
    terraform = hcl2.loads((tmp_path / "terraform/main.tf").read_text())
    assert any('"aws_dynamodb_table"' in resource for resource in terraform["resource"])
    resources = template_of(tmp_path / "sam")["Resources"]
    routes = {resource["Properties"].get("RouteKey") for resource in resources.values()} - {None}
    assert routes == {"$connect", "$default", "$disconnect"}
    service = load(tmp_path, ("serverless.yml",)) or {}
    assert [event["websocket"] for event in service["functions"]["websocket"]["events"]] == [
        "$connect",
        "$default",
        "$disconnect",
    ]
    for tool in ("sam", "terraform", "serverless"):
        statements = json.loads(files[tool][f"{tool}/policy.json"])["Statement"]
        assert "dynamodb:CreateTable" in next(each for each in statements if each["Sid"] == "Tables")["Action"]


@pytest.mark.slow
@pytest.mark.parametrize("functions", WEBSOCKET)
def test_the_linter_of_aws_finds_nothing_in_a_websocket_api(functions: str, tmp_path: Path) -> None:
    write_files(tmp_path, render_files(deployment("sam", **WEBSOCKET[functions])))
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", "sam/template.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", TOOLS)
def test_every_function_has_a_log_group_with_a_retention(kind: str) -> None:
    text = "".join(render_files(deployment(kind, streaming=True)).values())
    retention = {"cdk": "retention = logs.RetentionDays.ONE_MONTH", "serverless": "logRetentionInDays: 30"}
    found = re.findall(retention.get(kind, r"(?:RetentionInDays:|retention_in_days =) 30"), text)
    assert len(found) == (1 if kind in retention else 2)


def test_a_folder_of_another_name_or_depth_finds_the_artifact(tmp_path: Path) -> None:
    sam = deployment("sam", folder="deploy/to.aws")
    assert render_commands(sam)[1].startswith(
        "bridge package app:app --python 3.13 --arch x86_64 --exclude /deploy/to.aws/ &&\n"
        "  (cd deploy/to.aws && sam deploy)"
    )
    write_files(tmp_path, render_files(sam))
    code = template_of(tmp_path / "deploy/to.aws")["Globals"]["Function"]["CodeUri"]
    assert (tmp_path / "deploy/to.aws" / code).resolve() == (tmp_path / "build/function.zip").resolve()
    terraform = render_files(deployment("terraform", folder="a/b/c"))
    assert '"${path.module}/../../../build/function.zip"' in terraform["a/b/c/main.tf"]


@pytest.mark.parametrize("app", ['a b\'s "#"/app:create_app()', "\\tee é:app"])
def test_an_application_that_a_shell_or_yaml_would_misread_is_quoted(app: str, tmp_path: Path) -> None:
    command = render_commands(deployment("sam", app=app))[1].partition(" &&")[0]
    assert subprocess.check_output(["sh", "-c", f'bridge() {{ printf %s "$2"; }}; {command}'], text=True) == app
    write_files(tmp_path, render_files(deployment("serverless", app=app)))
    assert (load(tmp_path, ("serverless.yml",)) or {})["custom"]["wsgi"]["app"] == app


def test_the_templates_are_in_the_wheel(tmp_path: Path) -> None:
    package = Path(bridge.__file__).parent
    files = package.glob("dev/deploying/init_templates/*/*")
    templates = {path.relative_to(package.parent).as_posix() for path in files}
    assert {Path(name).parent.name for name in templates} == set(TOOLS)
    assert templates <= zip_names(build_wheel(tmp_path))


def template_of(folder: Path) -> Mapping[str, Any]:
    return load(folder, ("template.yaml",)) or {}
