"""How ``bridge.runtime`` starts, and fails to start, behind AWS's emulator."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asgiref
import pytest

import bridge
from bridge.dev.gateway import Request
from tests.end_to_end.emulator import ALONE, BRIDGE_CLIENT, InvocationError
from tests.end_to_end.runtimes import FRAMEWORKS, ask_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TEXT = Request(path="/text")
BOOTSTRAP = Path(bridge.__file__).parent / "runtime" / "bootstrap"
PROJECT = Path(__file__).parents[2]
# What Lambda starts on a managed runtime, and hands to the wrapper script instead.
MANAGED = [sys.executable, "-X", "utf8", "/var/runtime/bootstrap.py"]

LIFESPAN = """
async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    message = await receive()
    try:
        {}
    except OSError as error:
        await send({{"type": "lifespan.startup.failed", "message": str(error)}})
"""
# What is left behind tells the next process.
FAILS_ONCE = """
from pathlib import Path

mark = Path(__file__).with_name("mark")
if not mark.exists():
    mark.touch()
    raise OSError("not yet")
from wsgi_app import app
"""


def alone(*words: str | Path) -> Sequence[str]:
    """A command without the handler behind it, which is in ``_HANDLER`` only."""
    return (*ALONE, f"exec {' '.join(map(str, words))}")


def init_error(function: Emulator) -> Any:
    """What AWS tells of why the function did not start."""
    with pytest.raises(InvocationError, match="ended") as caught:
        function.invoke({})
    return json.loads(caught.value.payload)


@pytest.mark.parametrize(
    ("command", "handler", "variables"),
    [
        (BRIDGE_CLIENT, "wsgi_app:app", {}),
        (BRIDGE_CLIENT, "wsgi_app.app", {}),
        (alone(*BRIDGE_CLIENT), "wsgi_app.app", {}),
        (alone(*BRIDGE_CLIENT), "bridge.entrypoint.handler", {"BRIDGE_APP": "wsgi_app:app"}),
        (alone(*BRIDGE_CLIENT), "not.used", {"BRIDGE_APP": "wsgi_app:app"}),
        (alone(BOOTSTRAP, *MANAGED), "wsgi_app.app", {}),
        (alone(BOOTSTRAP, *MANAGED), "wsgi_app.app", {"BRIDGE_RESPONSE_MODE": "stream"}),
        (alone(BOOTSTRAP), "wsgi_app.app", {"BRIDGE_PYTHON": sys.executable}),
        ([str(BOOTSTRAP)], "wsgi_app:app", {"BRIDGE_PYTHON": sys.executable}),
    ],
    ids=[
        "an argument",
        "an argument with a dot",
        "_HANDLER",
        "BRIDGE_APP behind the entry point",
        "BRIDGE_APP above _HANDLER",
        "exec wrapper",
        "exec wrapper that streams",
        "bootstrap",
        "bootstrap with an argument",
    ],
)
def test_a_function_starts(start: Start, command: Sequence[str], handler: str, variables: dict[str, str]) -> None:
    function = start(FRAMEWORKS, handler, command=command, variables=variables)

    answer = ask_stream(function, TEXT) if "BRIDGE_RESPONSE_MODE" in variables else function.ask(TEXT, "function-url")

    assert (answer.status, answer.body.decode()) == (200, "Grüße")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A function as people zip it: the project installed beside the code. As Lambda unpacks it: read-only."""
    folder = tmp_path_factory.mktemp("zip")
    code, task = folder / "code", folder / "task"
    uv = shutil.which("uv")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    installed = subprocess.run(
        [*pip, "--quiet", "--no-deps", "--target", str(code), str(PROJECT)], capture_output=True, text=True
    )
    if installed.returncode != 0:
        said = installed.stderr.strip().splitlines() or ["nothing"]
        pytest.skip(f"To install the project, its build backend must be at hand; {pip[0]} said: {said[-1]}")
    shutil.copytree(Path(asgiref.__file__).parent, code / "asgiref")  # its only requirement
    shutil.copy(FRAMEWORKS / "wsgi_app.py", code)
    with zipfile.ZipFile(shutil.make_archive(str(folder / "function"), "zip", code)) as archive:
        for member in archive.infolist():  # zipfile forgets modes when it unpacks, and one file is to be a program
            Path(archive.extract(member, task)).chmod(member.external_attr >> 16 & ~0o222)
    task.chmod(0o555)
    yield task
    for place in [task, *task.rglob("*")]:
        place.chmod(place.stat().st_mode | stat.S_IWUSR)


@pytest.mark.parametrize("mode", ["buffer", "stream"])
def test_the_wrapper_script_works_from_the_root_of_an_unpacked_zip(start: Start, unpacked: Path, mode: str) -> None:
    without_own_packages = [sys.executable, "-S", "/var/runtime/bootstrap.py"]
    command = alone(unpacked / "bridge" / "runtime" / "bootstrap", *without_own_packages)
    function = start(unpacked, "wsgi_app.app", command=command, variables={"BRIDGE_RESPONSE_MODE": mode})

    answer = ask_stream(function, TEXT) if mode == "stream" else function.ask(TEXT, "function-url")

    assert (answer.status, answer.body.decode()) == (200, "Grüße")


@pytest.mark.parametrize(
    ("code", "app", "error", "where"),
    [
        ("import not_there", "app:app", "Runtime.ImportModuleError: No module named 'not_there'", "import not_there"),
        ("app = (", "app:app", "Runtime.UserCodeSyntaxError: '\\(' was never closed", None),
        ("raise OSError('no disk')", "app:app", "OSError: no disk", "raise OSError('no disk')"),
        ("other = 1", "app:app", "app:app.*has no attribute 'app'", None),
        ("", "elsewhere:app", "there is no module 'elsewhere'", None),
        ("import sys; sys.exit(3)", "app:app", "SystemExit: 3", "sys.exit(3)"),
        ("app = 1", "app:app", "The application is 1, a int, which cannot be called", None),
        (LIFESPAN.format("raise OSError('no database')"), "app:app", "failed to start up.*no database", None),
        (LIFESPAN.format("raise SystemExit(3)"), "app:app", "SystemExit: 3", "raise SystemExit(3)"),
    ],
    ids=[
        "import",
        "syntax",
        "exception",
        "attribute",
        "module",
        "exit",
        "no application",
        "lifespan",
        "lifespan that exits",
    ],
)
def test_what_keeps_a_function_from_starting_is_an_init_error_with_type_message_and_stack(
    start: Start, tmp_path: Path, code: str, app: str, error: str, where: str | None
) -> None:
    (tmp_path / "app.py").write_text(f"{code}\n")
    function = start(tmp_path, app, command=BRIDGE_CLIENT)

    told = init_error(function)

    assert re.search(error, f"{told['errorType']}: {told['errorMessage']}", re.DOTALL)
    assert "The function cannot start." in function.log
    assert "Traceback" in function.log
    if where is not None:
        assert f"{tmp_path}/app.py" in told["stackTrace"][0]
        assert where in told["stackTrace"][-1]


def test_after_a_failed_init_the_next_invocation_tries_again(start: Start, tmp_path: Path) -> None:
    shutil.copy(FRAMEWORKS / "wsgi_app.py", tmp_path)
    (tmp_path / "app.py").write_text(FAILS_ONCE)
    function = start(tmp_path, "app.app", command=BRIDGE_CLIENT)

    assert init_error(function)["errorMessage"] == "not yet"

    assert function.ask(TEXT, "function-url").status == 200


def test_without_an_application_the_error_says_how_to_name_one(start: Start, tmp_path: Path) -> None:
    function = start(tmp_path, "bridge.entrypoint.handler", command=alone(*BRIDGE_CLIENT))

    told = init_error(function)

    assert "Set the function's environment variable BRIDGE_APP to module:attribute" in told["errorMessage"]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("BRIDGE_RESPONSE_MODE", "streaming", "BRIDGE_RESPONSE_MODE is 'streaming'; allowed is stream or buffer"),
        ("BRIDGE_LIFESPAN", "maybe", "BRIDGE_LIFESPAN"),
    ],
)
def test_a_setting_that_is_wrong_is_an_init_error(start: Start, name: str, value: str, error: str) -> None:
    function = start(FRAMEWORKS, "wsgi_app:app", command=BRIDGE_CLIENT, variables={name: value})

    assert error in init_error(function)["errorMessage"]
