"""Commands sent by boto3 to functions behind AWS's emulator, with AWS's runtime client and with ``bridge.runtime``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bridge.dev.cli.remote_client import CommandResult, RemoteError, invoke, make_client
from bridge.dev.gateway import Request
from bridge.remote.commands import command_event
from tests.dev.cli.serve_process import run
from tests.end_to_end.emulator import AWS_CLIENT, BRIDGE_CLIENT
from tests.examples.applications import EXAMPLES
from tests.remote.fake_lambda import CREDENTIALS, NO_AWS_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

RUNTIME_CLIENTS = {"awslambdaric": AWS_CLIENT, "bridge.runtime": BRIDGE_CLIENT}
APPS = {
    "Flask": ("flask", "app:app", {}),
    "Flask, streamed": ("flask", "app:app", {"BRIDGE_RESPONSE_MODE": "stream"}),
    "Django WSGI": ("django", "teashop.wsgi:application", {}),
    "Django ASGI": ("django", "teashop.asgi:application", {}),
}


class RemoteFunction(NamedTuple):
    """A function behind the emulator, and a client for it."""

    app: str
    emulator: Emulator
    client: LambdaClient

    def run(self, command: str, data: str) -> CommandResult:
        return invoke(self.client, "function", command_event(command, data))


@pytest.fixture(scope="module", autouse=True)
def credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {**NO_AWS_CONFIG, **CREDENTIALS}.items():
            patch.setenv(variable, value)
        yield


@pytest.fixture(scope="module", params=[(app, runtime) for app in APPS for runtime in RUNTIME_CLIENTS], ids=", ".join)
def function(request: pytest.FixtureRequest, start_for_module: Start) -> Iterator[RemoteFunction]:
    app, runtime = request.param
    folder, path, options = APPS[app]
    variables = {"BRIDGE_APP": path, "BRIDGE_REMOTE_COMMANDS": "on", **options}
    emulator = start_for_module(
        EXAMPLES / folder, "bridge.entrypoint.handler", variables=variables, command=RUNTIME_CLIENTS[runtime]
    )
    client = make_client(endpoint_url=emulator.url)
    yield RemoteFunction(app, emulator, client)
    client.close()


def test_exec_and_command_return_status_and_output_and_the_function_continues(function: RemoteFunction) -> None:
    code = "import os, sys\nprint('Grüße', flush=True)\nos.system('echo shell')\nos.write(2, b'\\xff')\nsys.exit(5)"
    assert function.run("exec", code) == (5, "Grüße\nshell\n�")
    status, output = function.run("exec", "print('first')\n1 / 0")
    lines = output.splitlines()
    assert (status, lines[0], lines[-1]) == (1, "first", "ZeroDivisionError: division by zero")
    assert function.run("command", "echo tea; exit 3") == (3, "tea\n")
    assert len(function.run("exec", "print('é' * 4_000_000)").output) > 1_000_000
    assert function.run("exec", "import asyncio\nprint(asyncio.run(asyncio.sleep(0, 'slept')))") == (0, "slept\n")
    if "streamed" not in function.app:
        request = Request(path="/", headers=[("host", "example.com")])
        assert function.emulator.request(request).status == 200


def test_the_frameworks_command_line_runs(function: RemoteFunction) -> None:
    if function.app.startswith("Flask"):
        status, output = function.run("flask", "routes")
        assert (status, "/static/<path:filename>" in output) == (0, True)
        assert function.run("flask", "stir").status == 2
    else:
        assert function.run("manage", "check") == (0, "System check identified no issues (0 silenced).\n")
        assert function.run("manage", "stir") == (1, "Unknown command: 'stir'\nType 'manage.py help' for usage.\n")
        assert function.run("exec", "from django.conf import settings\nprint(settings.USE_TZ)").output == "True\n"


def test_the_log_names_the_command_without_its_output(function: RemoteFunction) -> None:
    function.run("exec", "print('for the caller alone')")
    assert "for the caller alone" not in function.emulator.log
    assert "Running a remote command: exec." in function.emulator.log


def test_the_command_line_sends_commands(function: RemoteFunction, tmp_path: Path) -> None:
    options = ("--function", "function", "--endpoint-url", function.emulator.url)
    result = run(
        tmp_path, "exec", *options, "-c", "print('Grüße')\nraise SystemExit(4)", **NO_AWS_CONFIG, **CREDENTIALS
    )
    assert result == (4, "Grüße\n", "")


@pytest.mark.parametrize("command", RUNTIME_CLIENTS.values(), ids=RUNTIME_CLIENTS)
def test_commands_are_disabled_without_the_variable(start_for_module: Start, command: tuple[str, ...]) -> None:
    assert "BRIDGE_REMOTE_COMMANDS" not in os.environ
    variables = {"BRIDGE_APP": "app:app"}
    emulator = start_for_module(EXAMPLES / "flask", "bridge.entrypoint.handler", variables=variables, command=command)
    client = make_client(endpoint_url=emulator.url)
    with pytest.raises(RemoteError, match="EventError: Remote commands are disabled in this function"):
        invoke(client, "function", command_event("exec", "print(1)"))
    client.close()
