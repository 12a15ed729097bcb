"""Clear ends: one message that says what to do, and an exit status that is not 0, with and without the reloader."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from bridge.dev.cli import main
from tests.dev.cli.serve_process import ASGI, WSGI, Served, run

if TYPE_CHECKING:
    from pathlib import Path

RELOADER = pytest.mark.parametrize("reload", ["--reload", "--no-reload"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--threads", "0"), "--threads is 0; it must be 1 or more."),
        (("--port", "70000"), "--port is 70000; it must be from 0 to 65535."),
        (("--host", "no.such.host.invalid"), "--host no.such.host.invalid is no address or name of this machine"),
        (("--host", "192.0.2.1"), "--host 192.0.2.1 is no address of this machine; "),
        (("--plain", "--source", "alb"), "--plain serves without a front door, so --source alb means nothing with it."),
        (("--num-processes", "2"), "the server is one process; --threads N answers N at once."),
        (("--env-file", "nowhere"), "There is no file nowhere."),
        (("--env-file", "."), "There is no file .."),
        (("--ssl-certfile", "here"), "--ssl-keyfile is missing."),
        (("--ssl-keyfile", "here"), "--ssl-certfile is missing."),
        (("--ssl-certfile", "nowhere", "--ssl-keyfile", "here"), "There is no file nowhere."),
        (("--ssl-certfile", "here", "--ssl-keyfile", "here"), "no certificate and its key in PEM format"),
        (("--ssl-certfile", "here", "--ssl-keyfile", "here", "--ssl-adhoc"), "not both"),
    ],
)
def test_options_that_cannot_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    (tmp_path / "here").write_text("no certificate")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["serve", WSGI, *arguments])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.err.startswith("bridge: ")
    assert says in captured.err
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("serve", "--source", "nginx"), "invalid choice: 'nginx' (choose from"),
        (("serve", "--port", "five"), "invalid int value: 'five'"),
        (("serve", "--timeout", "0"), "'0' is not a number above 0"),
        (("serve", "--no-such-option"), "unrecognized arguments: --no-such-option"),
        (("serve", "one:app", "two:app"), "unrecognized arguments: two:app"),
        (("swim",), "invalid choice: 'swim'"),
        ((), "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_options_show_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.err.startswith("usage: bridge")
    assert says in captured.err


@pytest.mark.parametrize(
    ("package", "says"),
    [
        ("uvicorn", "This needs uvicorn: pip install 'serverless-bridge[serve]'"),
        ("werkzeug", "This needs werkzeug: pip install 'serverless-bridge[serve]'"),
        ("watchfiles", "This needs watchfiles: pip install 'serverless-bridge[serve]'"),
        ("cryptography", "pip install cryptography"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str, says: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit) as ended:
        main(["serve", WSGI, "--ssl-adhoc"])
    assert ended.value.code == 1
    assert says in capsys.readouterr().err


def test_a_missing_yaml_reader_is_named_where_there_is_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "serverless.yml").write_text("functions: {}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(SystemExit) as ended:
        main(["invoke", "/"])
    assert ended.value.code == 1
    assert "To read serverless.yml: pip install 'serverless-bridge[serve]'" in capsys.readouterr().err


def test_a_taken_port_is_said_before_anything_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = run(tmp_path, "serve", WSGI, "--port", str(port))
    assert (status, out) == (1, "")
    assert err == (
        f"bridge: Port {port} of localhost cannot be used: Address already in use. Choose another one with --port; "
        "--port 0 takes any that is free.\n"
    )


@RELOADER
def test_an_application_that_is_not_there(tmp_path: Path, reload: str) -> None:
    status, out, err = run(tmp_path, "serve", "nowhere:app", reload, "--port", "0")
    assert (status, out) == (1, "")
    assert err.startswith("bridge: 'nowhere:app': there is no module 'nowhere'")
    assert len(err.splitlines()) == 1


@RELOADER
def test_an_option_that_means_nothing_to_the_projects_front_door(tmp_path: Path, reload: str) -> None:
    (tmp_path / "serverless.yml").write_text("functions: {api: {handler: app.handler, url: true}}")
    status, out, err = run(tmp_path, "serve", "--stage", "prod", reload, "--port", "0")
    assert (status, out) == (2, "")
    assert err.startswith("bridge: --stage prod means nothing to function-url: only rest-api and http-api and")
    assert len(err.splitlines()) == 1


@RELOADER
def test_an_application_that_does_not_import(tmp_path: Path, reload: str) -> None:
    (tmp_path / "app.py").write_text("1 / 0\n")
    status, out, err = run(tmp_path, "serve", "app:app", reload, "--port", "0")
    assert (status, out) == (1, "")
    assert err.splitlines()[0] == "Traceback (most recent call last):"
    assert err.splitlines()[-2:] == [
        "ZeroDivisionError: division by zero",
        "bridge: app:app cannot be imported; the traceback above says why.",
    ]


STARTS = {
    "says so": """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no tea"})
""",
    "says so and raises": """
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


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("options", [["--reload"], ["--no-reload"], ["--plain"]], ids=lambda options: options[0])
def test_an_application_that_does_not_start_up(tmp_path: Path, options: list[str], kind: str) -> None:
    (tmp_path / "app.py").write_text(STARTS[kind])
    status, out, err = run(tmp_path, "serve", "app:app", "--port", "0", *options)
    assert (status, out) == (3, "")
    assert err.count("Traceback") == (kind != "says so" and (options != ["--plain"] or kind == "is fastapi"))
    *_, reason, last = err.splitlines()
    assert "no tea" in reason
    off = " (With BRIDGE_LIFESPAN=off in the environment it is served without its lifespan.)"
    assert last == "bridge: the application does not start up; what is above says why." + off * (options != ["--plain"])
    for misleading in ("while it ran", "Exiting", "LifespanError", "uvicorn"):
        assert misleading not in err


def test_an_application_that_does_not_start_up_may_be_served_without_its_lifespan(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(STARTS["is fastapi"])
    with Served(tmp_path, "app:app", "--no-reload", BRIDGE_LIFESPAN="off") as served:
        assert served.client.get("/docs").status_code == 200


def test_no_application_at_all(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "serve", "--port", "0")
    assert (status, out) == (1, "")
    assert err.startswith("bridge: No application is named.")
    assert len(err.splitlines()) == 1


def test_a_wrong_setting(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "serve", ASGI, "--port", "0", BRIDGE_LIFESPAN="perhaps")
    assert (status, out) == (1, "")
    assert err.startswith("bridge: The environment variable BRIDGE_LIFESPAN is 'perhaps'")
    assert len(err.splitlines()) == 1


def test_a_lambda_handler_cannot_be_served_plain(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "serverless.yml").write_text("functions: {api: {handler: app.handler}}")
    status, _, err = run(tmp_path, "serve", "--plain", "--port", "0")
    assert status == 1
    assert err == "bridge: app.handler is a Lambda handler, no application; serve it without --plain.\n"
