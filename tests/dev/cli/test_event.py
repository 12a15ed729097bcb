"""``bridge event``: the event that AWS sends for a request with curl's options."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.dev.cli.serve_process import BRIDGE, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., tuple[int, str, str]]
    Compose = Callable[..., Any]
    Fail = Callable[..., tuple[Any, str]]


@pytest.fixture
def compose(bridge_command: Command) -> Compose:
    """Runs the command and returns the event."""

    def make(*arguments: str) -> Any:
        status, out, _ = bridge_command("event", *arguments)
        assert status == 0
        return json.loads(out)

    return make


@pytest.fixture
def fail(bridge_command: Command) -> Fail:
    """Runs the command and returns its exit status and standard error."""

    def make(*arguments: str) -> tuple[Any, str]:
        status, out, err = bridge_command("event", *arguments)
        assert out == ""
        return status, err

    return make


def test_the_default_is_a_get_request_for_the_root(compose: Compose) -> None:
    event = compose()
    assert event["requestContext"]["http"]["method"] == "GET"
    assert event["rawPath"] == "/"
    assert event["headers"]["host"] == "localhost"
    assert "body" not in event


def test_characters_that_control_a_terminal_are_escaped(bridge_command: Command) -> None:
    _, output, _ = bridge_command("event", "/%C2%9B2J%E2%80%AE%C2%85tee-für-zwei")
    assert json.loads(output)["requestContext"]["http"]["path"] == "/\x9b2J\u202e\x85tee-für-zwei"
    assert r"/\u009b2J\u202e\u0085tee-für-zwei" in output
    assert output.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("url", "path", "query", "host"),
    [
        ("/tea?cup=1", "/tea", "cup=1", "localhost"),
        ("tea", "/tea", "", "localhost"),
        ("//tea//cup", "//tea//cup", "", "localhost"),
        ("https://shop.example/tea?x=%20", "/tea", "x=%20", "shop.example"),
        ("http://shop.example:8080", "/", "", "shop.example:8080"),
        ("/login?next=https://shop.example/tea", "/login", "next=https://shop.example/tea", "localhost"),
        ("/café?q=é#part", "/caf%C3%A9", "q=%C3%A9", "localhost"),
        ("/a%20b", "/a%20b", "", "localhost"),
        ("/a b", "/a%20b", "", "localhost"),
        ("/\udcff", "/%FF", "", "localhost"),  # a byte that is not UTF-8, as Python decodes it in an argument
    ],
)
def test_the_url_is_a_path_or_an_absolute_url(compose: Compose, url: str, path: str, query: str, host: str) -> None:
    event = compose(url, "--source", "function-url")
    assert (event["rawPath"], event["rawQueryString"], event["headers"]["host"]) == (path, query, host)


def test_the_scheme_comes_from_the_url(compose: Compose) -> None:
    assert compose("http://shop.example/")["headers"]["x-forwarded-proto"] == "http"
    assert compose("https://shop.example/")["headers"]["x-forwarded-proto"] == "https"


def test_the_method_and_the_headers_have_curls_notation(compose: Compose) -> None:
    event = compose("-X", "PUT", "/tea", "-H", "X-Cup: a", "-H", "X-Cup:b ", "-H", "Host: shop", "-H", "X-None;")
    assert event["requestContext"]["http"]["method"] == "PUT"
    assert (event["headers"]["x-cup"], event["headers"]["x-none"]) == ("a,b", "")
    assert event["headers"]["host"] == "shop"


def test_a_header_beyond_ascii_is_sent_as_utf_8(compose: Compose) -> None:
    assert compose("-H", "X-Cup: für")["headers"]["x-cup"] == "für"


def test_data_is_a_form_sent_by_post(compose: Compose, tmp_path: Path) -> None:
    (tmp_path / "form").write_text("c=3\r\n&d=4\n")
    event = compose("/tea", "-d", "a=1", "-d", "b=2", "--data", f"@{tmp_path}/form", "--source", "rest-api")
    assert event["httpMethod"] == "POST"
    assert event["body"] == "a=1&b=2&c=3&d=4"
    assert event["headers"]["content-type"] == "application/x-www-form-urlencoded"


def test_binary_data_is_sent_unchanged(compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) + b"\r\n"
    (tmp_path / "image").write_bytes(content)
    event = compose("--data-binary", f"@{tmp_path}/image", "-H", "Content-Type: image/png")
    assert event["isBase64Encoded"]
    assert base64.b64decode(event["body"]) == content
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert base64.b64decode(compose("--data-binary", "@-")["body"]) == content


def test_the_event_follows_the_configuration_of_the_front_door(compose: Compose) -> None:
    event = compose("/prod/tea", "--source", "rest-api", "--stage", "prod")
    assert (event["path"], event["requestContext"]["stage"]) == ("/tea", "prod")
    text = compose("--source", "rest-api", "--data-binary", "x", "-H", "Content-Type: text/plain")
    assert (text["body"], text["isBase64Encoded"]) == ("x", False)
    types = ("--binary-media-types", "image/png, text/*")
    event = compose("--source", "rest-api", "--data-binary", "x", "-H", "Content-Type: text/plain", *types)
    assert (event["body"], event["isBase64Encoded"]) == ("eA==", True)


REST = """
functions:
  dogs: {handler: a.dogs, events: [http: 'GET dogs/{id}', http: {path: cats, method: post, cors: true}]}
provider: {apiGateway: {binaryMediaTypes: ['image/*']}}
"""


def test_the_project_sets_the_front_door_the_routes_and_the_binary_media_types(
    compose: Compose, fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRIDGE_APP", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serverless.yml").write_text(REST)
    event = compose("/dogs/7", "--stage", "")
    assert (event["resource"], event["pathParameters"]) == ("/dogs/{id}", {"id": "7"})
    assert compose("/cats", "--data-binary", "x", "-H", "Content-Type: image/png")["isBase64Encoded"]
    assert compose("/prod/dogs/7", "--stage", "prod")["requestContext"]["stage"] == "prod"
    assert compose("/dogs/7", "--source", "alb")["path"] == "/dogs/7"
    assert fail("/nowhere") == (
        1,
        "bridge: rest-api sends no event for this request, because it answers 403 itself: no route of the project "
        "matches the request.\n",
    )
    status, stderr = fail("/cats", "-X", "OPTIONS")
    assert status == 1
    assert "rest-api sends no event for this request, because it answers 200 itself: a CORS preflight" in stderr
    (tmp_path / "serverless.yml").write_text("functions: {f: {handler: a.b, url: true}}")
    assert ".lambda-url." in compose("/")["requestContext"]["domainName"]
    status, stderr = fail("/", "--stage", "prod")
    assert status == 2
    assert "--stage prod does not apply to function-url" in stderr


def test_options_and_arguments_may_have_any_order(compose: Compose) -> None:
    for arguments in (("/tea", "-X", "PUT"), ("-X", "PUT", "/tea"), ("--source", "http-api", "/tea", "-X", "PUT")):
        event = compose(*arguments)
        assert (event["rawPath"], event["requestContext"]["http"]["method"]) == ("/tea", "PUT")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("-H", "no colon"), 2, "-H 'no colon' is not a header. Write it as 'Name: value'."),
        (("-H", ";"), 2, "-H ';' is not a header."),
        (("-H", ": x"), 2, "-H ': x' is not a header."),
        (("-H", "Bad Name: x"), 2, "-H 'Bad Name: x': HTTP does not allow 'Bad Name' as the name of a header."),
        (("-H", "X-É: x"), 2, "HTTP does not allow 'X-É' as the name of a header."),
        (("-H", "X: a\r\nY: b"), 2, "HTTP does not allow a line break in the value of a header."),
        (("-X", "G ET"), 2, "-X 'G ET' is not an HTTP method."),
        (("-X", "GET\r\n"), 2, "is not an HTTP method."),
        (("-X", ""), 2, "-X '' is not an HTTP method."),
        (("http://[::1",), 2, "'http://[::1' is not a URL: Invalid IPv6 URL."),
        (("--stage", "a/b", "--source", "rest-api"), 2, "'a/b' is not a stage: its name has letters, digits, - and _"),
        (("-d", "@/nowhere/at-all"), 2, "/nowhere/at-all cannot be read: No such file or directory."),
        (("--data-binary", "@/nowhere/at-all"), 2, "/nowhere/at-all cannot be read"),
        (("--data-binary", "x", "-d", "y"), 2, "not allowed with argument"),
        (("--source", "nginx"), 2, "invalid choice: 'nginx' (choose from"),
        (("/tea", "/cup"), 2, "unrecognized arguments: /cup"),
        (("--bogus",), 2, "unrecognized arguments: --bogus"),
        (("--timeout", "soon"), 2, "'soon' is not a number of seconds above 0"),
        (("/tea", "--stage", "prod", "--source", "rest-api"), 1, "it answers 403 itself"),
        (("/" + "x" * 20_000,), 1, "it answers 431 itself"),
    ],
)
def test_invalid_options_are_one_message(fail: Fail, arguments: tuple[str, ...], status: int, message: str) -> None:
    code, stderr = fail(*arguments)
    assert code == status
    assert message in stderr
    assert "Traceback" not in stderr


def test_letters_that_the_output_cannot_encode_are_escaped(tmp_path: Path) -> None:
    for encoding, shown in (("utf-8", "für"), ("ascii", "f\\u00fcr")):
        status, out, _ = run(tmp_path, "event", "-H", "X-Cup: für", PYTHONIOENCODING=encoding)
        assert status == 0
        assert f'"x-cup": "{shown}"' in out


def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    command = f"{BRIDGE} event /tea --data-binary @large | head -c 10"
    (tmp_path / "large").write_bytes(b"x" * 1_000_000)
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True)
    assert (len(done.stdout), done.stderr) == (10, b"")
