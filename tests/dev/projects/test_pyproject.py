"""``[tool.bridge]`` in pyproject.toml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.errors import UsageError
from bridge.dev.projects import pyproject
from tests.dev.cli.serve_process import WSGI, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dev.cli.serve_process import ServeProcess

    Command = Callable[..., tuple[int, str, str]]


def write(folder: Path, table: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.bridge]\n{table}\n")


def event(folder: Path, *arguments: str) -> Any:
    status, out, err = run(folder, "event", *arguments)
    assert status == 0, err
    return json.loads(out)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('sorce = "alb"', "pyproject.toml: [tool.bridge] has no key 'sorce'; did you mean 'source'?"),
        ("Port = 1", "pyproject.toml: [tool.bridge] has no key 'Port'; did you mean 'port'?"),
        ('base_path = "/a"', "pyproject.toml: [tool.bridge] has no key 'base_path'; did you mean 'base-path'?"),
        ("zzz = 1", "pyproject.toml: [tool.bridge] has no key 'zzz'; the keys are: app, source, stage, "),
        ('source = "albb"', "pyproject.toml: [tool.bridge] source is 'albb'; did you mean 'alb'? It must be one of "),
        ("source = 7", "pyproject.toml: [tool.bridge] source is 7; it must be one of rest-api, http-api, "),
        ('source = ["alb"]', "source is ['alb']; it must be one of rest-api, http-api, "),
        (
            "app = ['a:b']",
            "pyproject.toml: [tool.bridge] app is ['a:b']; it must be a string, as in app = \"app:app\".",
        ),
        ('port = "80"', "pyproject.toml: [tool.bridge] port is '80'; it must be a number from 0 to 65535."),
        ("port = 65536", "port is 65536; it must be a number from 0 to 65535."),
        ("threads = 0", "threads is 0; it must be a whole number of at least 1."),
        ("threads = true", "threads is True; it must be a whole number of at least 1."),
        ("timeout = 0", "timeout is 0; it must be a number of seconds above 0."),
        ("timeout = inf", "timeout is inf; it must be a number of seconds above 0."),
        ('reload = "no"', "reload is 'no'; it must be true or false."),
        ("python = 3.13", 'python is 3.13; it must be a string, as in python = "3.13".'),
        ('python = "3"', "python is '3'; it must be a string, as in python = \"3.13\"."),
        ('arch = "arm"', "arch is 'arm'; it must be one of x86_64, arm64."),
        ("platform = 7", "platform is 7; it must be a string"),
        ("requirements = 'a.txt'", "requirements is 'a.txt'; it must be a list of strings"),
        ("pip-args = '--pre'", "pip-args is '--pre'; it must be a list of strings"),
        ("exclude = [1]", "exclude is [1]; it must be a list of strings"),
        ("include = ['']", "include is ['']; it must be a list of strings"),
        ('slim = "yes"', "slim is 'yes'; it must be true or false."),
        ("text-types = 'a/b'", "text-types is 'a/b'; it must be a list of strings"),
        ('binary-media-types = "a/b"', 'it must be a list of strings, as in binary-media-types = ["image/*"].'),
        ('front-door = "cdn"', "front-door is 'cdn'; it must be one of function-url, http-api, rest-api, alb."),
        ("env = ['A=b']", "env is ['A=b']; it must be a table of strings, as in env = "),
        ("env = { A = 1 }", "env is {'A': 1}; it must be a table of strings, as in env = "),
        ("reserved-concurrency = -1", "reserved-concurrency is -1; it must be a whole number of at least 0."),
        ("log-retention = 2", "log-retention is 2; it must be one of 1, 3, 5, "),
        ("stages = 1", "tool.bridge.stages is 1; it must have a table for each stage, such as "),
        ("stages = { prod = 1 }", "it must have a table for each stage, such as [tool.bridge.stages.prod]."),
        ("stages.prod.memmory = 1", "[tool.bridge.stages.prod] has no key 'memmory'; did you mean 'memory'?"),
        (
            "stages.prod.memory = 'a'",
            "[tool.bridge.stages.prod] memory is 'a'; it must be a whole number of at least 1.",
        ),
        ("stages.prod.app = 'a:b'", "[tool.bridge.stages.prod] has no key 'app'; "),
    ],
)
def test_an_invalid_key_or_value_is_one_message_and_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bridge_command: Command, table: str, message: str
) -> None:
    write(tmp_path, table)
    monkeypatch.chdir(tmp_path)
    for command in ("serve", "invoke", "event", "package"):
        status, _, err = bridge_command(command)
        assert status == 2
        assert err.startswith("bridge: ")
        assert message in err
        assert len(err.splitlines()) == 1


def test_a_tool_bridge_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = {bridge = 1}")
    with pytest.raises(UsageError, match=r"tool\.bridge is 1; it must be a table, \[tool\.bridge\]"):
        pyproject.read(tmp_path)


@pytest.mark.parametrize("text", ["", "tool = 7", "[tool.other]\nsorce = 1"])
def test_a_file_without_the_table_has_no_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert pyproject.options(tmp_path) == {}


def test_the_table_has_the_defaults_of_options(tmp_path: Path) -> None:
    write(tmp_path, 'source = "rest-api"\nstage = "prod"\nbinary-media-types = ["text/*", "image/png"]')
    data = ("--data-binary", "x", "-H", "Content-Type: text/plain")
    sent = event(tmp_path, "/prod/tea", *data)
    assert (sent["path"], sent["requestContext"]["stage"], sent["isBase64Encoded"]) == ("/tea", "prod", True)
    sent = event(tmp_path, "/test/tea", *data, "--stage", "test", "--binary-media-types", "font/*")
    assert (sent["path"], sent["requestContext"]["stage"], sent["isBase64Encoded"]) == ("/tea", "test", False)


def test_lists_of_arguments_and_patterns_become_options(tmp_path: Path) -> None:
    write(tmp_path, "pip-args = ['--find-links', 'my wheels']\ninclude = ['a.csv']\nexclude = ['*.csv']")
    assert pyproject.options(tmp_path) == {"pip_args": "--find-links 'my wheels'", "patterns": ["*.csv", "!a.csv"]}


def test_a_default_that_does_not_apply_to_the_front_door_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, 'stage = "prod"\nbinary-media-types = ["text/*"]')
    assert "elb" in event(tmp_path, "/tea", "--source", "alb")["requestContext"]


def test_a_default_that_does_not_apply_to_an_event_is_ignored(tmp_path: Path) -> None:
    _, sent, _ = run(tmp_path, "event", "/tea", "--source", "alb")
    write(tmp_path, 'stage = "prod"\nbinary-media-types = ["text/*"]')
    status, out, err = run(tmp_path, "invoke", WSGI, "--event", "-", stdin=sent)
    assert (status, json.loads(out)["statusDescription"]) == (0, "200 OK"), err


def test_the_table_has_the_defaults_of_a_server(tmp_path: Path, serve: Any) -> None:
    write(tmp_path, f'app = "{WSGI}"\nsource = "alb"\nreload = false\ndebugger = false\nhost = "127.0.0.1"\nport = 1')
    with serve() as running:  # which passes --port, and that wins
        assert_serves(running, " behind alb at http://127.0.0.1:")


def test_plain_serves_the_application_itself_whatever_front_door_the_table_names(tmp_path: Path, serve: Any) -> None:
    table = 'source = "rest-api"\nstage = "prod"\nbase-path = "/shop"\ntimeout = 3\nbinary-media-types = ["*/*"]'
    write(tmp_path, table)
    with serve(WSGI, "--plain", "--no-reload") as running:
        assert_serves(running, " itself at http://localhost:")


def assert_serves(running: ServeProcess, greeting: str) -> None:
    assert greeting in running.stderr
    assert running.client.get("/tea").json()["path"] == "/tea"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--stage", "prod", "--source", "alb"), "--stage prod does not apply to alb: only "),
        (("--stage", "prod", "--source", "function-url"), "--stage prod does not apply to function-url: only "),
        (
            ("--binary-media-types", "*/*", "--source", "http-api"),
            "--binary-media-types */* does not apply to http-api",
        ),
    ],
)
def test_an_option_that_the_front_door_does_not_have_is_an_error(
    bridge_command: Command, arguments: tuple[str, ...], message: str
) -> None:
    for command in (["serve", WSGI], ["invoke", WSGI, "/"], ["event", "/"]):
        status, _, err = bridge_command(*command, *arguments)
        assert status == 2
        assert err.startswith(f"bridge: {message}")


def test_a_stage_that_does_not_apply_may_be_an_option_of_the_framework(bridge_command: Command) -> None:
    _, _, err = bridge_command("event", "/", "--stage", "prod", "--source", "lattice")
    assert "To set ${opt:stage} of serverless.yml, use --opt stage=prod." in err


def test_an_option_that_the_projects_front_door_does_not_have_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "serverless.yml").write_text("functions: {api: {handler: app.handler, events: [httpApi: '*']}}")
    status, out, err = run(tmp_path, "invoke", "/", "--binary-media-types", "*/*")
    assert (status, out) == (2, "")
    assert "--binary-media-types */* does not apply to http-api" in err


def test_the_table_of_a_stage_wins_and_its_variables_are_added(tmp_path: Path) -> None:
    write(
        tmp_path,
        'memory = 1\nport = 7\nenv = { A = "1", B = "1" }\n[tool.bridge.stages.prod]\nmemory = 2\nenv = { B = "2" }',
    )
    assert pyproject.options(tmp_path) == {"memory": 1, "port": 7, "env": {"A": "1", "B": "1"}}
    assert pyproject.options(tmp_path, "test") == pyproject.options(tmp_path)
    assert pyproject.options(tmp_path, "prod") == {"memory": 2, "port": 7, "env": {"A": "1", "B": "2"}}
    assert pyproject.read_stage(tmp_path, "prod") == {"memory": 2, "env": {"B": "2"}}
    assert pyproject.read_stage(tmp_path, "test") == {}


def test_the_table_of_a_stage_applies_to_every_command_that_has_one(tmp_path: Path) -> None:
    write(tmp_path, 'source = "rest-api"\n[tool.bridge.stages.prod]\nbinary-media-types = ["text/*"]')
    data = ("--data-binary", "x", "-H", "Content-Type: text/plain")
    assert event(tmp_path, "/prod/tea", *data, "--stage", "prod")["isBase64Encoded"]
    assert not event(tmp_path, "/test/tea", *data, "--stage", "test")["isBase64Encoded"]
