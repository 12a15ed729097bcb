"""Importing applications: the notations for them, their environment, and the messages about failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.dev.cli.serve_process import ServeProcess, run

if TYPE_CHECKING:
    from pathlib import Path

APP = """
import os
VARIABLES = {name: os.environ.get(name) for name in ("IS_OFFLINE", "A", "B", "C", "D")}
def app(environ, start):
    import json
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(VARIABLES).encode()]
application = app
class Holder:
    app = staticmethod(app)
def make():
    return app
"""


def variables(folder: Path, *arguments: str, **env: str) -> Any:
    """Return the environment variables with which the application was imported."""
    status, out, err = run(folder, "invoke", *arguments, **env)
    assert status == 0, err
    return json.loads(json.loads(out)["body"])


@pytest.mark.parametrize(
    "name",
    ["app:app", "app", "./app.py:app", "app:make()", "shop.web.app", "shop/web.py", "{folder}/shop/web.py:Holder.app"],
)
def test_the_notations_for_an_application(tmp_path: Path, name: str) -> None:
    (tmp_path / "shop").mkdir()
    for file in ("app.py", "shop/web.py"):
        (tmp_path / file).write_text(APP)
    assert variables(tmp_path, name.format(folder=tmp_path))["IS_OFFLINE"] == "True"


def test_variables_are_set_at_the_import_and_the_env_file_overrides_them(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text("""
        provider: {environment: {A: provider, B: provider, C: provider}}
        functions: {api: {handler: wsgi_handler.handler, environment: {B: function}}}
        custom: {wsgi: {app: app.app}}
        """)
    (tmp_path / ".env").write_text("C=file\n")
    expected = {"IS_OFFLINE": "True", "A": "provider", "B": "function", "C": "file", "D": "shell"}
    assert variables(tmp_path, "/", "--env-file", ".env", A="shell", D="shell") == expected
    assert variables(tmp_path, "app:app", "/", "--env-file", ".env", A="shell", D="shell") == expected


def test_variables_whose_values_a_deployment_sets_are_listed_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "serverless.yml").write_text("""
        provider: {environment: {A: '${cf:x.y}', B: !Ref Table, C: '${ssm:/x}', D: "${opt:stage, 'none'}"}}
        functions: {api: {handler: app.app}}
        """)
    (tmp_path / ".env").write_text("B=file\n")
    words = ("invoke", "app:app", "--env-file", ".env", "--source", "alb", "--opt", "stage=prod")
    status, out, err = run(tmp_path, *words, C="shell")
    assert status == 0
    assert err == "The variable A is not set: a deployment sets its value. Set it with --env-file FILE.\n"
    assert json.loads(json.loads(out)["body"]) == {
        "IS_OFFLINE": "True", "A": None, "B": "file", "C": "shell", "D": "prod",
    }  # fmt: skip
    status, _, err = run(tmp_path, *words)
    assert err == ("The variables A, C are not set: a deployment sets their values. Set them with --env-file FILE.\n")


FAILED_IMPORTS = {
    # The code of app.py, the name of the application, the first lines, and the last two lines.
    "import error": (
        "import not_there\n",
        "app:app",
        ["Traceback (most recent call last):", '  File "{file}", line 1, in <module>'],
        ["ModuleNotFoundError: No module named 'not_there'", "app:app cannot be imported"],
    ),
    "syntax error": (
        "def app(:\n",
        "app:app",
        ['  File "{file}", line 1', "    def app(:"],
        ["SyntaxError: invalid syntax", "app:app cannot be imported"],
    ),
    "syntax error before a factory": (
        "def app(:\n",
        "app:app()",
        ['  File "{file}", line 1', "    def app(:"],
        ["SyntaxError: invalid syntax", "app:app() cannot be imported"],
    ),
    "exception before a factory": (
        "1 / 0\ndef make(): ...\n",
        "app:make()",
        ["Traceback (most recent call last):", '  File "{file}", line 1, in <module>'],
        ["ZeroDivisionError: division by zero", "app:make() cannot be imported"],
    ),
    "factory that raises": (
        "def make():\n    return connect()\ndef connect():\n    raise OSError('no database')\n",
        "app:make()",
        ["Traceback (most recent call last):", '  File "{file}", line 2, in make'],
        ["OSError: no database", "The factory app:make() raised OSError"],
    ),
    "factory with a parameter": (
        "def make(config): ...\n",
        "app:make()",
        ["TypeError: make() missing 1 required positional argument: 'config'"],
        [
            "TypeError: make() missing 1 required positional argument: 'config'",
            "The factory app:make() raised TypeError",
        ],
    ),
}


@pytest.mark.parametrize("kind", FAILED_IMPORTS)
def test_a_failed_import_prints_the_applications_frames_and_one_line(tmp_path: Path, kind: str) -> None:
    code, name, first, (error, message) = FAILED_IMPORTS[kind]
    (tmp_path / "app.py").write_text(code)
    status, stdout, stderr = run(tmp_path, "invoke", name)
    assert (status, stdout) == (1, "")
    lines = stderr.splitlines()
    assert lines[: len(first)] == [line.format(file=tmp_path / "app.py") for line in first]
    assert lines[-2:] == [error, f"bridge: {message}; see the traceback above."]
    assert "bridge/" not in stderr


DJANGO = """
from shop.settings import NAME
def application(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [NAME.encode()]
"""


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("", "shop/shop/wsgi.py:application"),
        ("shop", "shop/wsgi.py"),
        ("shop", "shop.wsgi"),
        ("other", "{0}/shop/shop/wsgi.py"),
    ],
)
def test_a_file_in_a_package_is_imported_as_its_submodule(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / "shop" / "shop").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for file, text in (("__init__", ""), ("settings", "NAME = 'the shop'"), ("wsgi", DJANGO)):
        (tmp_path / "shop" / "shop" / f"{file}.py").write_text(text)
    status, out, err = run(tmp_path / folder, "invoke", name.format(tmp_path))
    assert (status, json.loads(out)["body"]) == (0, "the shop"), err
    with ServeProcess(tmp_path / folder, name.format(tmp_path), "--no-reload") as running:
        assert running.client.get("/").text == "the shop"


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    for command in (["invoke"], ["serve", "--port", "0", "--no-reload"]):
        for name in ("/no_such/app.py:app", "no_such/app.py"):
            status, out, err = run(tmp_path, *command, name)
            assert (status, out) == (1, "")
            file = tmp_path / name.partition(":")[0]
            assert err == f"bridge: {name!r}: there is no file {file}.\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("app = 7", "which cannot be called"),
        ("def app(one, two, three, four): ...", "is not recognisable as a WSGI or an ASGI application"),
    ],
)
def test_an_object_that_is_no_application_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "app.py").write_text(text)
    status, _, err = run(tmp_path, "invoke", "app:app")
    assert status == 1
    assert message in err
    assert "Traceback" not in err


def test_slashes_in_a_lambda_handler_are_packages(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "words.py").write_text("WORD = 'packaged'\n")
    text = "from .words import WORD\ndef handler(event, context):\n    return {'statusCode': 200, 'body': WORD}\n"
    (tmp_path / "shop" / "web.py").write_text(text)
    (tmp_path / "serverless.yml").write_text("functions: {api: {handler: shop/web.handler}}")
    status, out, err = run(tmp_path, "invoke", "/")
    assert (status, json.loads(out)["body"]) == (0, "packaged"), err


def test_functions_in_different_folders_may_have_modules_of_the_same_name(tmp_path: Path) -> None:
    for name in ("dogs", "cats"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "words.py").write_text(f"WORD = '{name}'\n")
        (tmp_path / name / "app.py").write_text(
            "import os, words\nON_IMPORT = os.environ['KIND']\ndef handler(event, context):\n"
            "    return {'statusCode': 200, 'body': words.WORD + ' ' + ON_IMPORT}\n"
        )
    function = (
        "{{Type: AWS::Serverless::Function, Properties: {{Handler: app.handler, CodeUri: {0}/, "
        "Environment: {{Variables: {{KIND: {0}}}}}, Events: {{A: {{Type: HttpApi, Properties: {{Path: /{0}}}}}}}}}}}"
    )
    resources = "\n".join(f"  {name.title()}: {function.format(name)}" for name in ("dogs", "cats"))
    (tmp_path / "template.yaml").write_text(f"Resources:\n{resources}\n")
    for name in ("dogs", "cats"):
        status, out, err = run(tmp_path, "invoke", f"/{name}")
        assert (status, out and json.loads(out)["body"]) == (0, f"{name} {name}"), err


def test_a_handler_made_by_the_project_keeps_its_options(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"import bridge\n{APP}\nhandler = bridge.handler(app, base_path='/shop')\n")
    assert variables(tmp_path, "app:handler", "/shop/tea")["IS_OFFLINE"] == "True"
