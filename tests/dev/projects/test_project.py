"""What is found in a project's files: pyproject.toml, serverless.yml, a SAM template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.errors import CommandError
from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects.discover import find_project
from bridge.dev.projects.project import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_application_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_APP", raising=False)


def serverless(folder: Path, text: str) -> Project:
    (folder / "serverless.yml").write_text(text)
    return find_project(None, folder)


def sam(folder: Path, text: str) -> Project:
    (folder / "template.yaml").write_text(text)
    return find_project(None, folder)


def routes(project: Project) -> list[tuple[str, str, str]]:
    return [
        (route.method, route.template, route.function) for function in project.functions for route in function.routes
    ]


EVENT = "functions: {f: {handler: a.b, events: [%s]}}"
RESOURCE = "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, %s}}}"


# --- which application


def test_the_named_application_comes_first_then_the_environment_pyproject_and_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "template.yaml").write_text(
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.s}}}"
    )
    found = [find_project(None, tmp_path).functions[0].app]
    (tmp_path / "serverless.yml").write_text("functions: {f: {handler: a.sls}}")
    found.append(find_project(None, tmp_path).functions[0].app)
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\napp = "a:toml"\n')
    found.append(find_project(None, tmp_path).functions[0].app)
    monkeypatch.setenv("BRIDGE_APP", "a:env")
    found.append(find_project(None, tmp_path).functions[0].app)
    found.append(find_project("a:word", tmp_path).functions[0].app)
    assert found == ["a.s", "a.sls", "a:toml", "a:env", "a:word"]


def test_an_application_named_outside_the_file_has_its_environment_and_no_routes(tmp_path: Path) -> None:
    text = """
        provider: {environment: {SHARED: '1'}}
        functions:
          one: {handler: a.one, environment: {ONE: '1'}, events: [http: GET /one]}
          two: {handler: a.two, environment: {TWO: '2'}}
        """
    (tmp_path / "serverless.yml").write_text(text)
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\napp = "a:toml"\n')
    for app in ("app:app", None):
        project = find_project(app, tmp_path)
        assert project.functions[0].environment == {"SHARED": "1", "ONE": "1", "TWO": "2"}
        assert routes(project) == []
        assert project.source is None


def test_no_application_anywhere_is_an_error_that_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"bridge serve app:app.*\[tool\.bridge\]"):
        find_project(None, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("pyproject.toml", "[tool.bridge", "pyproject.toml cannot be read"),
        ("pyproject.toml", "[tool.bridge]\napp = ['a']", r"it must be text, as in app = \"app:app\""),
        ("serverless.yml", "functions: {a: [", "serverless.yml cannot be read"),
        ("serverless.yml", "just text", "No application is named"),
        ("template.yaml", "Resources: [1, 2]", "No application is named"),
        (
            "serverless.yml",
            "functions: ${file(x.js)}",
            r"functions is '\$\{file\(x.js\)\}', which is ignored",
        ),
        (
            "serverless.yml",
            EVENT % "http: BOGUS /x",
            r"serverless.yml: functions.f.events, http: /x has the method 'BOGUS'",
        ),
        ("serverless.yml", EVENT % "http: {method: bogus, path: x}", "has the method 'bogus'; it must be one of GET, "),
        ("serverless.yml", EVENT % "http: 5", "functions.f.events, http is 5; it must be a method and a path, as in"),
        ("serverless.yml", EVENT % "{http: , path: x}", "functions.f.events, http is empty; it must be a method and"),
        ("serverless.yml", EVENT % "httpApi: /x", "functions.f.events, httpApi is '/x'; it must be a method and"),
        (
            "serverless.yml",
            "functions: {f: {handler: a.b, timeout: abc}}",
            "functions.f.timeout is 'abc'; it must be a",
        ),
        (
            "serverless.yml",
            "functions: {f: {handler: a.b, timeout: 0}}",
            "functions.f.timeout is 0; it must be a number",
        ),
        ("serverless.yml", "{provider: {timeout: true}, functions: {f: {handler: a.b}}}", "provider.timeout is True"),
        ("template.yaml", RESOURCE % "Timeout: abc", "template.yaml: Resources.F.Properties.Timeout is 'abc'; it must"),
        (
            "template.yaml",
            RESOURCE % "Events: {A: {Type: Api, Properties: {Path: /a, Method: bogus}}}",
            "template.yaml: Resources.F, the event for /a, has the method 'bogus'; it must be one of",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_an_error_that_names_it(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CommandError, match=says):
        find_project(None, tmp_path)


# --- serverless.yml


def test_wsgi_functions_serve_the_application_of_custom_wsgi_app(tmp_path: Path) -> None:
    text = """
        custom: {wsgi: {app: api/app.app}}
        functions:
          api: {handler: wsgi_handler.handler, events: [http: ANY /, http: 'ANY {proxy+}']}
        """
    project = serverless(tmp_path, text)
    (function,) = project.functions
    assert (function.app, function.is_handler) == ("api/app.app", False)
    assert routes(project) == [("ANY", "/", "api"), ("ANY", "/{proxy+}", "api")]


def test_the_variables_of_the_function_that_has_the_named_application_count_most(tmp_path: Path) -> None:
    text = """
        provider: {environment: {COLOUR: red}}
        custom: {wsgi: {app: app.app}}
        functions:
          shop: {handler: wsgi_handler.handler, environment: {COLOUR: green}}
          admin: {handler: wsgi_handler.handler, wsgi: {app: 'admin:app'}}
        """
    (tmp_path / "serverless.yml").write_text(text)
    assert find_project("app.app", tmp_path).functions[0].environment == {"COLOUR": "green"}
    assert find_project("admin:app", tmp_path).functions[0].environment == {"COLOUR": "red"}


def test_bridge_app_in_the_environment_of_a_function_names_its_application(tmp_path: Path) -> None:
    text = """
        functions:
          api: {handler: bridge.entrypoint.handler, environment: {BRIDGE_APP: 'app:make()'}}
        """
    (function,) = serverless(tmp_path, text).functions
    assert (function.app, function.is_handler) == ("app:make()", False)


def test_a_function_with_a_module_lies_in_that_folder(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    text = "functions: {api: {handler: app.handler, module: shop}}"
    assert serverless(tmp_path, text).functions[0].folder == tmp_path / "shop"


@pytest.mark.parametrize(
    ("event", "route"),
    [
        ("http: GET dogs/{id}", ("GET", "/dogs/{id}")),
        ("http: get /dogs/{id}", ("GET", "/dogs/{id}")),
        ("http: {method: post, path: dogs}", ("POST", "/dogs")),
        ("http: {method: any, path: '/{proxy+}'}", ("ANY", "/{proxy+}")),
        ("http: 'ANY /'", ("ANY", "/")),
        ("httpApi: 'GET /dogs/{id}'", ("GET", "/dogs/{id}")),
        ("httpApi: {method: '*', path: /dogs}", ("ANY", "/dogs")),
        ("httpApi: {path: '/dogs/{proxy+}'}", ("ANY", "/dogs/{proxy+}")),
        ("httpApi: '*'", ("ANY", "$default")),
        ("httpApi: {method: '*', path: '*'}", ("ANY", "$default")),
        ("httpApi: $default", ("ANY", "$default")),
        ("httpApi", ("ANY", "$default")),
    ],
)
def test_routes_in_their_short_and_long_forms(tmp_path: Path, event: str, route: tuple[str, str]) -> None:
    project = serverless(tmp_path, f"functions:\n  api:\n    handler: a.b\n    events:\n      - {event}\n")
    assert [found[:2] for found in routes(project)] == [route]


def test_events_that_are_no_http_are_no_routes(tmp_path: Path) -> None:
    events = "[schedule: rate(1 day), sqs: {arn: x}, {alb: {listenerArn: x}}, s3, websocket: $connect]"
    assert routes(serverless(tmp_path, f"functions: {{api: {{handler: a.b, events: {events}}}}}")) == []


def test_functions_that_no_route_leads_to_are_not_served_beside_those_that_have_one(tmp_path: Path) -> None:
    text = """
        functions:
          nightly: {handler: jobs.nightly, events: [schedule: rate(1 day)]}
          api: {handler: a.b, events: [httpApi: '*']}
          more: {handler: a.c, events: [httpApi: GET /more]}
        """
    assert [function.name for function in serverless(tmp_path, text).functions] == ["api", "more"]


def test_without_routes_the_application_is_served_and_not_some_handler(tmp_path: Path) -> None:
    text = """
        custom: {wsgi: {app: app.app}}
        functions:
          nightly: {handler: jobs.nightly, events: [schedule: rate(1 day)]}
          api: {handler: wsgi_handler.handler}
        """
    assert [function.name for function in serverless(tmp_path, text).functions] == ["api"]


def test_functions_of_other_languages_are_passed_over(tmp_path: Path) -> None:
    text = """
        provider: {runtime: nodejs22.x}
        functions: {js: {handler: index.handler}, py: {handler: a.b, runtime: python3.13}}
        """
    assert [function.name for function in serverless(tmp_path, text).functions] == ["py"]


@pytest.mark.parametrize(
    ("provider", "event", "source", "types"),
    [
        ("{apiGateway: {binaryMediaTypes: ['*/*']}}", "http: ANY /", "rest-api", ("*/*",)),
        ("aws", "http: ANY /", "rest-api", ()),
        ("aws\ncustom: {apigwBinary: {types: [image/png]}}", "http: ANY /", "rest-api", ("image/png",)),
        ("{name: aws}", "httpApi: '*'", "http-api", ()),
        ("{httpApi: {payload: '1.0'}}", "httpApi: '*'", "http-api-v1", ()),
        ("{name: aws}", "schedule: rate(1 day)", None, ()),
    ],
)
def test_the_front_door_is_the_one_of_the_events(
    tmp_path: Path, provider: str, event: str, source: str | None, types: tuple[str, ...]
) -> None:
    project = serverless(tmp_path, f"provider: {provider}\nfunctions: {{api: {{handler: a.b, events: [{event}]}}}}")
    assert (project.source, project.binary_media_types) == (source, types)


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("true", "function-url"),
        ("{cors: true, authorizer: aws_iam}", "function-url"),
        ("{invokeMode: RESPONSE_STREAM}", "function-url"),
        ("", "function-url"),
        ("false", None),
    ],
)
def test_a_function_with_a_url_is_served_behind_it(tmp_path: Path, url: str, source: str | None) -> None:
    text = f"""
        functions:
          nightly: {{handler: jobs.nightly, events: [schedule: rate(1 day)]}}
          api:
            handler: a.b
            url: {url}
        """
    project = serverless(tmp_path, text)
    assert project.source == source
    assert [function.name for function in project.functions] == ["api" if source else "nightly"]


def test_routes_come_before_urls(tmp_path: Path) -> None:
    text = "functions: {one: {handler: a.b, url: true}, two: {handler: a.c, events: [httpApi: '*']}}"
    project = serverless(tmp_path, text)
    assert (project.source, [function.name for function in project.functions]) == ("http-api", ["two"])


def test_timeouts_are_the_functions_or_the_providers(tmp_path: Path) -> None:
    text = """
        provider: {timeout: 20}
        functions:
          one: {handler: a.b, timeout: 5, events: [httpApi: GET /one]}
          two: {handler: a.b, events: [httpApi: GET /two]}
        """
    assert [function.timeout for function in serverless(tmp_path, text).functions] == [5, 20]


# --- variables


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
def test_references_are_filled_in_where_this_machine_knows_them(
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
def test_the_stage_that_is_given_is_the_frameworks_own(tmp_path: Path, provider: str) -> None:
    text = f"""
        provider: {provider}
        functions: {{api: {{handler: a.b, environment: {{X: "${{sls:stage}}", Y: "${{opt:stage, 'none'}}"}}}}}}
        """
    (tmp_path / "serverless.yml").write_text(text)
    (function,) = find_project(None, tmp_path, {"stage": "prod"}).functions
    assert function.environment == {"X": "prod", "Y": "prod"}


@pytest.mark.parametrize(
    ("provider", "given", "environment", "region"),
    [
        ("{region: eu-north-1}", {"region": "eu-west-2"}, {"AWS_REGION": "eu-west-1"}, "eu-west-2"),
        ("{region: eu-north-1}", {}, {"AWS_REGION": "eu-west-1"}, "eu-north-1"),
        ("{}", {}, {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ("{}", {}, {}, "us-east-1"),
    ],
)
def test_the_region_is_the_frameworks_own_then_this_machines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    given: dict[str, str],
    environment: dict[str, str],
    region: str,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, environment.get(name, ""))
    text = f"provider: {provider}\nfunctions: {{api: {{handler: a.b, environment: {{X: '${{aws:region}}'}}}}}}"
    (tmp_path / "serverless.yml").write_text(text)
    assert find_project(None, tmp_path, given).functions[0].environment == {"X": region}


def test_what_is_not_known_of_one_function_may_be_known_of_another(tmp_path: Path) -> None:
    text = """
        provider: {environment: {A: "${cf:x.y}", B: !Ref Table, C: known}}
        functions: {one: {handler: a.b, environment: {A: known}}}
        """
    assert serverless(tmp_path, text).functions[0].unresolved_variables == ["B"]
    assert find_project("app:app", tmp_path).functions[0].unresolved_variables == ["B"]


def test_the_stage_is_dev_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    text = "functions: {api: {handler: a.b, environment: {X: '${sls:stage}', Y: '${self:provider.stage}'}}}"
    assert serverless(tmp_path, text).functions[0].environment == {"X": "dev", "Y": "dev"}


def test_a_functions_variables_win_over_the_providers(tmp_path: Path) -> None:
    text = """
        provider: {environment: {A: provider, B: provider}}
        functions: {api: {handler: a.b, environment: {B: function}}}
        """
    assert serverless(tmp_path, text).functions[0].environment == {"A": "provider", "B": "function"}


def test_whole_parts_may_be_references(tmp_path: Path) -> None:
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
def test_references_to_other_files_are_followed(tmp_path: Path, written: str, value: str | None) -> None:
    (tmp_path / "other.yml").write_text("{name: tea, shop: '${self:custom.shop}'}")
    (tmp_path / "dev.yml").write_text("name: of dev")
    (tmp_path / "other.json").write_text('{"deep": {"list": ["one",\t"two"]}}')
    (tmp_path / "other.js").write_text("module.exports = {name: 1}")
    text = f"""
        custom: {{shop: the shop}}
        functions: {{api: {{handler: a.b, environment: {{X: "{written}"}}}}}}
        """
    assert serverless(tmp_path, text).functions[0].environment == ({} if value is None else {"X": value})


def test_functions_may_lie_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "dogs.yml").write_text("dogs: {handler: a.dogs, events: [httpApi: GET /dogs]}")
    (tmp_path / "cats.yml").write_text("cats: {handler: a.cats, events: [httpApi: GET /cats]}")
    one = serverless(tmp_path, "functions: ${file(./dogs.yml)}")
    assert (routes(one), one.warnings) == ([("GET", "/dogs", "dogs")], [])
    several = serverless(tmp_path, "functions: ['${file(dogs.yml)}', '${file(cats.yml)}', '${file(birds.ts)}']")
    assert routes(several) == [("GET", "/dogs", "dogs"), ("GET", "/cats", "cats")]
    (told,) = several.warnings
    assert "functions is '${file(birds.ts)}', which is ignored" in told
    parts = "functions: {f: '${file(f.js)}', g: {handler: a.b, events: '${file(e.js)}'}}"
    told_f, told_g = serverless(tmp_path, parts).warnings
    assert ("functions.f is" in told_f, "functions.g.events is" in told_g) == (True, True)


def test_variables_in_a_file_that_is_not_followed_are_told(tmp_path: Path) -> None:
    text = "{provider: {environment: '${file(a.js)}'}, functions: {f: {handler: a.b, environment: '${file(b.js)}'}}}"
    told = sorted(serverless(tmp_path, text).warnings)
    assert [line.partition(", which is ignored")[0] for line in told] == [
        "serverless.yml: functions.f.environment is '${file(b.js)}'",
        "serverless.yml: provider.environment is '${file(a.js)}'",
    ]


def test_a_file_that_is_not_followed_is_no_matter_where_the_application_is_named(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text("functions: ${file(./functions.js)}")
    assert find_project("app:app", tmp_path).functions[0].app == "app:app"


def test_a_timeout_may_be_written_as_text_or_left_to_the_deployment(tmp_path: Path) -> None:
    text = "functions: {f: {handler: a.b, timeout: %s}}"
    found = [serverless(tmp_path, text % said).functions[0].timeout for said in ("'7'", "2.5", "'${opt:t}'", "null")]
    assert found == [7, 2.5, None, None]


def test_a_function_is_called_as_on_aws_where_the_file_says_so(tmp_path: Path) -> None:
    text = "functions: {f: {handler: a.b, name: 'shop-%s', events: [httpApi: 'GET /a']}}"
    for stage, name in (("${sls:stage}", "shop-dev"), ("${cf:x.y}", "f")):
        project = serverless(tmp_path, text % stage)
        assert (project.functions[0].name, routes(project)) == (name, [("GET", "/a", name)])
    (tmp_path / "serverless.yml").unlink()
    for said, name in (("shop", "shop"), ("!Sub 'shop-${Stage}'", "F")):
        project = sam(tmp_path, RESOURCE % f"FunctionName: {said}, Events: {{A: {{Type: HttpApi}}}}")
        assert (project.functions[0].name, routes(project)) == (name, [("ANY", "$default", name)])


# --- events of several front doors


def test_events_of_other_front_doors_than_the_one_that_is_served_are_told(tmp_path: Path) -> None:
    text = """
        functions:
          dogs: {handler: a.dogs, events: [http: GET /dogs, http: POST /dogs]}
          cats: {handler: a.cats, events: [httpApi: GET /cats]}
          birds: {handler: a.birds, events: [alb: {listenerArn: x}]}
        """
    project = serverless(tmp_path, text)
    assert project.source == "http-api"
    rest, alb = project.source_warnings
    assert "those of dogs are behind rest-api; to serve all routes behind rest-api, add `--source rest-api`" in rest
    assert alb == (
        "The load balancer's events of birds are not routed on this machine. To serve one function behind a load "
        "balancer, run `bridge serve a.birds --source alb`."
    )
    only = serverless(tmp_path, "functions: {birds: {handler: a.birds, events: [alb: {listenerArn: x}]}}")
    assert only.source_warnings == [alb]
    for one in ("http: GET /a", "httpApi: GET /a", "schedule: rate(1 day)"):
        assert serverless(tmp_path, EVENT % one).source_warnings == []
    (tmp_path / "serverless.yml").unlink()
    project = sam(tmp_path, RESOURCE % "Events: {A: {Type: Api, Properties: {Path: /a}}, B: {Type: HttpApi}}")
    (told,) = project.source_warnings
    assert (project.source, "those of F are behind rest-api; to serve all routes behind rest-api, add" in told) == ("http-api", True)


# --- SAM


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.13
    Timeout: 7
    CodeUri: src/
    Environment: {Variables: {SHARED: '1', TABLE: !Ref Table}}
  Api: {BinaryMediaTypes: ['image~1png', '*~1*']}
Resources:
  Table: {Type: AWS::Serverless::SimpleTable}
  Dogs:
    Type: AWS::Serverless::Function
    Properties:
      Handler: dogs.handler
      Environment: {Variables: {OWN: '2'}}
      Events:
        One: {Type: Api, Properties: {Path: '/dogs/{id}', Method: get}}
        Two: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Cats:
    Type: AWS::Serverless::Function
    Properties:
      Handler: bridge.entrypoint.handler
      CodeUri: ./cats
      Timeout: 3
      Environment: {Variables: {BRIDGE_APP: 'app:app'}}
      Events:
        All: {Type: Api, Properties: {Path: '/cats/{proxy+}', Method: ANY}}
  Nightly: {Type: AWS::Serverless::Function, Properties: {Handler: jobs.nightly}}
  Web: {Type: AWS::Serverless::Function, Properties: {Handler: index.handler, Runtime: nodejs22.x}}
  Image: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}
"""


def test_a_sam_templates_functions(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "cats").mkdir()
    project = sam(tmp_path, TEMPLATE)
    dogs, cats = project.functions
    assert (dogs.name, dogs.app, dogs.is_handler, dogs.folder) == ("Dogs", "dogs.handler", True, tmp_path / "src")
    assert (dogs.environment, dogs.timeout) == ({"SHARED": "1", "OWN": "2"}, 7)
    assert (cats.name, cats.app, cats.is_handler, cats.folder) == ("Cats", "app:app", False, tmp_path / "cats")
    assert (cats.environment, cats.timeout) == ({"SHARED": "1", "BRIDGE_APP": "app:app"}, 3)
    assert dogs.routes == [FunctionRoute("GET", "/dogs/{id}", "Dogs")]
    assert cats.routes == [FunctionRoute("ANY", "/cats/{proxy+}", "Cats")]
    assert (project.source, project.binary_media_types) == ("rest-api", ("image/png", "*/*"))


@pytest.mark.parametrize(
    ("properties", "source", "route"),
    [
        ("Events: {A: {Type: HttpApi}}", "http-api", ("ANY", "$default", "F")),
        ("Events: {A: {Type: HttpApi, Properties: {Path: /a, Method: put}}}", "http-api", ("PUT", "/a", "F")),
        ("Events: {A: {Type: HttpApi, Properties: {Path: $default}}}", "http-api", ("ANY", "$default", "F")),
        (
            "Events: {A: {Type: Api, Properties: {Path: /a, Method: x-amazon-apigateway-any-method}}}",
            "rest-api",
            ("ANY", "/a", "F"),
        ),
        ("FunctionUrlConfig: {AuthType: NONE}", "function-url", None),
        ("FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}", "function-url", None),
        ("Timeout: !Ref Seconds", None, None),
    ],
)
def test_a_sam_templates_front_door(
    tmp_path: Path, properties: str, source: str | None, route: tuple[str, str, str] | None
) -> None:
    text = f"Resources: {{F: {{Type: AWS::Serverless::Function, Properties: {{Handler: a.b, {properties}}}}}}}"
    project = sam(tmp_path, text)
    assert project.source == source
    assert routes(project) == ([] if route is None else [route])
    assert project.functions[0].timeout is None


@pytest.mark.parametrize("reference", ["!Ref %s", "{Ref: %s}"])
def test_a_reference_to_a_sam_templates_parameter_is_its_default(tmp_path: Path, reference: str) -> None:
    num, town, table, none = (reference % name for name in ("Num", "Town", "Table", "None"))
    text = f"""
        Parameters: {{Num: {{Default: 12}}, Town: {{Type: String, Default: Oslo}}, None: {{Type: String}}}}
        Globals: {{Function: {{Environment: {{Variables: {{TOWN: {town}, TABLE: {table}}}}}}}}}
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties: {{Handler: a.b, Timeout: {num}, Environment: {{Variables: {{NONE: {none}}}}}}}
        """
    (function,) = sam(tmp_path, text).functions
    assert (function.timeout, function.environment, function.unresolved_variables) == (12, {"TOWN": "Oslo"}, ["TABLE", "NONE"])


def test_of_functions_without_routes_in_a_sam_template_the_one_with_a_url_is_served(tmp_path: Path) -> None:
    text = """
        Resources:
          A: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
          B: {Type: AWS::Serverless::Function, Properties: {Handler: a.c, FunctionUrlConfig: {AuthType: NONE}}}
        """
    assert [function.name for function in sam(tmp_path, text).functions] == ["B"]


def test_a_code_uri_that_is_no_folder_here_is_the_project(tmp_path: Path) -> None:
    text = "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, CodeUri: s3://b/k}}}"
    assert sam(tmp_path, text).functions[0].folder == tmp_path


def test_bridge_app_for_all_functions_leaves_those_with_a_handler_of_their_own_alone(tmp_path: Path) -> None:
    text = """
        provider: {name: aws, environment: {BRIDGE_APP: 'app:app'}}
        functions:
          web: {handler: bridge.entrypoint.handler, events: [{httpApi: '*'}]}
          worker: {handler: app.worker, events: [{httpApi: 'GET /worker'}]}
        """
    web, worker = serverless(tmp_path, text).functions
    assert (web.app, web.is_handler) == ("app:app", False)
    assert (worker.app, worker.is_handler) == ("app.worker", True)
    (tmp_path / "serverless.yml").unlink()
    text = """
        Globals: {Function: {Environment: {Variables: {BRIDGE_APP: 'app:app'}}}}
        Resources:
          Web:
            Type: AWS::Serverless::Function
            Properties: {Handler: bridge.entrypoint.handler, Events: {All: {Type: HttpApi}}}
          Worker:
            Type: AWS::Serverless::Function
            Properties: {Handler: app.worker, Events: {One: {Type: HttpApi, Properties: {Path: /w, Method: get}}}}
        """
    assert [(f.app, f.is_handler) for f in sam(tmp_path, text).functions] == [
        ("app:app", False),
        ("app.worker", True),
    ]
