"""The variables of the Serverless Framework in serverless.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.projects.discover import find_project
from tests.dev.projects.readers import routes, serverless

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("7", "7"),
        ("true", "true"),
        ("${self:custom.name}", "tea"),
        ("${self:custom.deep.name}-x", "green tea-x"),
        ("${self:custom.chain}", "green tea!"),
        ("${env:COLOUR}", "red"),
        ("${env:COLOUR, 'blue'}", "red"),
        ("${env:NOWHERE, 'blue'}", "blue"),
        ("\"${env:NOWHERE, 'a, b'}\"", "a, b"),
        ("${env:NOWHERE, self:custom.name}", "tea"),
        ("${env:NOWHERE, ${self:custom.name}}", "tea"),
        ("${env:NOWHERE, ${self:custom.url}}", "https://x.example/y"),
        ("${env:NOWHERE, cf:stack.Output, 'last'}", "last"),
        ("${env:NOWHERE, 8080}", "8080"),
        ("${sls:stage}", "test"),
        ("${self:provider.stage}", "test"),
        ("${opt:stage, self:provider.stage}", "test"),
        ("${opt:colour, 'blue'}", "green"),
        ("${aws:region}", "eu-west-1"),
        ("${strToBool(true)}", "true"),
        ("${strToBool('0')}", "false"),
        ("${strToBool(${env:NOWHERE, 'FALSE'})}", "false"),
        ("${strToBool(maybe)}", None),
        ("${env:NOWHERE}", None),
        ("${cf:stack.Output}", None),
        ("${ssm:/tea/key}", None),
        ("${file(other.yml):name}", None),
        ("${self:custom.missing}", None),
        ("a ${cf:stack.Output} b", None),
        ("${self:custom.round}", None),
        ("!Ref Table", None),
        ("!Sub '${AWS::Region}-x'", None),
        ("!GetAtt Table.Arn", None),
        ("{Fn::Join: ['', [a, b]]}", None),
        ("null", None),
    ],
)
def test_a_variable_is_replaced_if_its_value_is_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, value: str | None
) -> None:
    monkeypatch.setenv("COLOUR", "red")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("NOWHERE", raising=False)
    quoted = written if written[:1] in '!{"' or written in ("7", "true", "null") else f'"{written}"'
    text = f"""
        provider: {{stage: "${{opt:stage, 'test'}}"}}
        custom:
          name: tea
          deep: {{name: "green ${{self:custom.name}}"}}
          chain: "${{self:custom.deep.name}}!"
          url: https://x.example/y
          round: "${{self:custom.again}}"
          again: "${{self:custom.round}}"
        functions: {{api: {{handler: a.b, environment: {{X: {quoted}}}}}}}
        """
    (tmp_path / "serverless.yml").write_text(text)
    (function,) = find_project(None, tmp_path, {"colour": "green"}).functions
    assert function.environment == ({} if value is None else {"X": value})
    assert function.unresolved_variables == (["X"] if value is None and written != "null" else [])


@pytest.mark.parametrize("provider", ["{}", "{stage: \"${opt:stage, 'test'}\"}", "{stage: test}"])
def test_the_option_stage_is_the_stage_of_the_framework(tmp_path: Path, provider: str) -> None:
    text = f"""
        provider: {provider}
        functions: {{api: {{handler: a.b, environment: {{X: "${{sls:stage}}", Y: "${{opt:stage, 'none'}}"}}}}}}
        """
    (tmp_path / "serverless.yml").write_text(text)
    (function,) = find_project(None, tmp_path, {"stage": "prod"}).functions
    assert function.environment == {"X": "prod", "Y": "prod"}


def test_the_default_stage_is_dev(tmp_path: Path) -> None:
    text = "functions: {api: {handler: a.b, environment: {X: '${sls:stage}', Y: '${self:provider.stage}'}}}"
    assert serverless(tmp_path, text).functions[0].environment == {"X": "dev", "Y": "dev"}


@pytest.mark.parametrize(
    ("provider", "options", "environment", "region"),
    [
        ("{region: eu-north-1}", {"region": "eu-west-2"}, {"AWS_REGION": "eu-west-1"}, "eu-west-2"),
        ("{region: eu-north-1}", {}, {"AWS_REGION": "eu-west-1"}, "eu-north-1"),
        ("{}", {}, {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ("{}", {}, {}, "us-east-1"),
    ],
)
def test_the_region_is_the_option_then_the_providers_then_that_of_this_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    options: dict[str, str],
    environment: dict[str, str],
    region: str,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, environment.get(name, ""))
    text = f"provider: {provider}\nfunctions: {{api: {{handler: a.b, environment: {{X: '${{aws:region}}'}}}}}}"
    (tmp_path / "serverless.yml").write_text(text)
    assert find_project(None, tmp_path, options).functions[0].environment == {"X": region}


def test_a_variable_may_stand_for_a_mapping_or_a_list(tmp_path: Path) -> None:
    text = """
        custom: {variables: {X: '1', Y: '${self:custom.z}'}, z: '2', events: [http: GET /a]}
        functions: {api: {handler: a.b, environment: '${self:custom.variables}', events: '${self:custom.events}'}}
        """
    project = serverless(tmp_path, text)
    assert project.functions[0].environment == {"X": "1", "Y": "2"}
    assert routes(project) == [("GET", "/a", "api")]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${file(./other.yml):name}", "tea"),
        ("${file(other.json):deep.list.1}", "two"),
        ("${file(./${sls:stage}.yml):name}", "of dev"),
        ("${file(./other.yml):shop}", "the shop"),
        ("${file(./other.yml):nothing, 'else'}", "else"),
        ("${file(./nowhere.yml):name, 'else'}", "else"),
        ("${file(./other.js):name}", None),
    ],
)
def test_a_variable_may_refer_to_another_file(tmp_path: Path, written: str, value: str | None) -> None:
    (tmp_path / "other.yml").write_text("{name: tea, shop: '${self:custom.shop}'}")
    (tmp_path / "dev.yml").write_text("name: of dev")
    (tmp_path / "other.json").write_text('{"deep": {"list": ["one",\t"two"]}}')
    (tmp_path / "other.js").write_text("module.exports = {name: 1}")
    text = f"""
        custom: {{shop: the shop}}
        functions: {{api: {{handler: a.b, environment: {{X: "{written}"}}}}}}
        """
    assert serverless(tmp_path, text).functions[0].environment == ({} if value is None else {"X": value})


PARAMETERS = """
    provider: {name: aws}
    params: {default: {town: Oslo, tea: green}, prod: {town: Bergen}}
    stages: {prod: {params: {lake: Mjøsa}}, default: {params: {lake: none}}}
    functions:
      api:
        handler: a.b
        environment: {TOWN: "${param:town}", TEA: "${param:tea}", LAKE: "${param:lake}", ELSE: "${param:no, 'x'}"}
    """


@pytest.mark.parametrize(
    ("options", "town", "lake"),
    [
        ({}, "Oslo", "none"),
        ({"stage": "prod"}, "Bergen", "Mjøsa"),
        ({"stage": "prod", "param": "town=Molde"}, "Molde", "Mjøsa"),
    ],
)
def test_a_parameter_is_that_of_the_command_line_the_stage_or_all_stages(
    tmp_path: Path, options: dict[str, str], town: str, lake: str
) -> None:
    (tmp_path / "serverless.yml").write_text(PARAMETERS)
    (function,) = find_project(None, tmp_path, options).functions
    assert function.environment == {"TOWN": town, "TEA": "green", "LAKE": lake, "ELSE": "x"}


@pytest.mark.parametrize(
    ("use", "stage", "expected"),
    [
        ("true", "dev", {"A": "from .env", "B": "from .env!"}),
        ("true", "prod", {"A": "of prod", "C": "process"}),
        ("false", "dev", {"C": "process"}),
    ],
)
def test_use_dotenv_reads_the_file_of_the_stage_or_else_the_common_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str, stage: str, expected: dict[str, str]
) -> None:
    for name in ("A", "B"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("C", "process")
    (tmp_path / ".env").write_text("A='from .env'\nB=${A}!\n")
    (tmp_path / ".env.prod").write_text("A=of prod\nC=of prod\n")
    variables = "{" + ", ".join(f"{name}: '${{env:{name}, null}}'" for name in expected) + "}"
    text = f"useDotenv: {use}\nfunctions: {{api: {{handler: a.b, environment: {variables}}}}}"
    (tmp_path / "serverless.yml").write_text(text)
    (function,) = find_project(None, tmp_path, {"stage": stage}).functions
    assert function.environment == expected


def test_variables_of_the_environment_come_from_the_option_env_file_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLOUR", "red")
    (tmp_path / "local.env").write_text("COLOUR=green\nTEA=black\n")
    text = "functions: {api: {handler: a.b, environment: {X: '${env:COLOUR}', Y: '${env:TEA}'}}}"
    (tmp_path / "serverless.yml").write_text(text)
    (function,) = find_project(None, tmp_path, env_file=str(tmp_path / "local.env")).functions
    assert (function.environment, function.unresolved_variables) == ({"X": "green", "Y": "black"}, [])
