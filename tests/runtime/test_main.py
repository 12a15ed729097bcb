"""``python -m bridge.runtime``: which application it finds, and what it says if it finds none."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.scripted import OK, Scripted, invocation, scripted

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "bridge" / "runtime" / "bootstrap"
APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"from ", environ["PATH_INFO"].encode()]

app = application

def handler(event, context):
    return {"name": context.function_name}
"""
EVENT = json.dumps(
    {
        "version": "2.0",
        "rawPath": "/here",
        "rawQueryString": "",
        "headers": {"host": "x.example"},
        "requestContext": {"http": {"method": "GET"}},
    }
).encode()


async def run(
    folder: Path, *arguments: str, command: tuple[str, ...] = (), variables: Mapping[str, str] | None = None
) -> tuple[Scripted, str, int]:
    """Run one process for one invocation: what the API was asked, what was printed, the exit status."""
    async with scripted(invocation(EVENT), OK) as server:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_LAMBDA_RUNTIME_API": server.address,
            "AWS_LAMBDA_FUNCTION_NAME": "shop",
            "LAMBDA_TASK_ROOT": str(folder),
            **(variables or {}),
        }
        process = await asyncio.create_subprocess_exec(
            *(command or (sys.executable, "-m", "bridge.runtime")),
            *arguments,
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        while len(server.asked) < 3 and process.returncode is None:  # the third is for the next invocation
            await asyncio.sleep(0.01)
        if process.returncode is None:
            process.terminate()
        printed, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return server, printed.decode(), process.returncode


def payload(server: Scripted) -> Any:
    assert server.asked[1].line.split(" ")[1].endswith("/response"), server.asked[1].body
    return json.loads(server.asked[1].body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["shop:app"], {}),
        (["shop.application"], {"BRIDGE_APP": "nothing:here"}),
        ([], {"BRIDGE_APP": "shop:app", "_HANDLER": "nothing.here"}),
        ([], {"_HANDLER": "shop.app"}),
        ([], {"_HANDLER": "bridge.entrypoint.handler", "BRIDGE_APP": "shop:app"}),
    ],
)
async def test_the_application_is_found_by_argument_variable_or_handler(
    folder: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    server, printed, status = await run(folder, *arguments, variables=variables)
    assert (payload(server)["body"], status) == ("from /here", 0), printed


async def test_the_handler_of_serverless_wsgi_means_the_application_in_its_file(folder: Path) -> None:
    (folder / ".serverless-wsgi").write_text('{"app": "shop.app"}')
    server, _, _ = await run(folder, variables={"_HANDLER": "wsgi_handler.handler"})
    assert payload(server)["body"] == "from /here"


async def test_a_plain_function_is_run_as_it_is(folder: Path) -> None:
    server, _, _ = await run(folder, variables={"_HANDLER": "shop.handler"})
    assert payload(server) == {"name": "shop"}


@pytest.mark.parametrize(
    ("code", "name", "kind", "words"),
    [
        ("import nothing_like_it", "shop.app", "Runtime.ImportModuleError", "nothing_like_it"),
        ("def broken(:", "shop.app", "Runtime.UserCodeSyntaxError", "shop.py"),
        ("app = None", "shop.app", "InterfaceError", "cannot be called"),
        ("app = 1", "shop.nothing", "Runtime.HandlerNotFound", "no attribute 'nothing'"),
        ("raise LookupError('at import')", "shop.app", "LookupError", "at import"),
        ("import sys; sys.exit(4)", "shop.app", "SystemExit", "4"),
    ],
)
async def test_what_cannot_be_imported_is_an_init_error(
    tmp_path: Path, code: str, name: str, kind: str, words: str
) -> None:
    (tmp_path / "shop.py").write_text(code)
    server, printed, status = await run(tmp_path, name)
    (asked,) = server.asked
    assert asked.line.split(" ")[1].endswith("/init/error")
    told = json.loads(asked.body)
    assert (told["errorType"], status) == (kind, 1)
    assert words in told["errorMessage"]
    assert words in printed


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"BRIDGE_RESPONSE_MODE": "streaming"}, "allowed is stream or buffer"),
        ({"AWS_LAMBDA_MAX_CONCURRENCY": "many"}, "must be a number"),
    ],
)
async def test_a_variable_that_is_wrong_is_an_init_error(folder: Path, variables: dict[str, str], words: str) -> None:
    server, _, status = await run(folder, "shop:app", variables=variables)
    assert words in json.loads(server.asked[0].body)["errorMessage"]
    assert status == 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["a:b", "c:d"]])
def test_outside_of_lambda_it_says_what_to_do(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "bridge.runtime", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 2
    assert "bridge serve --runtime" in done.stderr


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh")
class TestTheWrapperScript:
    async def test_takes_the_place_of_lambda_s_own_client(self, folder: Path) -> None:
        lambda_s_own = (sys.executable, "-X", "utf8", "/var/runtime/bootstrap.py")
        server, printed, _ = await run(
            folder, command=(str(BOOTSTRAP), *lambda_s_own), variables={"_HANDLER": "shop.app", "PYTHONPATH": ""}
        )
        assert payload(server)["body"] == "from /here", printed

    async def test_is_a_bootstrap_too(self, folder: Path) -> None:
        variables = {"_HANDLER": "shop.app", "BRIDGE_PYTHON": sys.executable, "PYTHONPATH": ""}
        server, printed, _ = await run(folder, command=(str(BOOTSTRAP),), variables=variables)
        assert payload(server)["body"] == "from /here", printed

    async def test_is_found_through_a_link_and_takes_the_application(self, folder: Path) -> None:
        (folder / "bootstrap").symlink_to(BOOTSTRAP)
        variables = {"BRIDGE_PYTHON": sys.executable, "PYTHONPATH": ""}
        server, printed, _ = await run(folder, "shop:app", command=(str(folder / "bootstrap"),), variables=variables)
        assert payload(server)["body"] == "from /here", printed
