"""``sls wsgi``: the server, the artifacts, and commands in the deployed function or on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.dev.cli.packages import file_digests, zip_names
from tests.dev.serverless_plugin.framework import in_turn
from tests.remote.fake_lambda import CREDENTIALS, NO_AWS_CONFIG, FakeLambda

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dev.serverless_plugin.framework import CommandResult, Framework, ServerlessProject

pytestmark = pytest.mark.slow

APP = """
import os

from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def index():
    return f"{os.environ['COLOUR']} {os.environ.get('IS_OFFLINE')} {request.environ['serverless.event']['rawPath']}"


@app.cli.command("tea")
def tea():
    print("a cup")
"""
SETTINGS = "SECRET_KEY = 'k'\nINSTALLED_APPS = []\n"
WSGI = """
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
application = get_wsgi_application()
"""
CONFIG: dict[str, Any] = {
    "provider": {"environment": {"COLOUR": "red"}, "region": "eu-west-1"},
    "custom": {"wsgi": {"app": "web/app.app"}},
    "functions": {
        "shop": {
            "handler": "wsgi_handler.handler",
            "environment": {"COLOUR": "green"},
            "events": [{"httpApi": "GET /"}, {"httpApi": "GET /more/{proxy+}"}],
        },
        "admin": {
            "handler": "wsgi_handler.handler",
            "wsgi": {"app": "web/site_wsgi:application"},
            "environment": {"TABLE": {"Ref": "Table"}},
        },
        "job": {"handler": "job.run"},
    },
}


@pytest.fixture(scope="module")
def project(framework: Framework, tmp_path_factory: pytest.TempPathFactory) -> ServerlessProject:
    """A service with a Flask application and a Django application."""
    files = {"web/app.py": APP, "web/site_wsgi.py": WSGI, "web/site_settings.py": SETTINGS, "job.py": ""}
    return framework.project(tmp_path_factory.mktemp("commands") / "shop", files, CONFIG)


@pytest.fixture
def lambdas() -> Iterator[FakeLambda]:
    serving = FakeLambda()
    yield serving
    serving.close()


def account(lambdas: FakeLambda) -> dict[str, str]:
    return {**CREDENTIALS, **NO_AWS_CONFIG, "AWS_ENDPOINT_URL": lambdas.url}


def test_without_a_command_it_prints_help(project: ServerlessProject) -> None:
    result = project.sls("wsgi")
    assert result.status == 0
    for command in ("serve", "install", "clean", "exec", "exec local", "command", "manage", "flask local"):
        assert re.search(rf"^wsgi {command}  +\S", result.out, re.MULTILINE), result.out


def test_code_runs_on_this_machine_with_the_functions_environment_and_its_own_output_and_status(
    project: ServerlessProject,
) -> None:
    code = "import os, sys; print(app, os.environ['COLOUR']); sys.exit(3)"
    result = project.sls("wsgi", "exec", "local", "--command", code)
    assert (result.status, result.out) == (3, "<Flask 'app'> green\n")


def test_a_file_is_run_and_a_function_chosen(project: ServerlessProject, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("print(type(app).__name__)\nraise KeyError('tea')\n")
    result = project.sls("wsgi", "exec", "local", "-f", str(tmp_path / "code.py"), "--function", "admin")
    assert result.status == 1
    assert result.out.startswith("WSGIHandler\nTraceback")
    assert result.out.endswith("KeyError: 'tea'\n")


LOCAL_COMMANDS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "command": (("--command", "echo $COLOUR; exit 4"), 4, "green\n"),
    "flask": (("--command", "tea"), 0, "a cup\n"),
    "manage": (("-f", "admin", "--command", "diffsettings --output unified"), 0, "+ SECRET_KEY"),
}


@pytest.mark.parametrize(("framework", "command"), in_turn(*LOCAL_COMMANDS), indirect=["framework"])
def test_the_other_commands_run_on_this_machine(command: str, project: ServerlessProject) -> None:
    words, status, out = LOCAL_COMMANDS[command]
    result = project.sls("wsgi", command, "local", *words)
    assert result.status == status, result.err
    assert out in result.out


def test_code_runs_in_the_deployed_function_with_its_status_and_output(
    project: ServerlessProject, lambdas: FakeLambda
) -> None:
    lambdas.respond([5, "whole ☕\n"])
    result = project.sls("wsgi", "exec", "--command", "print(1)", "--stage", "live", **account(lambdas))
    assert (result.status, result.out) == (5, "whole ☕\n")
    event = {"_serverless-wsgi": {"command": "exec", "data": "print(1)"}}
    assert lambdas.requests == [("/2015-03-31/functions/shop-live-shop/invocations", event)]


REMOTE_COMMANDS = {
    "command": (["--command", "df"], "df"),
    "manage": (["--command=check -v 2"], "check -v 2"),
    "flask": (["--command", "tea"], "tea"),
}


@pytest.mark.parametrize(("framework", "command"), in_turn(*REMOTE_COMMANDS), indirect=["framework"])
def test_each_command_is_sent_to_the_function_that_is_named(
    command: str, project: ServerlessProject, lambdas: FakeLambda
) -> None:
    options, data = REMOTE_COMMANDS[command]
    lambdas.respond([0, ""])
    assert project.sls("wsgi", command, *options, "--function", "admin", **account(lambdas)).status == 0
    path = "/2015-03-31/functions/shop-dev-admin/invocations"
    assert lambdas.requests == [(path, {"_serverless-wsgi": {"command": command, "data": data}})]


def test_a_function_without_remote_commands_is_an_error(project: ServerlessProject, lambdas: FakeLambda) -> None:
    lambdas.respond({"errorType": "EventError", "errorMessage": "off (keys _serverless-wsgi)"}, error=True)
    result = project.sls("wsgi", "manage", "--command", "check", **account(lambdas))
    assert (result.status, result.out) == (1, "")
    assert "keys _serverless-wsgi" in result.err


INVALID_OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "Give either --command 'CODE', or --file FILE"),
    "no function": (("--function", "nothing", "--command", "1"), 'Function "nothing" not found. There are: shop'),
    "no application": (("--function", "job", "--command", "1"), 'Function "job" serves no application'),
}


@pytest.mark.parametrize(("framework", "kind"), in_turn(*INVALID_OPTIONS), indirect=["framework"])
def test_invalid_options_are_one_message(kind: str, project: ServerlessProject) -> None:
    words, message = INVALID_OPTIONS[kind]
    result = project.sls("wsgi", "exec", "local", *words)
    assert result.status == 1
    assert message in result.out + result.err


def test_the_application_is_served_behind_the_front_door_of_its_events(project: ServerlessProject) -> None:
    with _started(project, "wsgi", "serve", "--port", "0") as log:
        address = _wait_for(log, r"behind http-api at (http://\S+)")
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            assert client.get("/").text == "green True /"
            assert client.get("/elsewhere").json() == {"message": "Not Found"}  # no event has this path


def test_artifacts_are_made_and_removed_without_a_deployment(project: ServerlessProject) -> None:
    before = file_digests(project.folder)
    result = project.sls("wsgi", "install")
    assert result.status == 0, result.out + result.err
    zips = list((project.folder / ".serverless").glob("*.zip"))
    assert [file.name for file in zips] == ["shop.zip"]
    assert "web/app.py" in zip_names(zips[0])
    assert project.sls("wsgi", "clean").status == 0
    assert not zips[0].exists()
    assert {name: digest for name, digest in file_digests(project.folder).items() if name != ".serverless"} == before


def test_invoke_local_runs_the_function(project: ServerlessProject) -> None:
    result = invoke_local(project)
    assert result.status == 0, result.out + result.err
    answer = json.loads(result.out)
    assert (answer["statusCode"], answer["body"]) == (200, "green None /")


def invoke_local(project: ServerlessProject) -> CommandResult:
    """Run ``sls invoke local`` for a request to the function ``shop``."""
    if "serverless-3" in project.framework.home.name and sys.version_info >= (3, 12):
        pytest.skip("Serverless 3.40 runs Python 3.12 and later in Docker only")
    event = {
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": "/"}, "stage": "$default"},
        "isBase64Encoded": False,
    }
    return project.sls("invoke", "local", "--function", "shop", "--data", json.dumps(event))


MODULE_APP = """
from flask import Flask
from words import WORD

app = Flask(__name__)


@app.get("/")
def index():
    return WORD


@app.cli.command("tea")
def tea():
    print(WORD)
"""
MODULE_CONFIG: dict[str, Any] = {
    "package": {"individually": True},
    "functions": {
        "shop": {
            "handler": "wsgi_handler.handler",
            "module": "my_module",
            "wsgi": {"app": "api.app"},
            "events": [{"httpApi": "GET /"}],
        }
    },
}


@pytest.fixture(scope="module")
def module_project(framework: Framework, tmp_path_factory: pytest.TempPathFactory) -> ServerlessProject:
    """A service whose function has its code in the folder that ``module`` names."""
    files = {"my_module/api.py": MODULE_APP, "my_module/words.py": "WORD = 'assam'\n"}
    config = {**MODULE_CONFIG, "plugins": ["serverless-offline"]}
    return framework.project(tmp_path_factory.mktemp("module") / "shop", files, config)


MODULE_COMMANDS = {
    "exec": ("import words; print(words.WORD)", "assam\n"),
    "command": ("echo tea", "tea\n"),
    "flask": ("tea", "assam\n"),
}


@pytest.mark.parametrize(("framework", "command"), in_turn(*MODULE_COMMANDS), indirect=["framework"])
def test_commands_find_an_application_in_the_folder_of_module(command: str, module_project: ServerlessProject) -> None:
    text, out = MODULE_COMMANDS[command]
    result = module_project.sls("wsgi", command, "local", "--command", text)
    assert (result.status, result.out) == (0, out), result.err


def test_manage_finds_a_django_application_in_the_folder_of_module(framework: Framework, tmp_path: Path) -> None:
    files = {"my_module/site_wsgi.py": WSGI, "my_module/site_settings.py": SETTINGS}
    function = {"handler": "wsgi_handler.handler", "module": "my_module", "wsgi": {"app": "site_wsgi:application"}}
    config = {"package": {"individually": True}, "functions": {"shop": function}}
    project = framework.project(tmp_path / "shop", files, config)
    result = project.sls("wsgi", "manage", "local", "--command", "diffsettings --output unified")
    assert (result.status, "+ SECRET_KEY" in result.out) == (0, True), result.err


def test_invoke_local_finds_an_application_in_the_folder_of_module(module_project: ServerlessProject) -> None:
    result = invoke_local(module_project)
    assert result.status == 0, result.out + result.err
    assert json.loads(result.out)["body"] == "assam"


def test_serverless_offline_finds_an_application_in_the_folder_of_module(module_project: ServerlessProject) -> None:
    with offline(module_project) as client:
        assert client.get("/").text == "assam"


def test_the_function_runs_in_serverless_offline(framework: Framework, tmp_path: Path) -> None:
    config = {**CONFIG, "plugins": ["serverless-offline"], "functions": {"shop": CONFIG["functions"]["shop"]}}
    project = framework.project(tmp_path / "shop", {"web/app.py": APP}, config)
    before = file_digests(project.folder)
    with offline(project) as client:
        assert client.get("/").text == "green true /"
    after = {name: digest for name, digest in file_digests(project.folder).items() if "__pycache__" not in name}
    assert after == before


@contextlib.contextmanager
def offline(project: ServerlessProject) -> Iterator[httpx.Client]:
    """Run serverless-offline until the block ends, and yield a client of it."""
    with contextlib.ExitStack() as stack:
        ports = [str(stack.enter_context(_held_port())) for _ in range(3)]
        options = ["--httpPort", ports[0], "--lambdaPort", ports[1], "--albPort", ports[2], "--noPrependStageInUrl"]
        log = stack.enter_context(_started(project, "offline", "start", *options))
        _wait_for(log, r"Server ready: (http://\S+)")
        with httpx.Client(base_url=f"http://localhost:{ports[0]}", trust_env=False, timeout=60) as client:
            yield client


@contextlib.contextmanager
def _started(project: ServerlessProject, *words: str) -> Iterator[Path]:
    """Run a command until the block ends, and then send Ctrl-C; yield the file with its output."""
    log = project.folder.parent / f"output-of-{words[0]}"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(project.framework.program), *words],
            cwd=project.folder,
            env=project.framework.environment(project.folder),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole process group
        assert process.wait(30) == 0, log.read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(log: Path, pattern: str) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"No {pattern!r}: {log.read_text()}")


@contextlib.contextmanager
def _held_port() -> Iterator[int]:
    """Yield a port that another process can listen on: a socket is bound to it, so no other gets it by chance."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
