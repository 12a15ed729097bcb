"""``bridge init``: the application that it deploys, its messages, and the artifact that its commands make."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.deploying.init_settings import TOOLS
from bridge.dev.gateway import Request
from bridge.dev.projects.yaml_file import load
from tests.dev.cli.packages import (
    FLASK,
    HOST,
    aws_client,
    bare_python,
    file_digests,
    temporary_folder,
    unpack,
    uv_cache,
    write_files,
)
from tests.dev.cli.serve_process import BRIDGE, environment
from tests.end_to_end.conftest import rie as rie
from tests.end_to_end.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    Init = Callable[..., tuple[int, str, str]]

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
APP = "from flask import Flask\napp = Flask(__name__)\n"
FILES = {"app.py": APP, "requirements.txt": "flask\n"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, in which the command runs."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("BRIDGE_APP", raising=False)
    return folder


@pytest.fixture
def init(project: Path, bridge_command: Init) -> Init:
    """Runs ``bridge init`` in the project, and returns its exit status, standard output and standard error."""
    return partial(bridge_command, "init")


# --- output


def test_an_image_has_no_websocket_api(init: Init, project: Path) -> None:
    write_files(project, FILES)
    status, _, err = init("image", "--websocket")
    assert status == 2
    assert "Use `bridge init sam --websocket`." in err


@pytest.mark.parametrize("kind", TOOLS)
def test_it_prints_the_files_the_commands_and_the_policy(kind: str, init: Init, project: Path) -> None:
    write_files(project, FILES)
    status, out, err = init(kind)
    assert (status, err) == (0, "Found app:app: Flask (WSGI) in app.py, line 2.\n")
    written = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()} - set(FILES)
    assert set(re.findall(r"^Wrote (.+)$", out, re.MULTILINE)) == written
    commands = [line for line in out.splitlines() if line.startswith("    ")]
    readme = (project / kind / "README.md").read_text()
    assert commands
    assert [line for line in readme.splitlines() if line.startswith("    ")] == commands
    assert f"{kind}/policy.json" in out
    assert "The function is open to the public." in out


def test_an_application_that_its_module_does_not_define_is_an_error(init: Init, project: Path) -> None:
    write_files(project, FILES)
    status, out, err = init("sam", "app:nope")
    assert (status, out) == (1, "")
    assert "app:nope: app.py defines no 'nope'. The names in it: Flask, app." in err
    assert not (project / "sam").exists()


@pytest.mark.parametrize(
    ("options", "outputs"),
    [
        ((), ["ApiUrl"]),
        (("--buffered",), ["ApiUrl"]),
        (("--streaming",), ["StreamingUrl"]),
        (("--buffered", "--streaming"), ["ApiUrl", "StreamingUrl"]),
        (("--websocket",), ["WebSocketUrl"]),
        (("--websocket", "--buffered"), ["ApiUrl", "WebSocketUrl"]),
        (("--websocket", "--buffered", "--streaming"), ["ApiUrl", "StreamingUrl", "WebSocketUrl"]),
    ],
)
def test_one_function_is_written_unless_several_are_named(
    options: tuple[str, ...], outputs: list[str], init: Init, project: Path
) -> None:
    write_files(project, FILES)
    status, out, _ = init("sam", *options)
    functions = ("The function is", "Both functions are", "All functions are")[len(outputs) - 1]
    assert (status, f"{functions} open to the public." in out) == (0, True)
    assert list(template_of(project)["Outputs"]) == outputs


def test_the_target_is_that_of_the_command_line_then_of_pyproject_then_this_python(init: Init, project: Path) -> None:
    def target() -> tuple[str, str]:
        functions = template_of(project)["Globals"]["Function"]
        return functions["Runtime"], functions["Architectures"][0]

    write_files(project, FILES)
    assert init("sam")[0] == 0
    assert target() == (f"python{PYTHON}", "arm64")
    write_files(project, {"pyproject.toml": '[tool.bridge]\npython = "3.14"\narch = "x86_64"\n'})
    status, out, _ = init("sam", "--force")
    assert (status, target()) == (0, ("python3.14", "x86_64"))
    assert "bridge package app:app --python 3.14 --arch x86_64 " in out
    status, out, _ = init("sam", "--force", "--python", "3.12", "--arch", "arm64")
    assert (status, target()) == (0, ("python3.12", "arm64"))
    assert "bridge package app:app --python 3.12 --arch arm64 " in out


def test_without_requirements_a_message_says_so(init: Init, project: Path) -> None:
    write_files(project, {"app.py": APP})
    assert "There is no requirements.txt and no lock file" in init("sam")[2]
    write_files(project, {"requirements.txt": "flask\n"})
    assert "There is no requirements.txt" not in init("cdk")[2]


# --- the application


def test_of_several_applications_one_must_be_named(init: Init, project: Path) -> None:
    write_files(project, {"app.py": APP, "api.py": "from fastapi import FastAPI\napi = FastAPI()\n"})
    status, out, err = init("cdk")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "bridge: This folder has several applications. Name one on the command line:",
        "  bridge init cdk api:api    FastAPI (ASGI) in api.py, line 2",
        "  bridge init cdk app:app    Flask (WSGI) in app.py, line 2",
        'To make it the default, write it into pyproject.toml: [tool.bridge] app = "api:api"',
    ]
    assert init("cdk", "api:api")[0] == 0


def test_without_an_application_in_the_code_one_must_be_named(init: Init, project: Path) -> None:
    write_files(project, {"lib.py": "x = 1\n"})
    status, out, err = init("sam")
    assert (status, out) == (1, "")
    assert "as in `bridge init sam app:app`, or" in err
    assert not (project / "sam").exists()


def test_the_projects_files_and_the_environment_name_the_application(
    init: Init, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(project, {"app.py": APP, "api.py": APP, "pyproject.toml": '[tool.bridge]\napp = "api:app"\n'})
    _, out, err = init("sam")
    assert ("bridge package api:app " in out, err.splitlines()[0]) == (True, "The project's application is api:app.")
    monkeypatch.setenv("BRIDGE_APP", "app:app")
    assert "bridge package app:app " in init("terraform")[1]
    monkeypatch.delenv("BRIDGE_APP")
    (project / "pyproject.toml").unlink()
    assert init("serverless", "app:app")[0] == 0
    assert "bridge package app:app " in init("image")[1]  # that of both functions in serverless.yml


def test_an_installed_application_need_not_be_in_the_project(init: Init, project: Path) -> None:
    write_files(project, {"requirements.txt": "flask\n"})
    assert init("sam", "flask.app:Flask")[0] == 0


# --- errors


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((), 2, "Name a tool. Write `bridge init TOOL` with one of these:\n  serverless  the Serverless Framework"),
        (("pulumi",), 2, "There is no tool 'pulumi'. Write `bridge init TOOL` with one of these:\n  serverless  the"),
        (("sam", "nothing:app"), 1, "nothing:app: there is no module 'nothing'"),
        (("sam", "web/app:app"), 1, "web/app:app: the project has no folder 'web'"),
        (("sam", "../shop2/app:app"), 1, "is not in the project"),
        (("sam", "app:"), 1, "does not name an application"),
        (("sam", "--python", "3.10"), 2, "--python 3.10: write one of the versions that Lambda runs, 3.11, 3.12, "),
        (("sam", "--python", "3"), 2, "--python 3: write one of"),
        (("sam", "--arch", "mips"), 2, "invalid choice: 'mips'"),
        (("sam", "--name", "My_Shop"), 2, "--name My_Shop: a name has up to 32 lower-case letters, digits and single "),
        (("sam", "--name", "My_Shop"), 2, "dashes, and begins with a letter, as in my-shop."),
        (("sam", "--name", "x" * 33), 2, "a name has up to 32"),
        (("sam", "--name", ""), 2, "as in app."),
        (("sam", "--folder", "../out"), 2, "--folder ../out: write a folder in the project"),
        (("sam", "--folder", "/tmp"), 2, "--folder /tmp: write a folder in the project"),
        (("sam", "--folder", "a b"), 2, "--folder a b: write a folder in the project"),
    ],
)  # fmt: skip
def test_an_invalid_option_is_one_message_and_writes_nothing(
    words: tuple[str, ...], status: int, message: str, init: Init, project: Path
) -> None:
    write_files(project, FILES)
    ended, out, err = init(*words)
    assert (ended, out) == (status, "")
    assert message in err
    assert set(file_digests(project)) == set(FILES)


@pytest.mark.parametrize("kind", TOOLS)
def test_an_existing_file_is_not_replaced_and_no_other_is_written(kind: str, init: Init, project: Path) -> None:
    write_files(project, {**FILES, f"{kind}/policy.json": "mine", f"{kind}/README.md": "mine"})
    before = file_digests(project)
    status, out, err = init(kind)
    assert (status, out) == (1, "")
    assert f"{kind}/README.md, {kind}/policy.json exist. Add --force to replace existing files." in err
    assert file_digests(project) == before
    assert init(kind, "--force")[0] == 0
    assert json.loads((project / kind / "policy.json").read_text())["Statement"]


def test_serverless_yml_is_not_written_beside_a_file_that_it_would_hide(init: Init, project: Path) -> None:
    write_files(project, {**FILES, "serverless.ts": ""})
    status, _, err = init("serverless", "--force")
    assert status == 1
    assert "the project has serverless.ts, which the Serverless Framework would ignore beside serverless.yml." in err
    assert not (project / "serverless.yml").exists()


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_with_other_files_is_not_used(force: tuple[str, ...], init: Init, project: Path) -> None:
    write_files(project, {**FILES, "image/logo.png": ""})
    status, _, err = init("image", *force)
    assert (status, "The folder image has other files (logo.png)" in err) == (1, True)
    assert init("image", "--folder", "deploy")[0] == 0


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_file_in_place_of_a_folder_or_the_reverse_changes_nothing(
    force: tuple[str, ...], init: Init, project: Path
) -> None:
    write_files(project, {**FILES, "sam": "a file", "cdk/README.md": "mine", "cdk/policy.json/inner": ""})
    before = file_digests(project)
    for kind in ("sam", "cdk"):
        status, out, err = init(kind, *force)
        assert (status, out) == (1, "")
        assert "No file was written: " in err
        assert file_digests(project) == before


def test_a_disk_error_half_way_changes_nothing(init: Init, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(project, {**FILES, "terraform/main.tf": "mine"})
    before, write_text = file_digests(project), Path.write_text

    def failing(path: Path, *arguments: Any, **options: Any) -> int:
        if "policy" in path.name:
            raise OSError(28, "No space left on device", str(path))
        return write_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", failing)
    for words in (("terraform", "--force"), ("serverless",)):
        status, out, err = init(*words)
        assert (status, out) == (1, "")
        assert re.search(r"No file was written: .*policy\.json.*: No space left on device\.", err)
        assert file_digests(project) == before


# --- the artifact


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in TOOLS if kind != "serverless"])
def test_the_command_makes_the_artifact_where_the_tool_reads_it(kind: str, init: Init, project: Path) -> None:
    write_files(project, FILES | {"requirements.txt": ""})
    status, out, _ = init(kind)
    assert status == 0
    calls = run_deployment(out, project)
    file = project / ("image/function.zip" if kind == "image" else "build/function.zip")
    names = subprocess.check_output(["unzip", "-Z1", str(file)], text=True).splitlines()
    assert {"app.py", "bridge/entrypoint.py"} <= set(names)
    assert not [name for name in names if name.startswith((f"{kind}/", "bridge/dev/"))]
    assert {"apply", "deploy"} & set(calls[-1].split()[1:3])


@pytest.mark.slow
@pytest.mark.aws
def test_the_artifact_answers_behind_each_front_door(init: Init, project: Path, rie: Path, tmp_path: Path) -> None:
    if HOST is None:
        pytest.skip("Lambda has no processor like this machine's, so artifacts do not run here")
    write_files(project, {"app.py": FLASK, "data.txt": "tea", "requirements.txt": "flask==3.1.2\n"})
    status, out, _ = init("sam", "--arch", HOST, "--python", PYTHON)
    assert status == 0
    run_deployment(out, project)
    folder = unpack(project / "build/function.zip", tmp_path / "unpacked")
    handler = template_of(project)["Globals"]["Function"]["Handler"]
    variables = {"PYTHONPATH": str(aws_client(tmp_path / "client")), "PYTHONPYCACHEPREFIX": ""}
    command = [*bare_python(), "-m", "awslambdaric"]
    with Emulator(rie, folder, handler, tmp_path / "log", variables=variables, command=command) as function:
        for source in ("http-api", "function-url"):
            answer = function.request(Request("GET", "/"), source)
            assert (answer.status, answer.body.decode()) == (200, "flask 3.1.2 tea"), function.log


def template_of(project: Path) -> dict[str, Any]:
    """The SAM template that the command has written."""
    return load(project / "sam", ("template.yaml",)) or {}


def run_deployment(out: str, project: Path) -> list[str]:
    """Run the printed command that deploys, with scripts in place of the tools; return the scripts' command lines."""
    programs = project.parent / "programs"
    programs.mkdir()
    for name in ("sam", "npx", "terraform"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{programs}/calls"\n')
        (programs / name).chmod(0o755)
    (programs / "bridge").symlink_to(BRIDGE)
    command = "\n".join(line.strip() for line in out.partition("To deploy")[2].splitlines() if line.startswith("    "))
    temporary_folder(project).mkdir()
    variables = {
        "XDG_CACHE_HOME": str(project.parent / "cache"),
        "UV_CACHE_DIR": uv_cache(),
        "TMPDIR": str(temporary_folder(project)),
        "PATH": f"{programs}:{Path(BRIDGE).parent}:/usr/local/bin:/usr/bin:/bin",
    }
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (programs / "calls").read_text().splitlines()
