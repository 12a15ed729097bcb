"""``bridge init``: what it finds, what it writes, and that it deploys what its commands make."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hcl2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bridge
from bridge.dev.cli import main
from bridge.dev.deploying.detect import applications
from bridge.dev.deploying.plan import TOOLS, checked_name, name_of
from bridge.dev.gateway import Request
from bridge.dev.packaging.bridge_wheel import build_wheel
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
    zip_names,
)
from tests.dev.cli.serve_process import BRIDGE, environment
from tests.end_to_end.conftest import rie as rie
from tests.end_to_end.emulator import Emulator
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    Init = Callable[..., tuple[int, str, str]]

THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"
DEPLOY = EXAMPLES / "deploy"
HELLO = "from flask import Flask\napp = Flask(__name__)\n"
HOLDS = {"app.py": HELLO, "requirements.txt": "flask\n"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, in which commands run."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("BRIDGE_APP", raising=False)
    return folder


@pytest.fixture
def init(project: Path, capsys: pytest.CaptureFixture[str]) -> Init:
    """Run the command: its status, what it prints, and what it says."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["init", *words])
        out, err = capsys.readouterr()
        return int(str(ended.value.code)), out, err

    return run


# --- what is written


@pytest.mark.parametrize("kind", TOOLS)
def test_what_it_writes_for_the_example_is_what_the_example_holds(kind: str, init: Init, project: Path) -> None:
    write_files(project, {name: (DEPLOY / name).read_text() for name in ("app.py", "requirements.txt")})
    before = set(file_digests(project))
    status, _, err = init(kind, "--python", "3.13", "--name", "bridge-example")
    assert (status, err) == (0, "Found app:app: Starlette (ASGI) in app.py, line 28.\n")
    made = {name: each for name, each in file_digests(project).items() if name not in before and each != "folder"}
    held = {f"{kind}/{name}": each for name, each in file_digests(DEPLOY / kind).items() if each != "folder"}
    held |= {name: each for name, each in file_digests(DEPLOY).items() if name == f"{kind}.yml"}
    generated = ("__pycache__", "cdk.out", ".terraform", ".aws-sam", "function.zip")
    assert made == {name: each for name, each in held.items() if not any(part in name for part in generated)}


@pytest.mark.parametrize("kind", TOOLS)
def test_it_prints_the_files_the_commands_of_the_readme_and_the_policy(kind: str, init: Init, project: Path) -> None:
    write_files(project, HOLDS)
    status, out, err = init(kind)
    assert status == 0
    assert "Found app:app: Flask (WSGI) in app.py, line 2." in err
    named = re.findall(r"^Wrote (.+)$", out, re.MULTILINE)
    assert {Path(name) for name in named} == {
        path.relative_to(project) for path in project.rglob("*") if path.is_file()
    } - {Path(name) for name in HOLDS}
    readme = (project / kind / "README.md").read_text()
    commands = [line for line in out.splitlines() if line.startswith("    ")]
    assert commands
    assert [line for line in readme.splitlines() if line.startswith("    ")] == commands
    assert f"{kind}/policy.json" in out
    assert "Both functions are open to the public." in out


def test_the_functions_are_for_the_python_that_runs_unless_the_project_or_the_command_line_says_so(
    init: Init, project: Path
) -> None:
    def said() -> tuple[str, str]:
        shared = (load(project / "sam", ("template.yaml",)) or {})["Globals"]["Function"]
        return shared["Runtime"], shared["Architectures"][0]

    write_files(project, HOLDS)
    assert init("sam")[0] == 0
    assert said() == (f"python{THIS}", "x86_64")
    write_files(project, {"pyproject.toml": '[tool.bridge]\npython = "3.14"\narch = "arm64"\n'})
    status, out, _ = init("sam", "--force")
    assert (status, said()) == (0, ("python3.14", "arm64"))
    assert "bridge package app:app --python 3.14 --arch arm64 " in out
    status, out, _ = init("sam", "--force", "--python", "3.12", "--arch", "x86_64")
    assert (status, said()) == (0, ("python3.12", "x86_64"))
    assert "bridge package app:app --python 3.12 --arch x86_64 " in out


@pytest.mark.parametrize("kind", TOOLS)
@pytest.mark.parametrize(("only", "other"), [("buffered", "streaming"), ("streaming", "buffered")])
def test_one_function_comes_without_what_the_other_needs(
    kind: str, only: str, other: str, init: Init, project: Path
) -> None:
    write_files(project, HOLDS)
    status, out, _ = init(kind, f"--{only}", "--arch", "arm64")
    assert status == 0
    assert "The function is open to the public." in out
    made = {path.name: path.read_text() for path in project.rglob("*") if path.is_file() and path.name not in HOLDS}
    for name, text in made.items():
        words = re.sub(r"invoke_mode|InvokeMode|serverless-bridge.*|--target \w+", "", text)
        assert not re.search(rf"\b{other}\b|{other.capitalize()}", words), name
        assert "\n\n\n\n" not in text
        assert "@" not in re.sub(r"aws-cdk@2", "", text), name
    actions = [action for each in json.loads(made["policy.json"])["Statement"] for action in each["Action"]]
    if kind != "cdk":
        assert any("FunctionUrlConfig" in action for action in actions) == (only == "streaming")
        assert ("apigateway:POST" in actions) == (only == "buffered")


@pytest.mark.parametrize("only", [(), ("--buffered",), ("--streaming",)])
def test_every_file_is_of_its_language(only: tuple[str, ...], init: Init, project: Path) -> None:
    write_files(project, HOLDS)
    for kind in TOOLS:
        assert init(kind, *only)[0] == 0
    compile((project / "cdk/app.py").read_text(), "app.py", "exec")
    hcl2.loads((project / "terraform/main.tf").read_text())
    for kind in ("sam", "image"):
        content = load(project / kind, ("template.yaml",)) or {}
        assert len(content["Resources"]) == len(content["Outputs"]) == (1 if only else 2)
    content = load(project, ("serverless.yml",)) or {}
    assert len(content["functions"]) == (1 if only else 2)
    terraform = shutil.which("terraform")
    if terraform:
        subprocess.run([terraform, "fmt", "-check", "terraform"], cwd=project, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("only", ["--buffered", "--streaming"])
def test_the_linter_of_aws_finds_nothing_in_one_function_on_arm64(only: str, init: Init, project: Path) -> None:
    write_files(project, HOLDS)
    templates = []
    for kind in ("sam", "image"):
        assert init(kind, only, "--arch", "arm64", "--folder", f"deploy/{kind}")[0] == 0
        templates.append(f"deploy/{kind}/template.yaml")
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", *templates]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_folder_of_another_name_or_depth_finds_the_artifact(init: Init, project: Path) -> None:
    write_files(project, HOLDS)
    status, out, _ = init("sam", "--folder", "deploy/to.aws/")
    assert status == 0
    assert " --exclude /deploy/to.aws/ &&\n      sam deploy --template-file deploy/to.aws/template.yaml " in out
    place = (load(project / "deploy/to.aws", ("template.yaml",)) or {})["Globals"]["Function"]["CodeUri"]
    assert (project / "deploy/to.aws" / place).resolve() == project / "build/function.zip"
    assert init("terraform", "--folder", "a/b/c")[0] == 0
    assert '"${path.module}/../../../build/function.zip"' in (project / "a/b/c/main.tf").read_text()


def test_an_application_that_a_shell_or_yaml_would_misread_is_quoted(init: Init, project: Path) -> None:
    write_files(
        project, {'a b\'s "#"/app.py': "def create_app():\n    from flask import Flask\n    return Flask(__name__)\n"}
    )
    app = 'a b\'s "#"/app:create_app()'
    status, out, err = init("sam")
    assert status == 0, err
    assert subprocess.check_output(["sh", "-c", f'bridge() {{ printf %s "$2"; }}; {commanded(out)}'], text=True) == app
    assert init("serverless")[0] == 0
    assert (load(project, ("serverless.yml",)) or {})["custom"]["wsgi"]["app"] == app


def commanded(out: str) -> str:
    """The first command of the one that deploys."""
    (command,) = re.findall(r"^    (bridge package .*) &&$", out, re.MULTILINE)
    return str(command)


def test_the_templates_are_in_the_wheel(tmp_path: Path) -> None:
    place = Path(bridge.__file__).parent
    templates = {path.relative_to(place.parent).as_posix() for path in place.glob("dev/deploying/templates/*/*")}
    assert {Path(name).parent.name for name in templates} == set(TOOLS)
    assert templates <= zip_names(build_wheel(tmp_path))


# --- names


@pytest.mark.parametrize(
    ("folder", "name"),
    [("shop", "shop"), ("My Shop_2", "my-shop-2"), ("2024-shop", "shop"), ("café", "cafe"), ("店", "app"), ("", "app"),
     ("--a--b--", "a-b"), ("x" * 50, "x" * 32), ("a" * 31 + "-b", "a" * 31), ("Ünï.côdé", "uni-code"), ("42", "app")],
)  # fmt: skip
def test_a_folders_name_becomes_one_that_every_tool_takes(folder: str, name: str) -> None:
    assert name_of(folder) == name


@given(st.text(max_size=60))
def test_whatever_a_folder_is_called_there_is_a_name(folder: str) -> None:
    name = name_of(folder)
    assert checked_name(name) == name
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", name)


@pytest.mark.parametrize("kind", TOOLS)
def test_the_folder_names_the_stack(kind: str, init: Init, project: Path) -> None:
    write_files(project, HOLDS)
    assert init(kind)[0] == 0
    text = "".join(path.read_text() for path in project.rglob("*") if path.is_file())
    assert re.search(r"(service: |--stack-name |name += \"|Deployment\(app, \")shop\b", text)


# --- which application


FACTORY = "from flask import Flask\ndef create_app(config=None):\n    app = Flask(__name__)\n    return app\n"
WSGI = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
ASGI = "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"app.py": HELLO}, "app:app: Flask (WSGI) in app.py, line 2"),
        ({"main.py": "import fastapi\napi = fastapi.FastAPI()\n"}, "main:api: FastAPI (ASGI) in main.py, line 2"),
        ({"a.py": "from starlette.applications import Starlette as S\na: S = S()\n"}, "a:a: Starlette (ASGI)"),
        ({"a.py": "import falcon.asgi\na = falcon.asgi.App()\n"}, "a:a: Falcon (ASGI)"),
        ({"a.py": "import falcon\na = falcon.App()\n"}, "a:a: Falcon (WSGI)"),
        ({"a.py": "from quart import Quart\na = b = Quart(__name__)\nb = 1\n"}, None),
        ({"a.py": "from litestar import Litestar\na = Litestar([])\n"}, "a:a: Litestar (ASGI)"),
        ({"a.py": "import bottle\nbottle.Bottle\na = bottle.default_app()\n"}, "a:a: Bottle (WSGI)"),
        ({"a.py": "from dash import Dash\na = Dash()\nserver = a.server\n"}, "a:a.server: Dash (WSGI)"),
        (
            {"a.py": "from pyramid.config import Configurator\nwith Configurator() as c:\n    a = c.make_wsgi_app()\n"},
            "a:a: Pyramid (WSGI)",
        ),
        (
            {"manage.py": "", "shop/__init__.py": "", "shop/wsgi.py": WSGI, "shop/asgi.py": ASGI},
            "shop.wsgi:application",
        ),
        ({"manage.py": "", "shop/__init__.py": "", "shop/asgi.py": ASGI}, "shop.asgi:application: Django (ASGI)"),
        ({"web/manage.py": "", "web/shop/__init__.py": "", "web/shop/wsgi.py": WSGI}, "web/shop.wsgi:application"),
        (
            {"web/manage.py": "", "web/__init__.py": "", "web/shop/__init__.py": "", "web/shop/wsgi.py": WSGI},
            "web/shop.wsgi:application",
        ),
        ({"web/app.py": HELLO}, "web/app:app"),
        ({"web/__init__.py": HELLO}, "web:app: Flask (WSGI) in web/__init__.py"),
        ({"src/shop/__init__.py": "", "src/shop/app.py": HELLO}, "src/shop.app:app"),
        ({"app.py": FACTORY}, "app:create_app(): Flask (WSGI) in app.py, line 2"),
        ({"shop/__init__.py": FACTORY, "wsgi.py": "from shop import create_app\napp = create_app()\n"}, "wsgi:app: Fl"),
        (
            {
                "a.py": FACTORY,
                "wsgi.py": "import a\napp = a.create_app()\n",
                "run.py": "import a\nx = a.create_app()\n",
            },
            "wsgi:app",
        ),
        ({"a.py": "from flask import Flask\ndef make() -> Flask: return other()\n"}, "a:make()"),
        ({"a.py": "from fastapi import FastAPI\ndef make():\n  if 1:\n    return FastAPI()\n"}, "a:make()"),
        ({"a.py": "from flask import Flask\ndef make(name): return Flask(name)\n"}, None),
        ({"a.py": "from fastapi import FastAPI\na = FastAPI()\nb = FastAPI()\na.mount('/b', b)\n"}, "a:a"),
        ({"app.py": f"{HELLO}import bridge\nhandler = bridge.handler(app, base_path='/x')\n"}, "app:handler: handler"),
        ({"app.py": f"{HELLO}from wrap import Wrap\napp = Wrap(app)\n"}, "app:app: Flask"),
        ({"app.py": "try:\n  from flask import Flask\n  app = Flask('a')\nexcept ImportError: ...\n"}, "app:app"),
        ({"a.py": "def app(environ, start_response): ...\n"}, "a:app: function (WSGI) in a.py, line 1"),
        ({"a.py": "async def app(scope, receive, send): ...\n"}, "a:app: function (ASGI)"),
        ({"app.py": HELLO, "b.py": "def middleware(environ, start_response): ...\n"}, "app:app"),
        ({"app.py": HELLO, "broken.py": "def (", "zero.py": "\0", "latin.py": "\udce9"}, "app:app"),
        ({"a.py": "from flask import Flask\nif __name__ == '__main__':\n    app = Flask('a')\n"}, None),
        ({"app.py": HELLO, "tests/app.py": HELLO, "test_app.py": HELLO, ".venv/a.py": HELLO}, "app:app"),
        ({"app.py": HELLO, "env/pyvenv.cfg": "", "env/a.py": HELLO, "node_modules/a.py": HELLO}, "app:app"),
        ({"app.py": "import flask\ntext = '\\d'\nFlask = dict\nx = Flask()\n"}, None),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else None,
)
def test_the_application_is_found_by_reading_the_source(
    files: dict[str, str], found: str | None, init: Init, project: Path
) -> None:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(text.encode(errors="surrogateescape"))
    status, _, err = init("sam")
    if found is None:
        assert status in (1, 2)
        assert not (project / "sam").exists()
    else:
        assert (status, err.splitlines()[0][: len(f"Found {found}")]) == (0, f"Found {found}")


@pytest.mark.parametrize(
    ("example", "app"),
    [
        ("bottle", "app:app"), ("django", "teashop.wsgi:application"), ("falcon", "app:app"), ("fastapi", "app:app"),
        ("flask", "app:app"), ("litestar", "app:app"), ("pyramid", "app:app"), ("quart", "app:app"),
        ("starlette", "app:app"), ("streaming", "app:app"),
    ],
)  # fmt: skip
def test_the_application_of_every_example_is_found(example: str, app: str) -> None:
    assert [each.app for each in applications(EXAMPLES / example)] == [app]


def test_of_several_applications_one_is_to_be_named(init: Init, project: Path) -> None:
    write_files(project, {"app.py": HELLO, "api.py": "from fastapi import FastAPI\napi = FastAPI()\n"})
    status, out, err = init("cdk")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "bridge: This folder has several applications. Name the one to deploy:",
        "  bridge init cdk api:api    FastAPI (ASGI) in api.py, line 2",
        "  bridge init cdk app:app    Flask (WSGI) in app.py, line 2",
    ]
    assert init("cdk", "api:api")[0] == 0


def test_without_one_it_is_to_be_named(init: Init, project: Path) -> None:
    write_files(project, {"lib.py": "x = 1\n"})
    status, out, err = init("sam")
    assert (status, out) == (1, "")
    assert "the Python files in this folder define none. Name it, as in `bridge init sam app:app`." in err


def test_the_project_names_its_application(init: Init, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(project, {"app.py": HELLO, "api.py": HELLO, "pyproject.toml": '[tool.bridge]\napp = "api:app"\n'})
    _, out, err = init("sam")
    assert ("bridge package api:app " in out, err.splitlines()[0]) == (True, "The project's application is api:app.")
    monkeypatch.setenv("BRIDGE_APP", "app:app")
    assert "bridge package app:app " in init("terraform")[1]
    monkeypatch.delenv("BRIDGE_APP")
    (project / "pyproject.toml").unlink()
    assert init("serverless", "app:app")[0] == 0
    assert "bridge package app:app " in init("image")[1]  # that of serverless.yml, which both of its functions have


def test_an_installed_application_need_not_be_in_the_project(init: Init, project: Path) -> None:
    write_files(project, {"requirements.txt": "flask\n"})
    assert init("sam", "flask.app:Flask")[0] == 0


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ((), 2, "Name a tool. Write `bridge init TOOL` with one of these:\n  serverless  the Serverless Framework"),
        (("pulumi",), 2, "There is no tool 'pulumi'. Write `bridge init TOOL` with one of these:\n  serverless  the"),
        (("sam", "nothing:app"), 1, "nothing:app: there is no module 'nothing'"),
        (("sam", "web/app:app"), 1, "web/app:app: the project has no folder 'web'"),
        (("sam", "../shop2/app:app"), 1, "is not in the project"),
        (("sam", "app:"), 1, "does not name an application"),
        (("sam", "--python", "3.10"), 2, "--python 3.10: Lambda's runtimes for the bridge are 3.11, "),
        (("sam", "--python", "3"), 2, "--python 3: Lambda's runtimes"),
        (("sam", "--arch", "mips"), 2, "invalid choice: 'mips'"),
        (("sam", "--name", "My_Shop"), 2, "--name My_Shop: write up to 32 small letters, digits and single dashes, "),
        (("sam", "--name", "My_Shop"), 2, "a letter first, as in my-shop."),
        (("sam", "--name", "x" * 33), 2, "write up to 32"),
        (("sam", "--name", ""), 2, "as in app."),
        (("sam", "--folder", "../out"), 2, "--folder ../out: name one in the project"),
        (("sam", "--folder", "/tmp"), 2, "--folder /tmp: name one in the project"),
        (("sam", "--folder", "a b"), 2, "--folder a b: name one in the project"),
        (("sam", "--buffered", "--streaming"), 2, "not allowed with"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_message_and_writes_nothing(
    words: tuple[str, ...], status: int, says: str, init: Init, project: Path
) -> None:
    write_files(project, HOLDS)
    got, out, err = init(*words)
    assert (got, out) == (status, "")
    assert says in err
    assert set(file_digests(project)) == set(HOLDS)


# --- files that are there


@pytest.mark.parametrize("kind", TOOLS)
def test_a_file_that_is_there_is_not_replaced_and_no_other_is_written(kind: str, init: Init, project: Path) -> None:
    write_files(project, {**HOLDS, f"{kind}/policy.json": "mine", f"{kind}/README.md": "mine"})
    before = file_digests(project)
    status, out, err = init(kind)
    assert (status, out) == (1, "")
    assert f"{kind}/README.md, {kind}/policy.json exist. Add --force to replace existing files." in err
    assert file_digests(project) == before
    assert init(kind, "--force")[0] == 0
    assert json.loads((project / kind / "policy.json").read_text())["Statement"]


def test_a_second_file_of_the_framework_is_not_written(init: Init, project: Path) -> None:
    write_files(project, {**HOLDS, "serverless.ts": ""})
    status, _, err = init("serverless", "--force")
    assert status == 1
    assert "the project has serverless.ts, which the Serverless Framework would ignore beside serverless.yml." in err
    assert not (project / "serverless.yml").exists()


def test_a_folder_of_the_project_is_not_taken_for_the_tools(init: Init, project: Path) -> None:
    write_files(project, {**HOLDS, "image/logo.png": ""})
    for force in ((), ("--force",)):
        status, _, err = init("image", *force)
        assert status == 1
        assert "The folder image has other files (logo.png)" in err
    assert init("image", "--folder", "deploy")[0] == 0


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_what_stands_in_the_way_leaves_all_as_it_was(force: tuple[str, ...], init: Init, project: Path) -> None:
    write_files(project, {**HOLDS, "sam": "a file"})
    before = file_digests(project)
    status, out, err = init("sam", *force)
    assert (status, out) == (1, "")
    assert "No file was written: " in err
    assert file_digests(project) == before
    write_files(project, {"cdk/README.md": "mine", "cdk/policy.json/inner": ""})
    before = file_digests(project)
    assert init("cdk", *force)[0] == 1
    assert file_digests(project) == before


def test_a_disk_that_fails_half_way_leaves_all_as_it_was(
    init: Init, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(project, {**HOLDS, "terraform/main.tf": "mine"})
    before, whole = file_digests(project), Path.write_text

    def failing(path: Path, *arguments: Any, **options: Any) -> int:
        if "policy" in path.name:
            raise OSError(28, "No space left on device", str(path))
        return whole(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", failing)
    for words in (("terraform", "--force"), ("serverless",)):
        status, out, err = init(*words)
        assert (status, out) == (1, "")
        assert re.search(r"No file was written: .*policy\.json.*: No space left on device\.", err)
        assert file_digests(project) == before


def test_a_project_without_requirements_is_told(init: Init, project: Path) -> None:
    write_files(project, {"app.py": HELLO})
    assert "There is no requirements.txt and no lock file" in init("sam")[2]
    write_files(project, {"requirements.txt": "flask\n"})
    assert "There is no requirements.txt" not in init("cdk")[2]


# --- what the commands make


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in TOOLS if kind != "serverless"])
def test_the_command_makes_the_artifact_where_the_tool_looks_for_it(kind: str, init: Init, project: Path) -> None:
    write_files(project, HOLDS | {"requirements.txt": ""})
    status, out, _ = init(kind)
    assert status == 0
    told = deployed(out, project)
    file = project / ("image/function.zip" if kind == "image" else "build/function.zip")
    listed = subprocess.check_output(["unzip", "-Z1", str(file)], text=True).splitlines()
    assert {"app.py", "bridge/entrypoint.py"} <= set(listed)
    assert not [name for name in listed if name.startswith((f"{kind}/", "bridge/dev/cli/"))]
    assert told[-1].split()[1] == ("apply" if kind == "terraform" else "deploy") or told[-1].split()[2] in (
        "deploy", "apply",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.aws
def test_what_the_command_makes_answers_behind_each_front_door(
    init: Init, project: Path, rie: Path, tmp_path: Path
) -> None:
    if HOST is None:
        pytest.skip("this processor is none of Lambda's, so nothing made for Lambda runs here")
    write_files(project, {"app.py": FLASK, "data.txt": "tea", "requirements.txt": "flask==3.1.2\n"})
    status, out, _ = init("sam", "--arch", HOST, "--python", THIS)
    assert status == 0
    deployed(out, project)
    folder = unpack(project / "build/function.zip", tmp_path / "unpacked")
    functions = (load(project / "sam", ("template.yaml",)) or {})["Globals"]["Function"]
    variables = {"PYTHONPATH": str(aws_client(tmp_path / "client")), "PYTHONPYCACHEPREFIX": ""}
    command = [*bare_python(), "-m", "awslambdaric"]
    handler = functions["Handler"]
    with Emulator(rie, folder, handler, tmp_path / "log", variables=variables, command=command) as function:
        for source in ("http-api", "function-url"):
            got = function.request(Request("GET", "/"), source)
            assert (got.status, got.body.decode()) == (200, "flask 3.1.2 tea"), function.log


def deployed(out: str, project: Path) -> list[str]:
    """Run the command that deploys, with programs in the place of the tools that only tell how they are called."""
    programs = project.parent / "programs"
    programs.mkdir()
    for name in ("sam", "npx", "terraform"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{programs}/told"\n')
        (programs / name).chmod(0o755)
    (programs / "bridge").symlink_to(BRIDGE)
    command = "\n".join(line.strip() for line in out.partition("To deploy")[2].splitlines() if line.startswith("    "))
    temporary_folder(project).mkdir()
    own = {
        "XDG_CACHE_HOME": str(project.parent / "cache"),
        "UV_CACHE_DIR": uv_cache(),
        "TMPDIR": str(temporary_folder(project)),
    }
    path = f"{programs}:{Path(BRIDGE).parent}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project,
        env=environment(**own, PATH=path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (programs / "told").read_text().splitlines()
