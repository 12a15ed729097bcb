"""Commands in functions as AWS runs them, asked for by boto3: Django and Flask, AWS's runtime client and ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bridge.dev.cli.lambda_client import Outcome, RemoteError, client, invoke
from bridge.remote import event_of
from tests.dev.cli.serve_process import run
from tests.end_to_end.emulator import AWS_CLIENT, BRIDGE_CLIENT
from tests.examples.shops import EXAMPLES
from tests.remote.lambdas import CREDENTIALS, NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient

    from bridge.dev.gateway import Request
    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

ON = {"BRIDGE_REMOTE_COMMANDS": "on"}
CLIENTS = {"awslambdaric": AWS_CLIENT, "bridge.runtime": BRIDGE_CLIENT}
APPS = {
    "Flask": ("flask", "app:app", {}),
    "Flask, streamed": ("flask", "app:app", {"BRIDGE_RESPONSE_MODE": "stream"}),
    "Django WSGI": ("django", "teashop.wsgi:application", {}),
    "Django ASGI": ("django", "teashop.asgi:application", {}),
}


class Deployed(NamedTuple):
    """A function, and boto3's client for it."""

    name: str
    emulator: Emulator
    lambdas: LambdaClient

    @property
    def url(self) -> str:
        return self.emulator._client.meta.endpoint_url

    def run(self, command: str, data: str) -> Outcome:
        return invoke(self.lambdas, "function", event_of(command, data))


@pytest.fixture(scope="module", params=[(app, runs) for app in APPS for runs in CLIENTS], ids=", ".join)
def deployed(request: pytest.FixtureRequest, start_for_module: Start) -> Iterator[Deployed]:
    app, runs = request.param
    folder, name, more = APPS[app]
    variables = {"BRIDGE_APP": name, **ON, **more}
    emulator = start_for_module(
        EXAMPLES / folder, "bridge.entrypoint.handler", variables=variables, command=CLIENTS[runs]
    )
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {**NOTHING, **CREDENTIALS}.items():
            patch.setenv(variable, value)
        lambdas = client(endpoint_url=emulator._client.meta.endpoint_url)
        yield Deployed(app, emulator, lambdas)
        lambdas.close()


@pytest.fixture
def page() -> Request:
    from bridge.dev.gateway import Request

    return Request(path="/", headers=[("host", "example.com")])


def test_code_and_lines_of_the_shell_come_to_their_ends_and_the_function_lives_on(
    deployed: Deployed, page: Request
) -> None:
    code = "import os, sys\nprint('Grüße', flush=True)\nos.system('echo shell')\nos.write(2, b'\\xff')\nsys.exit(5)"
    assert deployed.run("exec", code) == (5, "Grüße\nshell\n�")
    status, output = deployed.run("exec", "print('first')\n1 / 0")
    assert (status, output.splitlines()[0], output.splitlines()[-1]) == (
        1,
        "first",
        "ZeroDivisionError: division by zero",
    )
    assert deployed.run("command", "echo tea; exit 3") == (3, "tea\n")
    assert len(deployed.run("exec", "print('é' * 4_000_000)").output) > 1_000_000
    assert deployed.run("exec", "import asyncio\nprint(asyncio.run(asyncio.sleep(0, 'slept')))") == (0, "slept\n")
    if "streamed" not in deployed.name:
        assert deployed.emulator.ask(page).status == 200


def test_the_framework_s_own_command_line_works(deployed: Deployed) -> None:
    if deployed.name.startswith("Flask"):
        status, output = deployed.run("flask", "routes")
        assert (status, "/static/<path:filename>" in output) == (0, True)
        assert deployed.run("flask", "stir").status == 2
    else:
        assert deployed.run("manage", "check") == (0, "System check identified no issues (0 silenced).\n")
        assert deployed.run("manage", "stir") == (1, "Unknown command: 'stir'\nType 'manage.py help' for usage.\n")
        assert deployed.run("exec", "from django.conf import settings\nprint(settings.USE_TZ)").output == "True\n"


def test_the_log_has_what_is_printed_before_and_after_but_not_the_command_s_output(deployed: Deployed) -> None:
    deployed.run("exec", "print('for the caller alone')")
    assert "for the caller alone" not in deployed.emulator.log
    assert "A remote command is run: exec." in deployed.emulator.log


def test_the_command_line_asks_it(deployed: Deployed, tmp_path: Path) -> None:
    where = ("--function", "function", "--endpoint-url", deployed.url)
    done = run(tmp_path, "exec", *where, "-c", "print('Grüße')\nraise SystemExit(4)", **NOTHING, **CREDENTIALS)
    assert done == (4, "Grüße\n", "")


@pytest.mark.parametrize("command", CLIENTS.values(), ids=CLIENTS)
def test_a_function_that_does_not_allow_it_says_so(
    start_for_module: Start, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {**NOTHING, **CREDENTIALS}.items():
        monkeypatch.setenv(variable, value)
    assert "BRIDGE_REMOTE_COMMANDS" not in os.environ
    variables = {"BRIDGE_APP": "app:app"}
    emulator = start_for_module(EXAMPLES / "flask", "bridge.entrypoint.handler", variables=variables, command=command)
    lambdas = client(endpoint_url=emulator._client.meta.endpoint_url)
    with pytest.raises(RemoteError, match="EventError: Remote commands are off in this function"):
        invoke(lambdas, "function", event_of("exec", "print(1)"))
    lambdas.close()
