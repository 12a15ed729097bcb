"""Applications in the source code of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.projects.application_detection import detect_applications
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.dev.projects.application_detection import DetectedApplication

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FACTORY = "from flask import Flask\ndef create_app(config=None):\n    app = Flask(__name__)\n    return app\n"
WSGI = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
ASGI = "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n"
PYRAMID = "from pyramid.config import Configurator\nwith Configurator() as c:\n    a = c.make_wsgi_app()\n"
CALL = "import a\n{} = a.create_app()\n"


def detect(folder: Path, files: dict[str, str]) -> list[DetectedApplication]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode(errors="surrogateescape"))
    return detect_applications(folder)


@pytest.mark.parametrize(
    ("text", "app", "framework", "line"),
    [
        (FLASK, "a:app", "Flask (WSGI)", 2),
        ("import fastapi\napi = fastapi.FastAPI()\n", "a:api", "FastAPI (ASGI)", 2),
        ("from starlette.applications import Starlette as S\na: S = S()\n", "a:a", "Starlette (ASGI)", 2),
        ("import falcon.asgi\na = falcon.asgi.App()\n", "a:a", "Falcon (ASGI)", 2),
        ("import falcon\na = falcon.App()\n", "a:a", "Falcon (WSGI)", 2),
        ("from quart import Quart\na = Quart(__name__)\n", "a:a", "Quart (ASGI)", 2),
        ("from litestar import Litestar\na = Litestar([])\n", "a:a", "Litestar (ASGI)", 2),
        ("import bottle\nbottle.Bottle\na = bottle.default_app()\n", "a:a", "Bottle (WSGI)", 3),
        ("from dash import Dash\na = Dash()\nserver = a.server\n", "a:a.server", "Dash (WSGI)", 2),
        (PYRAMID, "a:a", "Pyramid (WSGI)", 3),
        ("import x\na = x.streamable_http_app()\n", "a:a", "MCP server (ASGI)", 2),
        (WSGI, "a:application", "Django (WSGI)", 2),
        (ASGI, "a:application", "Django (ASGI)", 2),
        ("def app(environ, start_response): ...\n", "a:app", "function (WSGI)", 1),
        ("async def app(scope, receive, send): ...\n", "a:app", "function (ASGI)", 1),
        (FACTORY, "a:create_app()", "Flask (WSGI)", 2),
        ("from flask import Flask\ndef make() -> Flask: return other()\n", "a:make()", "Flask (WSGI)", 2),
        ("from fastapi import FastAPI\ndef make():\n  if 1:\n    return FastAPI()\n", "a:make()", "FastAPI (ASGI)", 2),
        ("from fastapi import FastAPI\na = FastAPI()\nb = FastAPI()\na.mount('/b', b)\n", "a:a", "FastAPI (ASGI)", 2),
        (f"{FLASK}import bridge\nhandler = bridge.handler(app)\n", "a:handler", "handler of the bridge", 4),
        (f"{FLASK}from wrap import Wrap\napp = Wrap(app)\n", "a:app", "Flask (WSGI)", 2),
        ("try:\n  from flask import Flask\n  app = Flask('a')\nexcept ImportError: ...\n", "a:app", "Flask (WSGI)", 3),
    ],
)
def test_an_application_in_one_file(tmp_path: Path, text: str, app: str, framework: str, line: int) -> None:
    (detected,) = detect(tmp_path, {"a.py": text})
    assert (detected.app, detected.description) == (app, f"{framework} in a.py, line {line}")


@pytest.mark.parametrize(
    "text",
    [
        "from flask import Flask\ndef make(name): return Flask(name)\n",
        "from flask import Flask\nif __name__ == '__main__':\n    app = Flask('a')\n",
        "import flask\ntext = '\\d'\nFlask = dict\nx = Flask()\n",
    ],
    ids=["factory with an argument", "main", "another Flask"],
)
def test_a_file_without_an_application(tmp_path: Path, text: str) -> None:
    assert detect(tmp_path, {"a.py": text}) == []


@pytest.mark.parametrize(
    ("files", "apps"),
    [
        ({"web/app.py": FLASK}, ["web/app:app"]),
        ({"web/__init__.py": FLASK}, ["web:app"]),
        ({"src/shop/__init__.py": "", "src/shop/app.py": FLASK}, ["src/shop.app:app"]),
        ({"a.py": FLASK, "b.py": FLASK}, ["a:app", "b:app"]),
        (
            {"manage.py": "", "shop/__init__.py": "", "shop/wsgi.py": WSGI, "shop/asgi.py": ASGI},
            ["shop.wsgi:application"],
        ),
        ({"manage.py": "", "shop/__init__.py": "", "shop/asgi.py": ASGI}, ["shop.asgi:application"]),
        ({"web/manage.py": "", "web/shop/__init__.py": "", "web/shop/wsgi.py": WSGI}, ["web/shop.wsgi:application"]),
        (
            {"web/manage.py": "", "web/__init__.py": "", "web/shop/__init__.py": "", "web/shop/wsgi.py": WSGI},
            ["web/shop.wsgi:application"],
        ),
        ({"a/__init__.py": FACTORY, "wsgi.py": CALL.format("app")}, ["wsgi:app"]),
        ({"a.py": FACTORY, "wsgi.py": CALL.format("app"), "run.py": CALL.format("x")}, ["wsgi:app"]),
        ({"app.py": FLASK, "b.py": "def middleware(environ, start_response): ...\n"}, ["app:app"]),
        ({"app.py": FLASK, "broken.py": "def (", "zero.py": "\0", "latin.py": "\udce9"}, ["app:app"]),
        ({"app.py": FLASK, "tests/app.py": FLASK, "test_app.py": FLASK, ".venv/a.py": FLASK}, ["app:app"]),
        ({"app.py": FLASK, "env/pyvenv.cfg": "", "env/a.py": FLASK, "node_modules/a.py": FLASK}, ["app:app"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
def test_the_applications_of_a_project(tmp_path: Path, files: dict[str, str], apps: list[str]) -> None:
    assert [detected.app for detected in detect(tmp_path, files)] == apps


@pytest.mark.parametrize(
    ("example", "app"),
    [
        ("bottle", "app:app"), ("django", "teashop.wsgi:application"), ("falcon", "app:app"), ("fastapi", "app:app"),
        ("flask", "app:app"), ("litestar", "app:app"), ("pyramid", "app:app"), ("quart", "app:app"),
        ("starlette", "app:app"), ("streaming", "app:app"), ("init_files", "app:app"),
    ],
)  # fmt: skip
def test_the_application_of_every_example_is_found(example: str, app: str) -> None:
    assert [each.app for each in detect_applications(EXAMPLES / example)] == [app]
