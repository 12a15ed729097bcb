"""The application's name is checked in the source code, which is not run."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.application_check import check_application, defined_names, missing_imports
from bridge.dev.packaging.project_files import choose_files
from tests.dev.cli.packages import write_files

if TYPE_CHECKING:
    from pathlib import Path


def check(folder: Path, app: str, files: dict[str, str]) -> None:
    check_application(app, choose_files(write_files(folder, files)).files, (), "3.11")


@pytest.mark.parametrize(
    "app", ["main:nope", "main.nope", "main:nope.server", "main:nope()", "main.py:nope", "main:sys"]
)
@pytest.mark.parametrize(
    "source",
    [
        "app = 1",
        "def f():\n    nope = 1\n    sys = 2",
        "class A:\n    nope = sys = 1",
        "import nope_sys.nope",
        "",
        "x.nope = 1",
        "nope: int\nsys: int",
        "[1 for nope in x for sys in y]",
        "if TYPE_CHECKING:\n    import sys, nope",
        "if typing.TYPE_CHECKING:\n    from x import sys, nope",
    ],
)
def test_a_name_that_the_module_does_not_define_is_an_error(app: str, source: str, tmp_path: Path) -> None:
    name = "sys" if "sys" in app else "nope"
    with pytest.raises(PackagingError, match=rf"^{re.escape(app)}: main.py defines no '{name}'"):
        check(tmp_path, app, {"main.py": source})


@pytest.mark.parametrize(
    "source",
    ["app = 1", "app: int = 1", "a, (app, *b) = x", "def app(): 0", "async def app(): 0", "class app: 0", "import app",
     "import a as app", "from . import app", "import app.b",
     "if x:\n    app = 1", "try:\n    import a\nexcept E:\n    app = 0",
     "with a as app: 0", "for app in x: 0", "(app := 1)", "def f():\n    global app\n    app = 1", "from a import *",
     "def __getattr__(name): 0", "globals()['app'] = 1", "setattr(m, 'app', 1)", "sys.modules[__name__] = X()",
     "match x:\n    case {'a': app}: 0", "match x:\n    case [*app]: 0", "match x:\n    case {**app}: 0",
     "match x:\n    case A() as app: 0", "while a:\n    app = 1", "[(app := b) for b in c]",
     "if TYPE_CHECKING:\n    0\nelse:\n    app = 1"],
)  # fmt: skip
def test_a_name_that_the_module_may_define_is_accepted(source: str, tmp_path: Path) -> None:
    check(tmp_path, "main:app", {"main.py": source})


def test_names_are_those_of_the_module_and_not_of_its_functions() -> None:
    source = "import os.path\ndef f(a):\n    b = 1\nfor c in d: [e for g in h]\nclass I:\n    j = 1"
    assert defined_names(ast.parse(source)) == {"os", "f", "c", "I"}


@pytest.mark.parametrize("app", ["shop.wsgi", "shop:wsgi", "shop:app", "shop", "main", "web/main:app", "main:__doc__"])
def test_submodules_and_names_without_an_attribute_are_accepted(app: str, tmp_path: Path) -> None:
    files = {"shop/__init__.py": "app = 1", "shop/wsgi.py": "", "main.py": "x = 1", "web/main.py": "app = 1"}
    check(tmp_path, app, files)


@pytest.mark.parametrize(
    ("app", "file", "correct"),
    [
        ("shop.web:app", "src/shop/web.py", "src/shop.web:app"),
        ("shop.app", "src/shop/__init__.py", "src/shop.app"),
    ],
)
def test_the_error_names_the_folder_of_a_module_that_is_deeper(
    app: str, file: str, correct: str, tmp_path: Path
) -> None:
    with pytest.raises(PackagingError, match=rf"Name the folder as well: {re.escape(correct)}$"):
        check(tmp_path, app, {file: "app = 1"})


def test_the_error_names_what_the_module_defines(tmp_path: Path) -> None:
    with pytest.raises(PackagingError) as caught:
        check(tmp_path, "main:aap", {"main.py": "from flask import Flask\napp = Flask('x')\n_own = 1"})
    assert str(caught.value) == (
        "main:aap: main.py defines no 'aap'. Did you mean main:app? The names in it: Flask, app."
    )


# Imports


@pytest.mark.parametrize(
    ("app", "files", "missing"),
    [
        ("app:app", {"app.py": "import flask, os.path\nfrom sqlalchemy.orm import Session\n"}, ["flask", "sqlalchemy"]),
        ("app:app", {"app.py": "import boto3, bridge, installed.part\n"}, []),
        ("app:app", {"app.py": "import names\nimport tools.x\n", "names.py": "", "tools/x.py": ""}, []),
        ("src/shop.app:app", {"src/shop/app.py": "import shop.names\nfrom . import y\nimport z\n"}, ["z"]),
        ("app:app", {"app.py": "try:\n    import ujson\nexcept ImportError:\n    import json\n"}, []),
        ("app:app", {"app.py": "if 0:\n    import flask\ndef f():\n    import django\n"}, []),
        ("installed:app", {"app.py": "import flask\n"}, []),
    ],
)
def test_imports_that_the_artifact_does_not_have_are_found(
    app: str, files: dict[str, str], missing: list[str], tmp_path: Path
) -> None:
    found = missing_imports(app, choose_files(write_files(tmp_path, files)).files, {"installed"})
    assert found[1] == missing
