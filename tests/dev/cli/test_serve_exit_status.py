"""``bridge serve`` that cannot serve: one message with the remedy, and an exit status other than 0."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., tuple[int, str, str]]

WITH_AND_WITHOUT_RELOADER = pytest.mark.parametrize("reload", ["--reload", "--no-reload"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "70000"), "--port is 70000; it must be from 0 to 65535."),
        (("--host", "no.such.host.invalid"), "--host no.such.host.invalid cannot be resolved: "),
        (("--host", "192.0.2.1"), "--host 192.0.2.1 is not an address of this machine. "),
        (("--plain", "--source", "alb"), "--source alb does not apply with --plain: it serves the application"),
        (("--plain", "--timeout", "2"), "--timeout 2.0 does not apply with --plain"),
        (("--num-processes", "2"), "--num-processes is not supported, because the server is a single process. Use"),
        (("--env-file", "nowhere"), "--env-file nowhere does not exist"),
        (("--env-file", "."), "--env-file . does not exist, or is a folder."),
        (("--ssl-certfile", "here"), "https needs a certificate and its key. Add --ssl-keyfile, or use --ssl-adhoc"),
        (("--ssl-keyfile", "here"), "https needs a certificate and its key. Add --ssl-certfile, or use --ssl-adhoc"),
        (("--ssl-certfile", "nowhere", "--ssl-keyfile", "here"), "--ssl-certfile nowhere does not exist."),
        (
            ("--ssl-certfile", "here", "--ssl-keyfile", "here"),
            "here and here are not a certificate and key in PEM format",
        ),
        (
            ("--ssl-certfile", "here", "--ssl-keyfile", "here", "--ssl-adhoc"),
            "--ssl-adhoc does not apply with --ssl-certfile and --ssl-keyfile.",
        ),
    ],
)
def test_invalid_options_are_refused_with_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bridge_command: Command,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    (tmp_path / "here").write_text("no certificate")
    monkeypatch.chdir(tmp_path)
    status, _, stderr = bridge_command("serve", WSGI, *arguments)
    assert status == 2
    assert stderr.startswith(f"bridge: {message}")
    assert len(stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serve", "--source", "nginx"), "invalid choice: 'nginx' (choose from"),
        (("serve", "--port", "five"), "invalid int value: 'five'"),
        (("serve", "--threads", "0"), "'0' is not an integer of 1 or more"),
        (("serve", "--timeout", "0"), "'0' is not a number of seconds above 0"),
        (("serve", "--opt", "prod"), "'prod' is not of the form NAME=VALUE, such as stage=prod"),
        (("serve", "--no-such-option"), "unrecognized arguments: --no-such-option"),
        (("serve", "one:app", "two:app"), "unrecognized arguments: two:app"),
        (("swim",), "invalid choice: 'swim'"),
        ((), "the following arguments are required: COMMAND"),
    ],
)
def test_malformed_options_are_refused_with_the_usage(
    bridge_command: Command, arguments: tuple[str, ...], message: str
) -> None:
    status, _, stderr = bridge_command(*arguments)
    assert status == 2
    assert stderr.startswith("usage: bridge")
    assert message in stderr


@pytest.mark.parametrize(
    ("package", "message"),
    [
        *(
            (
                package,
                f"bridge serve needs the package {package}, which is not installed. Install it: pip install "
                "'serverless-bridge[serve]'",
            )
            for package in ("uvicorn", "werkzeug", "watchfiles")
        ),
        ("cryptography", "--ssl-adhoc needs the package cryptography. Install it: pip install cryptography"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, bridge_command: Command, package: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert bridge_command("serve", WSGI, "--ssl-adhoc") == (1, "", f"bridge: {message}\n")


def test_without_pyyaml_a_project_with_yaml_is_refused_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bridge_command: Command
) -> None:
    (tmp_path / "serverless.yml").write_text("functions: {}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "yaml", None)
    status, _, stderr = bridge_command("invoke", "/")
    assert status == 1
    assert "serverless.yml" in stderr
    assert "pip install 'serverless-bridge[serve]'" in stderr


def test_a_port_in_use_is_reported_before_anything_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        status, stdout, stderr = run(tmp_path, "serve", WSGI, "--port", str(port))
    assert (status, stdout) == (1, "")
    assert stderr == (
        f"bridge: Port {port} of localhost cannot be used: Address already in use. Choose another port with --port; "
        "--port 0 chooses any free one.\n"
    )


@WITH_AND_WITHOUT_RELOADER
def test_an_application_that_does_not_exist(tmp_path: Path, reload: str) -> None:
    status, stdout, stderr = run(tmp_path, "serve", "nowhere:app", reload, "--port", "0")
    assert (status, stdout) == (1, "")
    assert stderr.startswith("bridge: 'nowhere:app': ")
    assert "'nowhere'" in stderr
    assert len(stderr.splitlines()) == 1


@WITH_AND_WITHOUT_RELOADER
def test_an_option_that_does_not_apply_to_the_projects_front_door(tmp_path: Path, reload: str) -> None:
    (tmp_path / "serverless.yml").write_text("functions: {api: {handler: app.handler, url: true}}")
    status, stdout, stderr = run(tmp_path, "serve", "--stage", "prod", reload, "--port", "0")
    assert (status, stdout) == (2, "")
    assert stderr == (
        "bridge: --stage prod does not apply to function-url: only rest-api, http-api and http-api-v1 have stages. "
        "Remove --stage. To set ${opt:stage} of serverless.yml, use --opt stage=prod.\n"
    )


@WITH_AND_WITHOUT_RELOADER
def test_an_application_that_cannot_be_imported(tmp_path: Path, reload: str) -> None:
    (tmp_path / "app.py").write_text("1 / 0\n")
    status, stdout, stderr = run(tmp_path, "serve", "app:app", reload, "--port", "0")
    assert (status, stdout) == (1, "")
    assert stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert stderr.splitlines()[-2:] == [
        "ZeroDivisionError: division by zero",
        "bridge: app:app cannot be imported; see the traceback above.",
    ]


FAILED_STARTUPS = {
    "sends a message": """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no tea"})
""",
    "sends a message and raises": """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no tea"})
    raise RuntimeError("no tea")
""",
    "is fastapi": """
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no tea")
    yield

app = FastAPI(lifespan=lifespan)
""",
}


@pytest.mark.parametrize("kind", FAILED_STARTUPS)
@pytest.mark.parametrize("options", [["--reload"], ["--no-reload"], ["--plain"]], ids=lambda options: options[0])
def test_an_application_that_does_not_start_up(tmp_path: Path, options: list[str], kind: str) -> None:
    (tmp_path / "app.py").write_text(FAILED_STARTUPS[kind])
    status, stdout, stderr = run(tmp_path, "serve", "app:app", "--port", "0", *options)
    assert (status, stdout) == (3, "")
    has_traceback = kind != "sends a message" and (options != ["--plain"] or kind == "is fastapi")
    assert stderr.count("Traceback") == has_traceback
    *_, reason, last = stderr.splitlines()
    assert "no tea" in reason
    hint = (
        ""
        if options == ["--plain"]
        else " To serve it without its lifespan, set BRIDGE_LIFESPAN=off in the environment."
    )
    assert last == f"bridge: The application did not start up; see the messages above.{hint}"
    for misleading in ("while it ran", "Exiting", "LifespanError", "uvicorn"):
        assert misleading not in stderr


def test_an_application_that_does_not_start_up_is_served_without_its_lifespan(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FAILED_STARTUPS["is fastapi"])
    with ServeProcess(tmp_path, "app:app", "--no-reload", BRIDGE_LIFESPAN="off") as server:
        assert server.client.get("/docs").status_code == 200


def test_no_application_is_named(tmp_path: Path) -> None:
    status, stdout, stderr = run(tmp_path, "serve", "--port", "0")
    assert (status, stdout) == (1, "")
    assert stderr.startswith("bridge: No application is named, and the Python files in this folder define none.")
    assert len(stderr.splitlines()) == 1


def test_an_invalid_setting(tmp_path: Path) -> None:
    status, stdout, stderr = run(tmp_path, "serve", ASGI, "--port", "0", BRIDGE_LIFESPAN="perhaps")
    assert (status, stdout) == (1, "")
    assert stderr.startswith("bridge: ")
    assert "BRIDGE_LIFESPAN" in stderr
    assert "'perhaps'" in stderr
    assert len(stderr.splitlines()) == 1


def test_a_lambda_handler_cannot_be_served_plain(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "serverless.yml").write_text("functions: {api: {handler: app.handler}}")
    status, _, stderr = run(tmp_path, "serve", "--plain", "--port", "0")
    assert status == 1
    assert stderr == (
        "bridge: app.handler is a Lambda handler, and --plain serves applications only. Remove --plain.\n"
    )
