"""``bridge invoke``: the application answers one request or event."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.dev.cli.serve_process import ASGI, BRIDGE, WSGI, environment, run

if TYPE_CHECKING:
    from pathlib import Path


def payload(folder: Path, *arguments: str, **env: str) -> Any:
    status, out, err = run(folder, "invoke", *arguments, **env)
    assert status == 0, err
    return json.loads(out)


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_it_prints_the_payload_alone(tmp_path: Path, app: str) -> None:
    made = payload(tmp_path, app, "/tea?cup=1", "-d", "sugar=2")
    assert made["statusCode"] == 200
    body = json.loads(made["body"])
    assert (body["path"], body["query"], body["size"]) == ("/tea", "cup=1", 7)


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_with_i_it_prints_the_response_that_the_client_gets(tmp_path: Path, app: str) -> None:
    status, out, err = run(tmp_path, "invoke", app, "-i", "/tea", "--source", "alb")
    assert status == 0, err
    head, _, body = out.partition("\r\n\r\n")
    assert head.splitlines()[0] == "HTTP/1.1 200"
    assert "content-type: application/json" in head.lower()
    assert json.loads(body)["path"] == "/tea"


def test_what_the_application_prints_does_not_mix_with_the_payload(tmp_path: Path) -> None:
    text = "print('imported')\ndef app(environ, start):\n    print('asked')\n    start('200 OK', [])\n    return []\n"
    (tmp_path / "app.py").write_text(text)
    status, out, err = run(tmp_path, "invoke", "app:app")
    assert (status, json.loads(out)["statusCode"]) == (0, 200)
    assert ("imported" in err, "asked" in err) == (True, True)


def test_an_event_from_a_file_or_standard_input_is_answered_as_it_is(tmp_path: Path) -> None:
    _, event, _ = run(tmp_path, "event", "/tea", "--source", "alb")
    (tmp_path / "event.json").write_text(event)
    made = payload(tmp_path, ASGI, "--event", "event.json")
    assert made["statusDescription"].startswith("200")
    status, out, _ = run(tmp_path, "invoke", ASGI, "--event", "-", stdin=event)
    assert (status, json.loads(out)) == (0, made)
    status, out, _ = run(tmp_path, "invoke", ASGI, "--event", "event.json", "--source", "alb", "-i")
    assert (status, out.splitlines()[0]) == (0, "HTTP/1.1 200")


def test_a_failing_application_is_a_500_and_its_traceback(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "invoke", WSGI, "/error")
    assert (status, json.loads(out)["statusCode"]) == (0, 500)
    assert "RuntimeError: This error is on purpose" in err


def test_what_the_front_door_answers_itself_is_an_error_or_with_i_an_answer(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 20_000_000)
    status, out, err = run(tmp_path, "invoke", WSGI, "--data-binary", "@large")
    assert (status, out) == (1, "")
    assert "http-api answers 413 by itself" in err
    status, out, err = run(tmp_path, "invoke", WSGI, "--data-binary", "@large", "-i")
    assert (status, out.splitlines()[0]) == (0, "HTTP/1.1 413")


@pytest.mark.slow
@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_an_application_that_never_answers_does_not_keep_the_command(tmp_path: Path, app: str) -> None:
    status, out, err = run(tmp_path, "invoke", app, "/hang", "--timeout", "0.5")
    assert (status, out) == (1, "")
    assert "http-api answers 503 by itself" in err


def test_the_project_names_the_application_and_its_function_by_the_route(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def dogs(event, context):\n    return {'statusCode': 200, 'body': 'dogs ' + str(event['pathParameters'])}\n"
        "async def cats(event, context):\n    return {'statusCode': 200, 'body': context.function_name}\n"
    )
    (tmp_path / "serverless.yml").write_text("""
        functions:
          dogs: {handler: app.dogs, events: [httpApi: 'GET /dogs/{id}']}
          cats: {handler: app.cats, events: [httpApi: 'ANY /cats']}
        """)
    assert payload(tmp_path, "/dogs/7")["body"] == "dogs {'id': '7'}"
    assert payload(tmp_path, "-X", "DELETE", "https://shop.example/cats")["body"] == "cats"
    status, _, err = run(tmp_path, "invoke", "/birds")
    assert status == 1
    assert "http-api answers 404 by itself" in err
    assert "GET /dogs/{id}, ANY /cats" in err


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("nowhere:app",), 1, "there is no module 'nowhere'"),
        ((f"{WSGI}x",), 1, "has no attribute 'wsgi_appx'"),
        (("/tea",), 1, "No application is named"),
        ((WSGI, "--event", "nowhere.json"), 2, "--event nowhere.json cannot be read: No such file or directory."),
        ((WSGI, "--event", "-"), 1, "--event - cannot be read as JSON"),
        ((WSGI, "--env-file", "nowhere.env"), 2, "--env-file nowhere.env cannot be read"),
        ((WSGI, "http://[::1"), 2, "'http://[::1' is no URL: Invalid IPv6 URL."),
    ],
)
def test_what_cannot_be_is_one_message(tmp_path: Path, arguments: tuple[str, ...], status: int, says: str) -> None:
    code, out, err = run(tmp_path, "invoke", *arguments)
    assert (code, out) == (status, "")
    assert says in err
    assert "Traceback" not in err


def test_an_event_that_is_no_request_is_one_message(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "invoke", WSGI, "--event", "-", stdin='{"Records": []}')
    assert (status, out) == (1, "")
    assert "is no HTTP request from a known source" in err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("-X", "PUT"), "-X"),
        (("-H", "A: b", "-d", "c"), "-H and -d"),
        (("--data-binary", "c"), "--data-binary"),
        (("/tea",), "/tea"),
    ],
)
def test_a_request_beside_an_event_is_refused(tmp_path: Path, arguments: tuple[str, ...], what: str) -> None:
    status, out, err = run(tmp_path, "invoke", WSGI, *arguments, "--event", "-", stdin="{}")
    assert (status, out) == (2, "")
    assert err == (
        f"bridge: --event has a request of its own, so {what} means nothing with it. Leave one of both out.\n"
    )


def test_base64_behind_a_rest_api_is_decoded_by_what_the_event_accepts(tmp_path: Path) -> None:
    text = "def app(environ, start):\n    start('200 OK', [('Content-Type', 'image/png')])\n    return [b'\\xff']\n"
    (tmp_path / "app.py").write_text(text)
    for accept, body in (("image/png", "\ufffd"), ("text/html", "/w==")):
        _, event, _ = run(tmp_path, "event", "-H", f"Accept: {accept}", "--source", "rest-api")
        (tmp_path / "event.json").write_text(event)
        arguments = ("app:app", "-i", "--event", "event.json", "--binary-media-types", "image/png")
        done = subprocess.run([BRIDGE, "invoke", *arguments], cwd=tmp_path, env=environment(), capture_output=True)
        assert done.stdout.decode("utf-8", "replace").partition("\r\n\r\n")[2] == body, done.stderr
        assert (b"sent the client base64 text" in done.stderr) is (body == "/w==")


def test_a_body_that_a_rest_api_leaves_in_base64_is_a_payload_all_the_same(tmp_path: Path) -> None:
    text = "def app(environ, start):\n    start('200 OK', [('Content-Type', 'image/png')])\n    return [b'\\xff']\n"
    (tmp_path / "app.py").write_text(text)
    status, out, err = run(tmp_path, "invoke", "app:app", "--source", "rest-api")
    assert (status, json.loads(out)["body"]) == (0, "/w==")
    assert "rest-api sent the client base64 text" in err


def test_an_event_tells_the_front_door_that_reads_the_payload(tmp_path: Path) -> None:
    status, event, err = run(tmp_path, "event", "/tea", "--source", "edge")
    assert status == 0, err
    (tmp_path / "event.json").write_text(event)
    status, out, err = run(tmp_path, "invoke", WSGI, "--event", "event.json", "-i")
    assert status == 0, err
    assert out.splitlines()[0] == "HTTP/1.1 200"
    assert json.loads(out.partition("\r\n\r\n")[2])["path"] == "/tea"


def test_a_function_of_event_and_context_is_taken_for_a_lambda_handler(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("def handler(event, context):\n    return {'statusCode': 201}\n")
    assert payload(tmp_path, "plain:handler", "/") == {"statusCode": 201}
