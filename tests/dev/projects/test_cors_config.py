"""CORS configuration in serverless.yml and SAM templates, and its effect on the local front door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway.cors import Cors, FunctionUrlCors
from tests.dev.projects.readers import sam, serverless

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.dev.projects.project import Project
    from tests.dev.cli.serve_process import ServeProcess

    Serve = Callable[..., ServeProcess]

HEADERS = ("Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent")


def preflights(project: Project) -> dict[str, Cors]:
    """Return the CORS configuration of each route that answers preflights, by its template."""
    routes = [route for route in project.routes if route.preflight]
    assert all(route.method == "OPTIONS" for route in routes)
    return {route.template: route.preflight for route in routes if route.preflight}


def test_http_events_with_cors_answer_preflights_unless_the_project_has_a_route_for_options(tmp_path: Path) -> None:
    text = """
        functions:
          dogs:
            handler: app.dogs
            events:
              - http: {path: dogs, method: get, cors: true}
              - http: {path: cats, method: get}
          more:
            handler: app.more
            events:
              - http: {path: dogs, method: post, cors: true}
              - http: {path: own, method: any, cors: true}
              - http: {path: own, method: options}
    """
    project = serverless(tmp_path, text)
    assert preflights(project) == {"/dogs": Cors(("*",), ("OPTIONS", "GET", "POST"), HEADERS)}
    assert project.cors is None


def test_an_http_event_may_configure_cors(tmp_path: Path) -> None:
    text = """
        functions:
          dogs:
            handler: app.dogs
            events:
              - http:
                  path: dogs
                  method: any
                  cors: {origin: 'https://a.example, https://b.example', headers: [X-Colour], allowCredentials: true,
                         maxAge: 60}
              - http: {path: cats, method: get, cors: {origins: [https://a.example], methods: [GET]}}
    """
    configured = preflights(serverless(tmp_path, text))
    assert configured["/dogs"].origins == ("https://a.example", "https://b.example")
    assert configured["/dogs"].methods == ("OPTIONS", "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
    assert (configured["/dogs"].headers, configured["/dogs"].credentials, configured["/dogs"].max_age) == (
        ("X-Colour",),
        True,
        60,
    )
    assert configured["/cats"] == Cors(("https://a.example",), ("GET", "OPTIONS"), HEADERS)


def test_an_http_api_in_serverless_yml_has_one_configuration(tmp_path: Path) -> None:
    text = """
        provider: {httpApi: {cors: %s}}
        functions: {f: {handler: a.b, events: [{httpApi: 'GET /dogs'}, {httpApi: 'PUT /dogs'}]}}
    """
    project = serverless(tmp_path, text % "true")
    assert project.cors == Cors(("*",), ("OPTIONS", "GET", "PUT"), HEADERS)
    assert preflights(project) == {}
    config = "{allowedOrigins: https://a.example, allowedMethods: [GET], allowedHeaders: [X-A], allowCredentials: true,"
    project = serverless(tmp_path, text % (config + " exposedResponseHeaders: [X-B], maxAge: 6}"))
    assert project.cors == Cors(("https://a.example",), ("GET",), ("X-A",), ("X-B",), True, 6)
    assert serverless(tmp_path, text % "false").cors is None


FUNCTION = """
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      Events:
        One: {Type: %s, Properties: {Path: /dogs, Method: get}}
        Two: {Type: %s, Properties: {Path: /dogs, Method: post}}
"""


@pytest.mark.parametrize(
    "text",
    [
        "Globals: {HttpApi: {CorsConfiguration: %s}}\nResources:" + FUNCTION % ("HttpApi", "HttpApi"),
        "Resources:\n  Api: {Type: AWS::Serverless::HttpApi, Properties: {CorsConfiguration: %s}}"
        + FUNCTION % ("HttpApi", "HttpApi"),
    ],
    ids=["globals", "resource"],
)
def test_an_http_api_in_a_template_has_one_configuration(tmp_path: Path, text: str) -> None:
    assert sam(tmp_path, text % "true").cors == Cors()
    config = "{AllowOrigins: [https://a.example], AllowMethods: [GET], AllowHeaders: [X-A], ExposeHeaders: [X-B],"
    project = sam(tmp_path, text % (config + " AllowCredentials: true, MaxAge: 600}"))
    assert project.cors == Cors(("https://a.example",), ("GET",), ("X-A",), ("X-B",), True, 600)
    assert preflights(project) == {}


@pytest.mark.parametrize(
    "text",
    [
        "Globals: {Api: {Cors: %s}}\nResources:" + FUNCTION % ("Api", "Api"),
        "Resources:\n  Api: {Type: AWS::Serverless::Api, Properties: {Cors: %s}}" + FUNCTION % ("Api", "Api"),
    ],
    ids=["globals", "resource"],
)
def test_a_rest_api_in_a_template_has_quoted_values(tmp_path: Path, text: str) -> None:
    project = sam(tmp_path, text % "\"'https://a.example'\"")
    assert preflights(project) == {"/dogs": Cors(("https://a.example",), ("GET", "OPTIONS", "POST"))}
    assert project.cors is None
    config = "{AllowOrigin: \"'*'\", AllowMethods: \"'GET, PUT'\", AllowHeaders: \"'X-A'\", MaxAge: \"'600'\"}"
    assert preflights(sam(tmp_path, text % config)) == {"/dogs": Cors(("*",), ("GET", "PUT"), ("X-A",), max_age=600)}


def test_cors_of_a_rest_api_does_not_apply_to_the_routes_of_an_http_api(tmp_path: Path) -> None:
    text = "Globals: {Api: {Cors: \"'*'\"}}\nResources:" + FUNCTION % ("HttpApi", "HttpApi")
    assert preflights(sam(tmp_path, text)) == {}


def test_a_served_api_answers_a_browser_of_another_origin(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def dogs(event, context):\n    return {'statusCode': 200, 'body': 'wuff',\n"
        "            'headers': {'access-control-allow-origin': 'https://mine.example'}}\n"
    )
    headers = {"origin": "https://shop.example", "access-control-request-method": "GET"}
    for event, settings, status, origin in (
        ("http: {path: dogs, method: get, cors: true}", "", 200, "https://mine.example"),
        ("httpApi: 'GET /dogs'", "provider: {httpApi: {cors: true}}", 204, "*"),
    ):
        (tmp_path / "serverless.yml").write_text(
            f"{settings}\nfunctions: {{dogs: {{handler: app.dogs, events: [{{{event}}}]}}}}"
        )
        served = serve("--no-reload")
        answer = served.client.options("/dogs", headers=headers)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-methods"] == "OPTIONS,GET"
        answer = served.client.get("/dogs", headers={"origin": "https://shop.example"})
        assert (answer.text, answer.headers["access-control-allow-origin"]) == ("wuff", origin)
        assert served.wait_for_stdout(rf"^OPTIONS /dogs {status} \d+ ms 0 B -$")
        assert "WARNING" not in served.stderr


def test_a_function_url_in_serverless_yml_may_configure_cors(tmp_path: Path) -> None:
    text = "functions: {f: {handler: a.b, url: %s}}"
    defaults = (*HEADERS[:-1], "X-Amzn-Trace-Id")
    for config, cors in (
        ("{cors: true}", FunctionUrlCors(("*",), ("*",), defaults)),
        ("true", None),
        ("{cors: false}", None),
        (
            "{cors: {allowedOrigins: [https://a.example], allowedMethods: [GET], allowedHeaders: null,"
            " exposedResponseHeaders: [X-B], allowCredentials: true, maxAge: 6}}",
            FunctionUrlCors(("https://a.example",), ("GET",), (), ("X-B",), True, 6),
        ),
    ):
        project = serverless(tmp_path, text % config)
        assert project.cors_behind("function-url") == cors
        assert project.cors_behind("rest-api") is None
        assert project.routes == []


def test_a_function_url_in_a_template_may_configure_cors(tmp_path: Path) -> None:
    text = (
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b,"
        " FunctionUrlConfig: {AuthType: NONE, Cors: %s}}}}"
    )
    config = "{AllowOrigins: [https://a.example], AllowMethods: [GET], AllowHeaders: [X-A], ExposeHeaders: [X-B],"
    project = sam(tmp_path, text % (config + " AllowCredentials: true, MaxAge: 600}"))
    cors = FunctionUrlCors(("https://a.example",), ("GET",), ("X-A",), ("X-B",), True, 600)
    assert project.cors_behind("function-url") == cors
    assert sam(tmp_path, text % "{AllowOrigins: ['*']}").cors_behind("function-url") == FunctionUrlCors(("*",))


def test_a_served_function_url_answers_a_browser_of_another_origin(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def dogs(event, context):\n    return {'statusCode': 200, 'body': event['rawPath']}\n"
    )
    (tmp_path / "serverless.yml").write_text("functions: {dogs: {handler: app.dogs, url: {cors: true}}}")
    served = serve("--no-reload")
    origin = {"origin": "https://shop.example"}
    for path in ("/", "/a/b"):
        answer = served.client.options(path, headers={**origin, "access-control-request-method": "PUT"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["access-control-allow-methods"] == "*"
        answer = served.client.put(path, headers=origin)
        assert (answer.text, answer.headers["access-control-allow-origin"]) == (path, "https://shop.example")
    assert "access-control-allow-origin" not in served.client.get("/").headers
    assert "WARNING" not in served.stderr
