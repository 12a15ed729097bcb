"""How ``bridge.runtime`` starts, and how it reports that it cannot start."""

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
from tests.end_to_end.bridge_runtime import FRAMEWORKS, request_stream
from tests.end_to_end.emulator import BRIDGE_CLIENT, WITHOUT_ARGUMENT, InvocationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TEXT = Request(path="/text")
BOOTSTRAP = Path(bridge.__file__).parent / "runtime" / "bootstrap"
PROJECT = Path(__file__).parents[2]
# The command of a managed runtime, which Lambda passes to the wrapper script.
MANAGED_RUNTIME = [sys.executable, "-X", "utf8", "/var/runtime/bootstrap.py"]

LIFESPAN = """
async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    message = await receive()
    try:
        {}
    except OSError as error:
        await send({{"type": "lifespan.startup.failed", "message": str(error)}})
"""
# Fails in the first process, which leaves a file for the next one.
FAILS_ONCE = """
from pathlib import Path

marker = Path(__file__).with_name("marker")
if not marker.exists():
    marker.touch()
    raise OSError("once")
from wsgi_app import app
"""


def without_argument(*command: str | Path) -> Sequence[str]:
    """Return a command to which the handler is not appended, so that only ``_HANDLER`` has it."""
    return (*WITHOUT_ARGUMENT, f"exec {' '.join(map(str, command))}")


def init_error(function: Emulator) -> Any:
    """Return the error that the function has reported to the Runtime API."""
    with pytest.raises(InvocationError, match="ended") as caught:
        function.invoke({})
    return json.loads(caught.value.payload)


@pytest.mark.parametrize(
    ("command", "handler", "variables"),
    [
        (BRIDGE_CLIENT, "wsgi_app:app", {}),
        (BRIDGE_CLIENT, "wsgi_app.app", {}),
        (without_argument(*BRIDGE_CLIENT), "wsgi_app.app", {}),
        (without_argument(*BRIDGE_CLIENT), "bridge.entrypoint.handler", {"BRIDGE_APP": "wsgi_app:app"}),
        (without_argument(*BRIDGE_CLIENT), "not.used", {"BRIDGE_APP": "wsgi_app:app"}),
        (without_argument(BOOTSTRAP, *MANAGED_RUNTIME), "wsgi_app.app", {}),
        (without_argument(BOOTSTRAP, *MANAGED_RUNTIME), "wsgi_app.app", {"BRIDGE_RESPONSE_MODE": "stream"}),
        (without_argument(BOOTSTRAP), "wsgi_app.app", {"BRIDGE_PYTHON": sys.executable}),
        ([str(BOOTSTRAP)], "wsgi_app:app", {"BRIDGE_PYTHON": sys.executable}),
    ],
    ids=[
        "an argument",
        "an argument with a dot",
        "_HANDLER",
        "BRIDGE_APP behind the entry point",
        "BRIDGE_APP in place of _HANDLER",
        "exec wrapper",
        "exec wrapper with streaming",
        "bootstrap",
        "bootstrap with an argument",
    ],
)
def test_a_function_starts(start: Start, command: Sequence[str], handler: str, variables: dict[str, str]) -> None:
    function = start(FRAMEWORKS, handler, command=command, variables=variables)

    answer = (
        request_stream(function, TEXT)
        if "BRIDGE_RESPONSE_MODE" in variables
        else function.request(TEXT, "function-url")
    )

    assert (answer.status, answer.body.decode()) == (200, "Grüße")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A function zipped with the installed project, and unpacked read-only, like Lambda unpacks it."""
    folder = tmp_path_factory.mktemp("zip")
    code, task = folder / "code", folder / "task"
    uv = shutil.which("uv")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    installed = subprocess.run(
        [*pip, "--quiet", "--no-deps", "--target", str(code), str(PROJECT)], capture_output=True, text=True
    )
    if installed.returncode != 0:
        error = (installed.stderr.strip().splitlines() or ["no output"])[-1]
        pytest.skip(f"The project cannot be installed, which requires its build backend. {pip[0]}: {error}")
    shutil.copytree(Path(asgiref.__file__).parent, code / "asgiref")  # the only requirement
    shutil.copy(FRAMEWORKS / "wsgi_app.py", code)
    with zipfile.ZipFile(shutil.make_archive(str(folder / "function"), "zip", code)) as archive:
        for member in archive.infolist():  # zipfile restores no modes, and the wrapper must be executable
            Path(archive.extract(member, task)).chmod(member.external_attr >> 16 & ~0o222)
    task.chmod(0o555)
    yield task
    for place in [task, *task.rglob("*")]:
        place.chmod(place.stat().st_mode | stat.S_IWUSR)


@pytest.mark.parametrize("mode", ["buffer", "stream"])
def test_the_wrapper_script_works_from_the_root_of_an_unpacked_zip(start: Start, unpacked: Path, mode: str) -> None:
    without_site_packages = [sys.executable, "-S", "/var/runtime/bootstrap.py"]
    command = without_argument(unpacked / "bridge" / "runtime" / "bootstrap", *without_site_packages)
    function = start(unpacked, "wsgi_app.app", command=command, variables={"BRIDGE_RESPONSE_MODE": mode})

    answer = request_stream(function, TEXT) if mode == "stream" else function.request(TEXT, "function-url")

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
        ("app = 1", "app:app", "The application is 1, .* cannot be called", None),
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
def test_a_failed_start_is_an_init_error_with_type_message_and_stack(
    start: Start, tmp_path: Path, code: str, app: str, error: str, where: str | None
) -> None:
    (tmp_path / "app.py").write_text(f"{code}\n")
    function = start(tmp_path, app, command=BRIDGE_CLIENT)

    reported = init_error(function)

    assert re.search(error, f"{reported['errorType']}: {reported['errorMessage']}", re.DOTALL)
    assert "cannot start" in function.log
    assert "Traceback" in function.log
    if where is not None:
        assert f"{tmp_path}/app.py" in reported["stackTrace"][0]
        assert where in reported["stackTrace"][-1]


def test_the_invocation_after_a_failed_init_starts_the_function_again(start: Start, tmp_path: Path) -> None:
    shutil.copy(FRAMEWORKS / "wsgi_app.py", tmp_path)
    (tmp_path / "app.py").write_text(FAILS_ONCE)
    function = start(tmp_path, "app.app", command=BRIDGE_CLIENT)

    assert init_error(function)["errorMessage"] == "once"

    assert function.request(TEXT, "function-url").status == 200


def test_without_an_application_the_error_says_how_to_name_one(start: Start, tmp_path: Path) -> None:
    function = start(tmp_path, "bridge.entrypoint.handler", command=without_argument(*BRIDGE_CLIENT))

    reported = init_error(function)

    assert "Set the function's environment variable BRIDGE_APP to module:attribute" in reported["errorMessage"]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("BRIDGE_RESPONSE_MODE", "streaming", "BRIDGE_RESPONSE_MODE is 'streaming'; allowed is stream or buffer"),
        ("BRIDGE_LIFESPAN", "maybe", "BRIDGE_LIFESPAN"),
    ],
)
def test_an_invalid_setting_is_an_init_error(start: Start, name: str, value: str, error: str) -> None:
    function = start(FRAMEWORKS, "wsgi_app:app", command=BRIDGE_CLIENT, variables={name: value})

    assert error in init_error(function)["errorMessage"]
