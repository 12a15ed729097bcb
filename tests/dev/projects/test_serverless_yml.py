"""Functions, variables and routes in serverless.yml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge.dev.errors import NoApplicationError, UsageError
from bridge.dev.projects.discover import find_project
from tests.dev.projects.readers import SERVICE, routes, serverless

if TYPE_CHECKING:
    from pathlib import Path


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


def test_bridge_app_in_a_functions_environment_names_its_application(tmp_path: Path) -> None:
    text = "functions: {api: {handler: bridge.entrypoint.handler, environment: {BRIDGE_APP: 'app:make()'}}}"
    (function,) = serverless(tmp_path, text).functions
    assert (function.app, function.is_handler) == ("app:make()", False)


def test_bridge_app_of_the_provider_does_not_apply_to_functions_with_their_own_handler(tmp_path: Path) -> None:
    text = """
        provider: {name: aws, environment: {BRIDGE_APP: 'app:app'}}
        functions:
          web: {handler: bridge.entrypoint.handler, events: [{httpApi: '*'}]}
          worker: {handler: app.worker, events: [{httpApi: 'GET /worker'}]}
        """
    web, worker = serverless(tmp_path, text).functions
    assert (web.app, web.is_handler) == ("app:app", False)
    assert (worker.app, worker.is_handler) == ("app.worker", True)


def test_bridge_app_names_the_application_of_an_image(tmp_path: Path) -> None:
    text = "functions: {api: {image: {name: api}, environment: {BRIDGE_APP: 'app:app'}}, other: {image: {name: api}}}"
    (function,) = serverless(tmp_path, text).functions
    assert (function.app, function.is_handler) == ("app:app", False)


def test_a_wsgi_handler_of_the_projects_own_is_a_lambda_handler(tmp_path: Path) -> None:
    (tmp_path / "wsgi_handler.py").write_text("def handler(event, context): ...\n")
    (function,) = serverless(tmp_path, "functions: {api: {handler: wsgi_handler.handler}}").functions
    assert (function.app, function.is_handler) == ("wsgi_handler.handler", True)


def test_text_types_are_a_variable_of_the_functions_that_serve_an_application(tmp_path: Path) -> None:
    text = """
        custom: {wsgi: {app: app.app, textMimeTypes: [a/b, c/d]}}
        functions:
          api: {handler: wsgi_handler.handler, events: [http: ANY /]}
          own: {handler: wsgi_handler.handler, events: [http: ANY /own], environment: {BRIDGE_TEXT_TYPES: e/f}}
          job: {handler: job.run, events: [http: ANY /job]}
        """
    environments = [function.environment for function in serverless(tmp_path, text).functions]
    assert environments == [{"BRIDGE_TEXT_TYPES": "a/b,c/d"}, {"BRIDGE_TEXT_TYPES": "e/f"}, {}]


def test_the_option_module_is_the_folder_of_a_function(tmp_path: Path) -> None:
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
def test_events_have_short_and_long_forms(tmp_path: Path, event: str, route: tuple[str, str]) -> None:
    project = serverless(tmp_path, f"functions:\n  api:\n    handler: a.b\n    events:\n      - {event}\n")
    assert routes(project) == [(*route, "api")]


@pytest.mark.parametrize(
    "event", ["schedule: rate(1 day)", "sqs: {arn: x}", "{alb: {listenerArn: x}}", "s3", "websocket: $connect"]
)
def test_events_other_than_http_are_no_routes(tmp_path: Path, event: str) -> None:
    assert routes(serverless(tmp_path, SERVICE % event)) == []


@pytest.mark.parametrize("event", ["websocket: join", "websocket: {route: join, routeResponseSelectionExpression: $d}"])
def test_websocket_events_are_routes_of_a_websocket_api(tmp_path: Path, event: str) -> None:
    text = f"""
        provider: {{websocketsApiRouteSelectionExpression: $request.body.type}}
        functions: {{chat: {{handler: a.b, events: [websocket: $connect, {event}]}}, other: {{handler: a.c}}}}
        """
    project = serverless(tmp_path, text)
    assert project.websocket_routes == {"$connect": "chat", "join": "chat"}
    assert project.route_selection == "$request.body.type"
    assert project.routes == []


def test_functions_of_a_websocket_api_are_for_commands_that_have_one(tmp_path: Path) -> None:
    events = (
        "functions: {web: {handler: a.b, events: [httpApi: '*']}, chat: {handler: a.c, events: [websocket: $default]}}"
    )
    assert [each.name for each in serverless(tmp_path, events).functions] == ["web"]
    assert [each.name for each in find_project(None, tmp_path, websockets=True).functions] == ["web", "chat"]


@pytest.mark.parametrize("event", ["websocket", "websocket: {}", "websocket: [join]"])
def test_a_websocket_event_without_a_route_is_an_error(tmp_path: Path, event: str) -> None:
    if event == "websocket":
        event = "{websocket: null}"
    with pytest.raises(UsageError, match=r"functions\.f\.events, websocket is .*; it must be a route, such as "):
        serverless(tmp_path, SERVICE % event)


def test_functions_in_other_languages_are_ignored(tmp_path: Path) -> None:
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
def test_the_events_name_the_front_door(
    tmp_path: Path, provider: str, event: str, source: str | None, types: tuple[str, ...]
) -> None:
    project = serverless(tmp_path, f"provider: {provider}\n{SERVICE % event}")
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


def test_a_functions_timeout_wins_over_the_providers(tmp_path: Path) -> None:
    text = """
        provider: {timeout: 20}
        functions:
          one: {handler: a.b, timeout: 5, events: [httpApi: GET /one]}
          two: {handler: a.b, events: [httpApi: GET /two]}
        """
    assert [function.timeout for function in serverless(tmp_path, text).functions] == [5, 20]


@pytest.mark.parametrize(("value", "seconds"), [("'7'", 7), ("2.5", 2.5), ("'${opt:t}'", None), ("null", None)])
def test_a_timeout_may_be_a_string_or_set_by_the_deployment(tmp_path: Path, value: str, seconds: float | None) -> None:
    text = f"functions: {{f: {{handler: a.b, timeout: {value}}}}}"
    assert serverless(tmp_path, text).functions[0].timeout == seconds


def test_a_functions_variables_win_over_the_providers(tmp_path: Path) -> None:
    text = """
        provider: {environment: {A: provider, B: provider}}
        functions: {api: {handler: a.b, environment: {B: function}}}
        """
    assert serverless(tmp_path, text).functions[0].environment == {"A": "provider", "B": "function"}


@pytest.mark.parametrize(("value", "name"), [("shop-${sls:stage}", "shop-dev"), ("shop-${cf:x.y}", "f")])
def test_a_function_has_its_name_on_aws(tmp_path: Path, value: str, name: str) -> None:
    text = f"functions: {{f: {{handler: a.b, name: '{value}', events: [httpApi: 'GET /a']}}}}"
    project = serverless(tmp_path, text)
    assert (project.functions[0].name, routes(project)) == (name, [("GET", "/a", name)])


def test_functions_may_be_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "dogs.yml").write_text("dogs: {handler: a.dogs, events: [httpApi: GET /dogs]}")
    (tmp_path / "cats.yml").write_text("cats: {handler: a.cats, events: [httpApi: GET /cats]}")
    one = serverless(tmp_path, "functions: ${file(./dogs.yml)}")
    assert (routes(one), one.warnings) == ([("GET", "/dogs", "dogs")], [])
    several = serverless(tmp_path, "functions: ['${file(dogs.yml)}', '${file(cats.yml)}', '${file(birds.ts)}']")
    assert routes(several) == [("GET", "/dogs", "dogs"), ("GET", "/cats", "cats")]
    assert several.warnings == [
        "serverless.yml: functions is '${file(birds.ts)}', which is ignored: of other files, only YAML and JSON files "
        "that exist are read."
    ]


def test_parts_in_files_that_are_not_read_are_warnings(tmp_path: Path) -> None:
    text = """
        provider: {environment: '${file(a.js)}'}
        functions: {f: '${file(f.js)}', g: {handler: a.b, events: '${file(e.js)}', environment: '${file(b.js)}'}}
        """
    warnings = serverless(tmp_path, text).warnings
    assert [warning.partition(", which is ignored")[0] for warning in warnings] == [
        "serverless.yml: functions.f is '${file(f.js)}'",
        "serverless.yml: functions.g.events is '${file(e.js)}'",
        "serverless.yml: functions.g.environment is '${file(b.js)}'",
        "serverless.yml: provider.environment is '${file(a.js)}'",
    ]


def test_a_service_may_be_in_a_json_file(tmp_path: Path) -> None:
    function = {"handler": "a.b", "events": [{"http": "GET ${self:custom.path}"}]}
    config = {"custom": {"path": "/a"}, "functions": {"f": function}}
    (tmp_path / "serverless.json").write_text(json.dumps(config))
    assert routes(find_project(None, tmp_path)) == [("GET", "/a", "f")]


PROGRAM = """
const town: string = 'Oslo';
module.exports = {
  service: 'shop',
  provider: {
    name: 'aws', runtime: 'python3.13', environment: { TOWN: town, STAGE: '${sls:stage}', KEY: '${env:KEY}' },
  },
  functions: { api: { handler: 'app.handler', events: [{ httpApi: 'GET /a' }] } },
};
"""


@pytest.mark.slow
def test_a_program_is_resolved_by_the_framework(tmp_path: Path, frameworks: list[Path]) -> None:
    (tmp_path / "node_modules").symlink_to(frameworks[1] / "node_modules")
    (tmp_path / "serverless.ts").write_text(PROGRAM)
    (tmp_path / "local.env").write_text("KEY=k")
    project = find_project(None, tmp_path, {"stage": "live"}, env_file=str(tmp_path / "local.env"))
    (function,) = project.functions
    assert (function.name, function.app) == ("shop-live-api", "app.handler")
    assert function.environment == {"TOWN": "Oslo", "STAGE": "live", "KEY": "k"}
    assert (project.source, routes(project)) == ("http-api", [("GET", "/a", "shop-live-api")])


@pytest.mark.slow
def test_a_program_that_the_framework_cannot_resolve_is_a_warning_with_the_reason(
    tmp_path: Path, frameworks: list[Path]
) -> None:
    (tmp_path / "node_modules").symlink_to(frameworks[1] / "node_modules")
    (tmp_path / "serverless.ts").write_text("throw new Error('no tea');")
    with pytest.raises(
        NoApplicationError, match=r"(?s)serverless.ts cannot be read, because `serverless print`.*no tea"
    ):
        find_project(None, tmp_path)
    assert find_project("app:app", tmp_path).functions[0].app == "app:app"


def test_without_the_framework_a_program_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "serverless.ts").write_text(PROGRAM)
    with pytest.raises(NoApplicationError, match=r"serverless.ts is a program .* install it with `npm install`"):
        find_project(None, tmp_path)
