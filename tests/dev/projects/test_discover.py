"""The application and the functions of a project, from all of its files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bridge.dev.errors import CommandError, NoApplicationError, UsageError
from bridge.dev.projects.discover import find_project
from tests.dev.projects.readers import SERVICE, TEMPLATE, routes, sam, serverless

if TYPE_CHECKING:
    from pathlib import Path


def test_the_named_application_comes_first_then_the_environment_pyproject_and_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def app(name: str | None = None) -> str:
        return find_project(name, tmp_path).functions[0].app

    (tmp_path / "template.yaml").write_text(TEMPLATE % "Timeout: 1")
    assert app() == "a.b"
    (tmp_path / "serverless.yml").write_text("functions: {f: {handler: a.sls}}")
    assert app() == "a.sls"
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\napp = "a:toml"\n')
    assert app() == "a:toml"
    monkeypatch.setenv("BRIDGE_APP", "a:env")
    assert app() == "a:env"
    assert app("a:word") == "a:word"


@pytest.mark.parametrize("kind", ["serverless", "sam"])
def test_an_application_that_only_a_deployment_knows_is_an_error_that_says_so(kind: str, tmp_path: Path) -> None:
    template = """
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties:
              Handler: bridge.entrypoint.handler
              Environment: {Variables: {BRIDGE_APP: !ImportValue name}}
    """
    service = "functions: {F: {handler: wsgi_handler.handler, name: F}}\ncustom: {wsgi: {app: 'a.${param:none}'}}\n"
    with pytest.raises(UsageError, match=r"application of the function F is unknown.*: bridge serve app:app"):
        sam(tmp_path, template) if kind == "sam" else serverless(tmp_path, service)


@pytest.mark.parametrize("app", ["app:app", None])
def test_an_application_named_outside_the_file_has_the_environment_of_all_functions_and_no_routes(
    tmp_path: Path, app: str | None
) -> None:
    text = """
        provider: {environment: {SHARED: '1'}}
        functions:
          one: {handler: a.one, environment: {ONE: '1'}, events: [http: GET /one]}
          two: {handler: a.two, environment: {TWO: '2'}}
        """
    (tmp_path / "serverless.yml").write_text(text)
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\napp = "a:toml"\n')
    project = find_project(app, tmp_path)
    assert project.functions[0].environment == {"SHARED": "1", "ONE": "1", "TWO": "2"}
    assert (routes(project), project.source) == ([], None)


def test_the_variables_of_the_function_with_the_named_application_win(tmp_path: Path) -> None:
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


def test_a_variable_that_one_function_knows_is_resolved_for_a_named_application(tmp_path: Path) -> None:
    text = """
        provider: {environment: {A: "${cf:x.y}", B: !Ref Table, C: known}}
        functions: {one: {handler: a.b, environment: {A: known}}}
        """
    assert serverless(tmp_path, text).functions[0].unresolved_variables == ["B"]
    assert find_project("app:app", tmp_path).functions[0].unresolved_variables == ["B"]


FLASK = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.mark.parametrize("name", ["app.py", "main.py", "wsgi.py", "asgi.py", "shop/web.py"])
def test_the_only_application_in_the_code_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(FLASK)
    project = find_project(None, tmp_path)
    app = f"{name.removesuffix('.py')}:app"
    assert [function.app for function in project.functions] == [app]
    assert project.detection == f"Found {app}: Flask (WSGI) in {name}, line 2."
    with pytest.raises(NoApplicationError):
        find_project(None, tmp_path, detect=False)


def test_of_several_applications_in_the_code_one_must_be_named_after_the_command(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "api.py").write_text("from fastapi import FastAPI\napi = FastAPI()\n")
    with pytest.raises(UsageError) as caught:
        find_project(None, tmp_path, command="bridge invoke")
    assert str(caught.value).splitlines() == [
        "This folder has several applications. Name one on the command line:",
        "  bridge invoke api:api    FastAPI (ASGI) in api.py, line 2",
        "  bridge invoke app:app    Flask (WSGI) in app.py, line 2",
        'To make it the default, write it into pyproject.toml: [tool.bridge] app = "api:api"',
    ]
    assert find_project("app:app", tmp_path).functions[0].app == "app:app"


def test_without_an_application_the_error_says_how_to_name_one(tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text("x = 1\n")
    with pytest.raises(NoApplicationError, match=r"`bridge package app:app`, or in pyproject\.toml: \[tool\.bridge\]"):
        find_project(None, tmp_path, command="bridge package")


def test_a_syntax_error_that_hides_the_application_is_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"{FLASK}def broken(:\n")
    with pytest.raises(NoApplicationError, match=r"because a file has a syntax error: app\.py, line 3\. Correct it"):
        find_project(None, tmp_path)


def test_the_warnings_of_a_file_without_functions_stay_when_the_application_is_found(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "serverless.yml").write_text("functions: ${file(x.js)}")
    project = find_project(None, tmp_path)
    assert project.functions[0].app == "app:app"
    assert "which is ignored" in project.warnings[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pyproject.toml", "[tool.bridge", "pyproject.toml cannot be read"),
        ("pyproject.toml", "[tool.bridge]\napp = ['a']", r"it must be a string, as in app = \"app:app\""),
        ("serverless.yml", "functions: {a: [", "serverless.yml cannot be read"),
        ("serverless.yml", "just text", "No application is named"),
        ("template.yaml", "Resources: [1, 2]", "No application is named"),
        ("serverless.yml", "functions: ${file(x.js)}", r"functions is '\$\{file\(x.js\)\}', which is ignored"),
        (
            "serverless.yml",
            SERVICE % "http: BOGUS /x",
            "serverless.yml: functions.f.events, http: /x has the method 'BOG",
        ),
        ("serverless.yml", SERVICE % "http: {method: bogus, path: x}", "the method 'bogus'; it must be one of GET, "),
        ("serverless.yml", SERVICE % "http: 5", "functions.f.events, http is 5; it must be a method and a path, as in"),
        ("serverless.yml", SERVICE % "{http: , path: x}", "functions.f.events, http is empty; it must be a method and"),
        ("serverless.yml", SERVICE % "httpApi: /x", "functions.f.events, httpApi is '/x'; it must be a method and"),
        (
            "serverless.yml",
            "functions: {f: {handler: a.b, timeout: x}}",
            "functions.f.timeout is 'x'; it must be a num",
        ),
        (
            "serverless.yml",
            "functions: {f: {handler: a.b, timeout: 0}}",
            "functions.f.timeout is 0; it must be a number",
        ),
        ("serverless.yml", "{provider: {timeout: true}, functions: {f: {handler: a.b}}}", "provider.timeout is True"),
        (
            "template.yaml",
            TEMPLATE % "Timeout: x",
            "template.yaml: Resources.F.Properties.Timeout is 'x'; it must be a",
        ),
        (
            "template.yaml",
            TEMPLATE % "Events: {A: {Type: Api, Properties: {Path: /a, Method: bogus}}}",
            "template.yaml: Resources.F, the event for /a, has the method 'bogus'; it must be one of",
        ),
    ],
)
def test_an_invalid_file_is_an_error_with_its_name_and_place(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CommandError, match=message):
        find_project(None, tmp_path)


def test_an_unreadable_reference_is_no_error_if_the_application_is_named(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text("functions: ${file(./functions.js)}")
    assert find_project("app:app", tmp_path).functions[0].app == "app:app"


def test_of_functions_with_and_without_routes_those_with_routes_are_served(tmp_path: Path) -> None:
    text = """
        functions:
          nightly: {handler: jobs.nightly, events: [schedule: rate(1 day)]}
          api: {handler: a.b, events: [httpApi: '*']}
          more: {handler: a.c, events: [httpApi: GET /more]}
        """
    assert [function.name for function in serverless(tmp_path, text).functions] == ["api", "more"]


def test_without_routes_an_application_is_served_rather_than_a_lambda_handler(tmp_path: Path) -> None:
    text = """
        custom: {wsgi: {app: app.app}}
        functions:
          nightly: {handler: jobs.nightly, events: [schedule: rate(1 day)]}
          api: {handler: wsgi_handler.handler}
        """
    assert [function.name for function in serverless(tmp_path, text).functions] == ["api"]


def test_without_routes_the_function_with_a_url_is_served(tmp_path: Path) -> None:
    text = """
        Resources:
          A: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
          B: {Type: AWS::Serverless::Function, Properties: {Handler: a.c, FunctionUrlConfig: {AuthType: NONE}}}
        """
    assert [function.name for function in sam(tmp_path, text).functions] == ["B"]


def test_events_of_front_doors_that_are_not_served_are_warnings(tmp_path: Path) -> None:
    text = """
        functions:
          dogs: {handler: a.dogs, events: [http: GET /dogs, http: POST /dogs]}
          cats: {handler: a.cats, events: [httpApi: GET /cats]}
          birds: {handler: a.birds, events: [alb: {listenerArn: x}]}
        """
    project = serverless(tmp_path, text)
    assert project.source == "http-api"
    rest = (
        "All routes are served behind one front door, http-api. On AWS those of dogs are behind rest-api; to serve all "
        "routes behind rest-api, add `--source rest-api`."
    )
    alb = (
        "The load balancer's events of birds are not routed on this machine. To serve one function behind a load "
        "balancer, run `bridge serve a.birds --source alb`."
    )
    assert project.source_warnings == [rest, alb]
    only = serverless(tmp_path, "functions: {birds: {handler: a.birds, events: [alb: {listenerArn: x}]}}")
    assert only.source_warnings == [alb]


@pytest.mark.parametrize("event", ["http: GET /a", "httpApi: GET /a", "schedule: rate(1 day)"])
def test_events_of_one_front_door_are_no_warning(tmp_path: Path, event: str) -> None:
    assert serverless(tmp_path, SERVICE % event).source_warnings == []


def test_a_template_with_both_kinds_of_apis_is_a_warning(tmp_path: Path) -> None:
    project = sam(tmp_path, TEMPLATE % "Events: {A: {Type: Api, Properties: {Path: /a}}, B: {Type: HttpApi}}")
    (warning,) = project.source_warnings
    assert project.source == "http-api"
    assert "those of F are behind rest-api; to serve all routes behind rest-api, add `--source rest-api`." in warning


@pytest.mark.parametrize("path", ["/{b+}/c", "/a/{b+}/c", "/x/{y}.png", "/e{id}"])
@pytest.mark.parametrize("kind", ["http", "httpApi", "Api", "HttpApi"])
def test_a_route_that_api_gateway_refuses_is_an_error(kind: str, path: str, tmp_path: Path) -> None:
    if kind.startswith("h"):
        (tmp_path / "serverless.yml").write_text(SERVICE % f"{{{kind}: 'GET {path}'}}")
    else:
        event = f"{{Type: {kind}, Properties: {{Path: '{path}', Method: get}}}}"
        (tmp_path / "template.yaml").write_text(TEMPLATE % f"Events: {{A: {event}}}")
    with pytest.raises(UsageError, match=re.escape(f"has the path {path!r}, which API Gateway refuses to create: a ")):
        find_project(None, tmp_path)


def test_a_route_whose_path_only_a_deployment_knows_is_no_error(tmp_path: Path) -> None:
    assert routes(serverless(tmp_path, SERVICE % "{http: 'GET /${ssm:/path}/{id}'}")) == [
        ("GET", "/${ssm:/path}/{id}", "f")
    ]
