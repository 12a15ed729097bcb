"""What each command does, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import click
import pytest
from asgiref.wsgi import WsgiToAsgi
from flask import Flask, current_app

import bridge
from bridge.remote import event_of
from tests.asgi.asking import Context
from tests.examples.applications import ALL_EXAMPLES, load
from tests.remote.asking import Function, wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

examples = {example.name: example for example in ALL_EXAMPLES}


@pytest.mark.parametrize(
    ("code", "status", "output"),
    [
        ("print('Grüße ☕')", 0, "Grüße ☕\n"),
        ("1 + 1", 0, ""),
        ("import math\ndef half():\n    return math.pi / 2\nprint([round(half() * n) for n in (1, 2)])", 0, "[2, 3]\n"),
        ("print(__name__, app is wsgi_app, context)", 0, "__main__ True None\n"),
        ("import pickle, sys\nclass Cup: pass\nprint(type(pickle.loads(pickle.dumps(Cup()))) is Cup)", 0, "True\n"),
        ("import inspect\ndef cup(): pass\nprint(inspect.getsource(cup))", 0, "def cup(): pass\n\n"),
        ("def f(cup: int): ...\nprint(f.__annotations__)", 0, "{'cup': <class 'int'>}\n"),
        ("raise SystemExit", 0, ""),
        ("exit()", 0, ""),
        ("raise SystemExit(True)", 1, ""),
        ("print(1)\nimport sys\nsys.exit(3)", 3, "1\n"),
        ("print(1)\nimport sys\nsys.exit('why')", 1, "1\nwhy\n"),
        ("print(1)\nraise KeyboardInterrupt", 130, "KeyboardInterrupt\n"),
        ("print(1)\nraise BaseException('odd')", 1, "BaseException: odd\n"),
        ("print(", 1, "SyntaxError: '(' was never closed\n"),
        ("print(\0)", 1, "null bytes\n"),
        ("input()", 1, "EOFError: EOF when reading a line\n"),
        ("print('\\udce9')", 0, "\\udce9\n"),
    ],
)
def test_code_runs_as_a_program_of_its_own(function: Function, code: str, status: int, output: str) -> None:
    ended, written = function.exec(code)
    assert (ended, written.endswith(output)) == (status, True), written


def test_a_traceback_shows_the_code_and_nothing_of_the_bridge(function: Function) -> None:
    status, output = function.exec("def pour(cup):\n    return cup['tea']\n\nprint('first')\npour({})")
    assert status == 1
    assert output.startswith('first\nTraceback (most recent call last):\n  File "<exec>", line 5, in <module>\n')
    assert "    return cup['tea']\n" in output
    assert output.endswith("KeyError: 'tea'\n")
    assert "bridge" not in output


def test_the_output_is_in_order_whoever_writes_it(function: Function) -> None:
    code = r"""
import os, subprocess, sys, threading
sys.stdout.write("1 ")
sys.stderr.write("2 ")
subprocess.run(["printf", "3 "])
sys.stdout.buffer.write(b"4 ")
os.write(2, b"\xff ")
print(5, end=" ", file=sys.__stderr__)
sys.__stderr__.flush()
thread = threading.Thread(target=print, args=(6,), kwargs={"end": " "})
thread.start()
thread.join()
os.system("printf 7")
"""
    assert function.exec(code) == (0, "1 2 3 4 � 5 6 7")


def test_the_code_sees_the_application_of_the_function(on: None) -> None:
    app = Flask("tea")
    for handler in (bridge.handler(app), bridge.asgi_handler(app)):
        assert handler(event_of("exec", "print(app.name)")) == [0, "tea\n"]


@pytest.mark.parametrize(
    ("line", "status", "output"),
    [
        ("echo tea; echo cup >&2", 0, "tea\ncup\n"),
        ("echo tea; exit 3", 3, "tea\n"),
        ("kill -9 $$", 137, ""),
        ("printf '\\377'", 0, "�"),
        ("cat", 0, ""),
        ("sleep 30 >&2 & echo $!", 0, None),
    ],
)
def test_a_line_is_run_by_the_shell(function: Function, line: str, status: int, output: str | None) -> None:
    ended, written = function.run("command", line)
    if output is None:  # a process in the background lives on, and is not waited for
        subprocess.run(["kill", written.strip()], check=True)
    else:
        assert written == output
    assert ended == status


def test_a_line_that_takes_too_long_is_ended_while_there_is_time_to_say_so(function: Function) -> None:
    status, output = function.run("command", "echo begun; sleep 30", Context(seconds=1.2))
    assert status == 124
    assert output.startswith("begun\n")
    assert "about to run out of time" in output


@pytest.mark.parametrize("shop", ["django-wsgi", "django-asgi"])
def test_manage_runs_djangos_commands(on: None, shop: str) -> None:
    function = Function(load(examples[shop]))
    assert function.run("manage", "check") == (0, "System check identified no issues (0 silenced).\n")
    status, output = function.run("manage", "check --tag nothing")
    assert (status, output.splitlines()[-1]) == (1, 'CommandError: There is no system check with the "nothing" tag.')
    status, output = function.run("manage", "brew 'two cups'")
    assert (status, output) == (1, "Unknown command: 'brew'\nType 'manage.py help' for usage.\n")
    assert "[django]" in function.run("manage", "")[1]
    status, output = function.run("manage", "shell -v 0 -c 'from django.conf import settings; print(settings.USE_TZ)'")
    assert (status, output) == (0, "True\n")


async def test_manage_is_not_run_where_a_loop_runs(on: None) -> None:
    handler = bridge.handler(load(examples["django-asgi"]), lifespan="off")
    code = "from django.utils.asyncio import async_unsafe\nprint(async_unsafe(lambda: 'safe')())"
    assert await handler.answer(event_of("exec", code)) == [0, "safe\n"]
    await handler.hosted.close_here()  # type: ignore[union-attr]


def flask_app() -> Flask:
    app = Flask("tea")

    @app.cli.command("brew")
    def brew() -> None:
        print("brewing", current_app.name)
        click.echo("ready", err=True)

    @app.cli.command("spill")
    def spill() -> None:
        sys.exit(4)

    return app


class Middleware:
    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@pytest.mark.parametrize(
    "made",
    [
        bridge.wsgi_handler,
        bridge.asgi_handler,
        lambda app: bridge.wsgi_handler(Middleware(app.wsgi_app)),
        lambda app: bridge.asgi_handler(WsgiToAsgi(app)),  # type: ignore[no-untyped-call]
    ],
    ids=["itself", "on a loop", "in a middleware", "as ASGI"],
)
def test_flask_knows_the_applications_own_commands(on: None, made: Callable[[Flask], bridge.Handler]) -> None:
    app = flask_app()
    handler = made(app)
    assert handler(event_of("flask", "brew")) == [0, "brewing tea\nready\n"]
    assert handler(event_of("flask", "spill")) == [4, ""]
    assert app.debug is False


def test_flask_knows_its_own_commands_and_those_of_plugins(on: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugin:
        name = "taste"

        @staticmethod
        def load() -> click.Command:
            return click.Command("taste", callback=lambda: click.echo("good"))

    plugins = {"flask.commands": [Plugin]}
    monkeypatch.setattr(metadata, "entry_points", lambda group: plugins.get(group, []))
    function = Function(flask_app())
    status, output = function.run("flask", "--help")
    assert status == 0
    listed = output.partition("Commands:")[2].splitlines()
    assert {"brew", "routes", "shell", "spill", "taste"} <= {line.split()[0] for line in listed if line}
    assert function.run("flask", "taste") == (0, "good\n")
    assert "/static/<path:filename>" in function.run("flask", "routes")[1]


def test_flasks_own_errors_have_its_status(on: None) -> None:
    status, output = Function(flask_app()).run("flask", "stir")
    assert (status, output.splitlines()[-1]) == (2, "Error: No such command 'stir'.")


def test_flask_without_a_flask_application_says_what_there_is(on: None) -> None:
    assert Function(wsgi).run("flask", "routes") == (1, "The application is no Flask application, but a function.\n")


@pytest.mark.parametrize("command", ["manage", "flask"])
def test_words_with_a_quote_that_does_not_end_are_explained(on: None, command: str) -> None:
    status, output = Function(wsgi).run(command, "check 'all")
    assert (status, output) == (1, '"check \'all" cannot be split into words: No closing quotation.\n')


@pytest.mark.parametrize(("command", "name"), [("manage", "django"), ("flask", "flask")])
def test_a_framework_that_is_not_in_the_function_is_named(
    on: None, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    class Missing:
        @staticmethod
        def find_spec(module: str, path: object = None, target: object = None) -> None:
            if module.partition(".")[0] == name:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for module in list(sys.modules):
        if module.partition(".")[0] == name:
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Missing, *sys.meta_path])
    assert Function(wsgi).run(command, "x") == (1, f"{name.title()} is not installed in the function.\n")
