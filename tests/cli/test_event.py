"""``bridge event``: one request, described as for curl, to the event that AWS sends."""

from __future__ import annotations

import base64
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bridge.cli import main
from tests.cli.served import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Event = Callable[..., Any]
    Fail = Callable[..., tuple[Any, str]]


@pytest.fixture
def event(capsys: pytest.CaptureFixture[str]) -> Event:
    def make(*arguments: str) -> Any:
        with pytest.raises(SystemExit) as ended:
            main(["event", *arguments])
        assert ended.value.code == 0
        return json.loads(capsys.readouterr().out)

    return make


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Fail:
    def make(*arguments: str) -> tuple[Any, str]:
        with pytest.raises(SystemExit) as ended:
            main(["event", *arguments])
        captured = capsys.readouterr()
        assert captured.out == ""
        return ended.value.code, captured.err

    return make


def test_without_anything_it_is_a_get_of_the_home_page(event: Event) -> None:
    made = event()
    assert made["requestContext"]["http"]["method"] == "GET"
    assert made["rawPath"] == "/"
    assert made["headers"]["host"] == "localhost"
    assert "body" not in made


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
        ("/\udcff", "/%FF", "", "localhost"),  # a byte that is no UTF-8, as the shell hands it over
    ],
)
def test_the_url_is_a_path_or_a_whole_one(event: Event, url: str, path: str, query: str, host: str) -> None:
    made = event(url, "--source", "function-url")
    assert (made["rawPath"], made["rawQueryString"], made["headers"]["host"]) == (path, query, host)


def test_the_scheme_of_the_url_is_the_clients(event: Event) -> None:
    assert event("http://shop.example/")["headers"]["x-forwarded-proto"] == "http"
    assert event("https://shop.example/")["headers"]["x-forwarded-proto"] == "https"


def test_method_and_headers_are_written_as_for_curl(event: Event) -> None:
    made = event("-X", "PUT", "/tea", "-H", "X-Cup: a", "-H", "X-Cup:b ", "-H", "Host: shop.example", "-H", "X-É: ü")
    assert made["requestContext"]["http"]["method"] == "PUT"
    assert made["headers"]["x-cup"] == "a,b"
    assert made["headers"]["host"] == "shop.example"


def test_a_header_beyond_ascii_arrives_as_utf_8(event: Event) -> None:
    assert event("-H", "X-Cup: für")["headers"]["x-cup"] == "für"


def test_data_is_a_posted_form(event: Event, tmp_path: Path) -> None:
    (tmp_path / "form").write_text("c=3\r\n&d=4\n")
    made = event("/tea", "-d", "a=1", "-d", "b=2", "--data", f"@{tmp_path}/form", "--source", "rest-api")
    assert made["httpMethod"] == "POST"
    assert made["body"] == "a=1&b=2&c=3&d=4"
    assert made["headers"]["content-type"] == "application/x-www-form-urlencoded"


def test_binary_data_is_left_as_it_is(event: Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) + b"\r\n"
    (tmp_path / "image").write_bytes(content)
    made = event("--data-binary", f"@{tmp_path}/image", "-H", "Content-Type: image/png")
    assert made["isBase64Encoded"]
    assert base64.b64decode(made["body"]) == content
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert base64.b64decode(event("--data-binary", "@-")["body"]) == content


def test_the_front_doors_set_up_is_in_the_event(event: Event) -> None:
    made = event("/prod/tea", "--source", "rest-api", "--stage", "prod")
    assert (made["path"], made["requestContext"]["stage"]) == ("/tea", "prod")
    kept = event("--source", "rest-api", "--data-binary", "x", "-H", "Content-Type: text/plain")
    assert (kept["body"], kept["isBase64Encoded"]) == ("x", False)
    types = ("--binary-media-types", "image/png, text/*")
    made = event("--source", "rest-api", "--data-binary", "x", "-H", "Content-Type: text/plain", *types)
    assert (made["body"], made["isBase64Encoded"]) == ("eA==", True)


def test_options_and_words_may_stand_in_any_order(event: Event) -> None:
    for arguments in (("/tea", "-X", "PUT"), ("-X", "PUT", "/tea"), ("--source", "http-api", "/tea", "-X", "PUT")):
        made = event(*arguments)
        assert (made["rawPath"], made["requestContext"]["http"]["method"]) == ("/tea", "PUT")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("-H", "no colon"), 1, "-H 'no colon': write a header as 'Name: value'."),
        (("-H", ": x"), 1, "write a header as 'Name: value'."),
        (("-d", "@/nowhere/at-all"), 1, "/nowhere/at-all cannot be read: No such file or directory."),
        (("--data-binary", "@/nowhere/at-all"), 1, "/nowhere/at-all cannot be read"),
        (("--data-binary", "x", "-d", "y"), 2, "not allowed with argument"),
        (("--source", "nginx"), 2, "invalid choice: 'nginx' (choose from"),
        (("/tea", "/cup"), 2, "unrecognized arguments: /cup"),
        (("--bogus",), 2, "unrecognized arguments: --bogus"),
        (("--timeout", "soon"), 2, "'soon' is not a number above 0"),
        (("/tea", "--stage", "prod", "--source", "rest-api"), 1, "rest-api answers 403 by itself"),
        (("/" + "x" * 20_000,), 1, "http-api answers 431 by itself"),
    ],
)
def test_what_cannot_be_is_one_message(fail: Fail, arguments: tuple[str, ...], status: int, says: str) -> None:
    code, message = fail(*arguments)
    assert code == status
    assert says in message
    assert "Traceback" not in message


def test_letters_that_the_output_cannot_show_are_escaped(tmp_path: Path) -> None:
    for encoding, shown in (("utf-8", "für"), ("ascii", "f\\u00fcr")):
        status, out, _ = run(tmp_path, "event", "-H", "X-Cup: für", PYTHONIOENCODING=encoding)
        assert status == 0
        assert f'"x-cup": "{shown}"' in out


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    import subprocess

    from tests.cli.served import BRIDGE

    command = f"{BRIDGE} event /tea --data-binary @large | head -c 10"
    (tmp_path / "large").write_bytes(b"x" * 1_000_000)
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True)
    assert (len(done.stdout), done.stderr) == (10, b"")
