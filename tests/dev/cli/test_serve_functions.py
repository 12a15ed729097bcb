"""The functions of a project served together, by its own routes and behind its own front door."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.serve_process import Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Served]

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
def test_routes_lead_to_their_functions(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    served = serve(SHADE="light")
    assert "Serving app.dogs, app.app behind rest-api at " in served.err

    assert served.client.get("/dogs/7").json() == {
        "colour": "light green",
        "name": "dogs",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:dogs",
        "resource": "/dogs/{id}",
        "parameters": {"id": "7"},
    }
    assert served.client.post("/dogs").json()["resource"] == "/dogs"
    assert served.client.put("/web/a/b").content == b'["/web/a/b", "light green"]\xff'

    for method, path in (("GET", "/cats"), ("PUT", "/dogs/7"), ("GET", "/dogs")):
        answer = served.client.request(method, path)
        assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
        served.said(f"{method} {path}: rest-api answered 403 by itself: .*GET /dogs/{{id}}, POST /dogs, ANY /web")

    late = served.client.get("/dogs/slow")  # the function's own timeout is shorter than the front door's: it has failed
    assert (late.status_code, late.json()) == (502, {"message": "Internal server error"})


def test_another_front_door_is_a_matter_of_an_option(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(SERVERLESS)
    served = serve("--source", "http-api-v1", "--no-reload")
    assert served.client.get("/dogs/7").json()["colour"] == "dark green"
    answer = served.client.get("/cats")
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


ENVIRONMENTS = """
provider: {{environment: {{SHARED: '1', BRIDGE_LIFESPAN: 'off'}}}}
functions:
  dogs: {{handler: app.dogs, environment: {{COLOUR: brown, BRIDGE_X: 1}}, events: [{0}: GET /dogs]}}
  cats: {{handler: app.dogs, environment: {{COLOUR: {1}, SIZE: {1}}}, events: [httpApi: GET /cats]}}
"""


@pytest.mark.slow
def test_variables_that_functions_of_one_process_read_from_each_other_are_told_once(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(ENVIRONMENTS.format("httpApi", "black"))
    served = serve("--no-reload")
    said = "The functions share one process, and the variables COLOUR, SIZE with it: "
    assert served.err.count(said) == 1
    assert "`bridge serve --runtime` gives each function a process of its own." in served.err
    (tmp_path / "own.env").write_text("SIZE=1\nCOLOUR=green\n")
    assert "share" not in serve("--no-reload", "--env-file", "own.env").err


@pytest.mark.slow
def test_events_of_another_front_door_are_told_unless_the_front_door_is_chosen(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text(ENVIRONMENTS.format("http", "black"))
    served = serve("--no-reload")
    assert served.err.count("on AWS those of dogs are behind rest-api: `--source rest-api` serves all") == 1
    assert " behind http-api at " in served.err
    assert "on AWS" not in serve("--no-reload", "--source", "rest-api").err


@pytest.mark.slow
@pytest.mark.parametrize("reload", ["--reload", "--no-reload"])
def test_variables_may_come_through_a_pipe_which_is_read_once(tmp_path: Path, reload: str) -> None:
    (tmp_path / "app.py").write_text(APP.replace("dogs(", "app_of("))
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as threads:
        writing = threads.submit((tmp_path / "pipe").write_text, "COLOUR=green\n")
        with Served(tmp_path, "app:app", "--env-file", "pipe", reload) as served:
            writing.result()
            for _ in range(2):
                assert b"green" in served.client.get("/").content
                if reload == "--no-reload":
                    break
                (tmp_path / "app.py").write_text(APP + "\n")
                served.said("Serving ", times=2)
