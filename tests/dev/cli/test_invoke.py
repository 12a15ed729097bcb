"""``bridge invoke``: one request or event to the application."""

from __future__ import annotations

import json
import subprocess
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from tests.dev.cli.serve_process import ASGI, BRIDGE, WSGI, environment, run

if TYPE_CHECKING:
    from pathlib import Path


def invoke(folder: Path, *arguments: str, **env: str) -> Any:
    """Run the command and return the payload."""
    status, out, err = run(folder, "invoke", *arguments, **env)
    assert status == 0, err
    return json.loads(out)


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_the_payload_is_printed(tmp_path: Path, app: str) -> None:
    payload = invoke(tmp_path, app, "/tea?cup=1", "-d", "sugar=2")
    assert payload["statusCode"] == 200
    body = json.loads(payload["body"])
    assert (body["path"], body["query"], body["size"]) == ("/tea", "cup=1", 7)


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_with_include_the_clients_response_is_printed(tmp_path: Path, app: str) -> None:
    status, out, err = run(tmp_path, "invoke", app, "-i", "/tea", "--source", "alb")
    assert status == 0, err
    head, _, body = out.partition("\r\n\r\n")
    assert head.splitlines()[0] == "HTTP/1.1 200 OK"
    assert "content-type: application/json" in head.lower()
    assert json.loads(body)["path"] == "/tea"
    assert body.endswith("}\n")


def test_standard_output_has_only_the_payload(tmp_path: Path) -> None:
    text = "print('imported')\ndef app(environ, start):\n    print('called')\n    start('200 OK', [])\n    return []\n"
    (tmp_path / "app.py").write_text(text)
    status, out, err = run(tmp_path, "invoke", "app:app")
    assert (status, json.loads(out)["statusCode"]) == (0, 200)
    assert ("imported" in err, "called" in err) == (True, True)


def test_the_event_comes_from_a_file_or_standard_input(tmp_path: Path) -> None:
    _, event, _ = run(tmp_path, "event", "/tea", "--source", "alb")
    (tmp_path / "event.json").write_text(event)
    payload = invoke(tmp_path, ASGI, "--event", "event.json")
    assert payload["statusDescription"].startswith("200")
    status, out, _ = run(tmp_path, "invoke", ASGI, "--event", "-", stdin=event)
    assert (status, json.loads(out)) == (0, payload)
    status, out, _ = run(tmp_path, "invoke", ASGI, "--event", "event.json", "--source", "alb", "-i")
    assert (status, out.splitlines()[0]) == (0, "HTTP/1.1 200 OK")


def test_an_exception_is_a_500_and_a_traceback(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "invoke", WSGI, "/error")
    assert (status, json.loads(out)["statusCode"]) == (0, 500)
    assert "RuntimeError: This error is on purpose" in err


def test_a_response_of_the_front_door_is_an_error_unless_include_is_set(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 20_000_000)
    status, out, err = run(tmp_path, "invoke", WSGI, "--data-binary", "@large")
    assert (status, out) == (1, "")
    assert err.endswith(
        "bridge: http-api answered 413 itself, for the reason above, so there is no payload. Add -i to print the "
        "response.\n"
    )
    status, out, err = run(tmp_path, "invoke", WSGI, "--data-binary", "@large", "-i")
    assert (status, out.splitlines()[0]) == (0, f"HTTP/1.1 413 {HTTPStatus(413).phrase}")


@pytest.mark.slow
@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_an_application_that_never_responds_ends_with_the_timeout(tmp_path: Path, app: str) -> None:
    status, out, err = run(tmp_path, "invoke", app, "/hang", "--timeout", "0.5")
    assert (status, out) == (1, "")
    assert "http-api answered 503 itself" in err


def test_the_route_selects_the_function_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def dogs(event, context):\n    return {'statusCode': 200, 'body': 'dogs ' + str(event['pathParameters'])}\n"
        "async def cats(event, context):\n    return {'statusCode': 200, 'body': context.function_name}\n"
    )
    (tmp_path / "serverless.yml").write_text("""
        functions:
          dogs: {handler: app.dogs, events: [httpApi: 'GET /dogs/{id}']}
          cats: {handler: app.cats, events: [httpApi: 'ANY /cats']}
        """)
    assert invoke(tmp_path, "/dogs/7")["body"] == "dogs {'id': '7'}"
    assert invoke(tmp_path, "-X", "DELETE", "https://shop.example/cats")["body"] == "cats"
    status, _, err = run(tmp_path, "invoke", "/birds")
    assert status == 1
    assert "http-api answered 404 itself" in err
    assert "GET /dogs/{id}, ANY /cats" in err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("nowhere:app",), 1, "there is no module 'nowhere'"),
        ((f"{WSGI}x",), 1, "has no attribute 'wsgi_appx'"),
        (("/tea",), 1, "Name the application on the command line, as in `bridge invoke app:app`"),
        ((WSGI, "--event", "nowhere.json"), 2, "--event nowhere.json cannot be read: No such file or directory."),
        ((WSGI, "--event", "-"), 1, "--event - is not valid JSON: "),
        ((WSGI, "--env-file", "nowhere.env"), 2, "--env-file nowhere.env cannot be read"),
        ((WSGI, "http://[::1"), 2, "'http://[::1' is not a URL: Invalid IPv6 URL."),
    ],
)
def test_failures_are_one_message(tmp_path: Path, arguments: tuple[str, ...], status: int, message: str) -> None:
    code, out, err = run(tmp_path, "invoke", *arguments)
    assert (code, out) == (status, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("event", ['{"Records": []}', "null", "[]"])
def test_an_event_that_is_not_http_is_one_message(tmp_path: Path, event: str) -> None:
    status, out, err = run(tmp_path, "invoke", WSGI, "--event", "-", stdin=event)
    assert (status, out) == (1, "")
    assert "is not an HTTP request from a supported source" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-X", "PUT"), "-X does not apply with --event, which contains the request. Remove it or --event."),
        (("-H", "A: b", "-d", "c"), "-H and -d do not apply with --event, which contains the request. Remove them or"),
        (("--data-binary", "c"), "--data-binary does not apply with --event"),
        (("/tea",), "/tea does not apply with --event"),
    ],
)
def test_request_options_do_not_apply_with_an_event(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = run(tmp_path, "invoke", WSGI, *arguments, "--event", "-", stdin="{}")
    assert (status, out) == (2, "")
    assert err.startswith(f"bridge: {message}")


def test_a_rest_api_decodes_base64_by_the_accept_header_of_the_event(tmp_path: Path) -> None:
    text = "def app(environ, start):\n    start('200 OK', [('Content-Type', 'image/png')])\n    return [b'\\xff']\n"
    (tmp_path / "app.py").write_text(text)
    for accept, body in (("image/png", "\ufffd"), ("text/html", "/w==\n")):
        _, event, _ = run(tmp_path, "event", "-H", f"Accept: {accept}", "--source", "rest-api")
        (tmp_path / "event.json").write_text(event)
        arguments = ("app:app", "-i", "--event", "event.json", "--binary-media-types", "image/png")
        done = subprocess.run([BRIDGE, "invoke", *arguments], cwd=tmp_path, env=environment(), capture_output=True)
        assert done.stdout.decode("utf-8", "replace").partition("\r\n\r\n")[2] == body, done.stderr
        assert (b"sent the client base64 text" in done.stderr) is (body == "/w==\n")


def test_a_body_that_a_rest_api_leaves_in_base64_is_reported(tmp_path: Path) -> None:
    text = "def app(environ, start):\n    start('200 OK', [('Content-Type', 'image/png')])\n    return [b'\\xff']\n"
    (tmp_path / "app.py").write_text(text)
    status, out, err = run(tmp_path, "invoke", "app:app", "--source", "rest-api")
    assert (status, json.loads(out)["body"]) == (0, "/w==")
    assert "rest-api sent the client base64 text" in err


def test_the_event_selects_the_front_door(tmp_path: Path) -> None:
    status, event, err = run(tmp_path, "event", "/tea", "--source", "edge")
    assert status == 0, err
    (tmp_path / "event.json").write_text(event)
    status, out, err = run(tmp_path, "invoke", WSGI, "--event", "event.json", "-i")
    assert status == 0, err
    assert out.splitlines()[0] == "HTTP/1.1 200 OK"
    assert json.loads(out.partition("\r\n\r\n")[2])["path"] == "/tea"


def test_a_function_of_event_and_context_is_a_lambda_handler(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("def handler(event, context):\n    return {'statusCode': 201}\n")
    assert invoke(tmp_path, "plain:handler", "/") == {"statusCode": 201}
