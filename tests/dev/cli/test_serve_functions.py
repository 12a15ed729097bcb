"""``bridge serve`` with a project of several functions and routes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.serve_process import ServeProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., ServeProcess]

APP = """
import json, os, time
COLOUR = os.environ["COLOUR"]

def dogs(event, context):
    if event["path"] == "/dogs/slow":
        time.sleep(3)
    body = {
        "colour": COLOUR, "name": context.function_name, "arn": context.invoked_function_arn,
        "resource": event["resource"], "parameters": event["pathParameters"],
    }
    return {"statusCode": 200, "body": json.dumps(body)}

def app(environ, start):
    start("200 OK", [("Content-Type", "image/png")])
    return [json.dumps([environ["PATH_INFO"], COLOUR]).encode() + b"\\xff"]
"""

SERVERLESS = """
service: tea
provider:
  name: aws
  runtime: python3.13
  timeout: 1
  apiGateway: {binaryMediaTypes: ['*/*']}
  environment: {COLOUR: "${env:SHADE, 'dark'} green"}
custom: {wsgi: {app: app.app}}
functions:
  dogs:
    handler: app.dogs
    events: [http: 'GET dogs/{id}', http: {path: /dogs, method: post}]
  web:
    handler: wsgi_handler.handler
    events: [http: ANY web, http: 'ANY web/{proxy+}']
  nightly:
    handler: not_here.at_all
    events: [schedule: rate(1 day)]
"""


@pytest.mark.slow
def test_requests_are_routed_to_the_functions(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    server = serve(SHADE="light")
    assert "Serving app.dogs, app.app behind rest-api at " in server.stderr

    assert server.client.get("/dogs/7").json() == {
        "colour": "light green",
        "name": "dogs",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:dogs",
        "resource": "/dogs/{id}",
        "parameters": {"id": "7"},
    }
    assert server.client.post("/dogs").json()["resource"] == "/dogs"
    assert server.client.put("/web/a/b").content == b'["/web/a/b", "light green"]\xff'

    for method, path in (("GET", "/cats"), ("PUT", "/dogs/7"), ("GET", "/dogs")):
        answer = server.client.request(method, path)
        assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
        server.wait_for_stderr(f"{method} {path}: rest-api answered 403 .*GET /dogs/{{id}}, POST /dogs, ANY /web")

    late = server.client.get("/dogs/slow")  # beyond the function's own timeout: the function has failed
    assert (late.status_code, late.json()) == (502, {"message": "Internal server error"})


def test_the_source_option_overrides_the_projects_front_door(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    server = serve("--source", "http-api-v1", "--no-reload")
    assert server.client.get("/dogs/7").json()["colour"] == "dark green"
    answer = server.client.get("/cats")
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


ENVIRONMENTS = """
provider: {{environment: {{SHARED: '1', BRIDGE_LIFESPAN: 'off'}}}}
functions:
  dogs: {{handler: app.dogs, environment: {{COLOUR: brown, BRIDGE_X: 1}}, events: [{0}: GET /dogs]}}
  cats: {{handler: app.dogs, environment: {{COLOUR: {1}, SIZE: {1}}}, events: [httpApi: GET /cats]}}
"""


@pytest.mark.slow
def test_variables_with_different_values_are_reported_once(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(ENVIRONMENTS.format("httpApi", "black"))
    server = serve("--no-reload")
    assert server.stderr.count("share its environment, in which they differ: COLOUR, SIZE. ") == 1
    assert "Use `bridge serve --runtime` to give each function a process." in server.stderr
    (tmp_path / "own.env").write_text("SIZE=1\nCOLOUR=green\n")
    assert "share" not in serve("--no-reload", "--env-file", "own.env").stderr


@pytest.mark.slow
def test_events_of_another_front_door_are_reported_without_the_source_option(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(ENVIRONMENTS.format("http", "black"))
    server = serve("--no-reload")
    assert server.stderr.count("On AWS those of dogs are behind rest-api") == 1
    assert "`--source rest-api`" in server.stderr
    assert " behind http-api at " in server.stderr
    assert "On AWS" not in serve("--no-reload", "--source", "rest-api").stderr


@pytest.mark.slow
@pytest.mark.parametrize("reload", ["--reload", "--no-reload"])
def test_the_env_file_may_be_a_pipe(tmp_path: Path, reload: str) -> None:
    (tmp_path / "app.py").write_text(APP.replace("dogs(", "app_of("))
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as threads:
        written = threads.submit((tmp_path / "pipe").write_text, "COLOUR=green\n")
        with ServeProcess(tmp_path, "app:app", "--env-file", "pipe", reload) as server:
            written.result()
            for _ in range(2):
                assert b"green" in server.client.get("/").content
                if reload == "--no-reload":
                    break
                (tmp_path / "app.py").write_text(APP + "\n")
                server.wait_for_stderr("Serving ", times=2)
