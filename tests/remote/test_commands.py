"""``exec``, ``command``, ``manage`` and ``flask``: what they do, and their status and output."""

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
from bridge.remote.commands import command_event
from tests.examples.applications import ALL_EXAMPLES, load
from tests.helpers import Context
from tests.remote.helpers import Function, wsgi

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
def test_exec_runs_code_like_python_c(function: Function, code: str, status: int, output: str) -> None:
    actual_status, actual_output = function.exec(code)
    assert (actual_status, actual_output.endswith(output)) == (status, True), actual_output


def test_a_traceback_shows_the_source_lines_and_no_frames_of_the_bridge(function: Function) -> None:
    status, output = function.exec("def pour(cup):\n    return cup['tea']\n\nprint('first')\npour({})")
    assert status == 1
    assert output.startswith('first\nTraceback (most recent call last):\n  File "<exec>", line 5, in <module>\n')
    assert "    return cup['tea']\n" in output
    assert output.endswith("KeyError: 'tea'\n")
    assert "bridge" not in output


def test_output_of_python_threads_descriptors_and_child_processes_is_in_order(function: Function) -> None:
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


def test_app_is_the_functions_application(enabled: None) -> None:
    app = Flask("tea")
    for handler in (bridge.handler(app), bridge.asgi_handler(app)):
        assert handler(command_event("exec", "print(app.name)")) == [0, "tea\n"]


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
def test_command_runs_a_shell_command_line(function: Function, line: str, status: int, output: str | None) -> None:
    actual_status, actual_output = function.run("command", line)
    if output is None:  # the background process still runs
        subprocess.run(["kill", actual_output.strip()], check=True)
    else:
        assert actual_output == output
    assert actual_status == status


def test_a_shell_command_is_killed_a_second_before_the_functions_timeout(function: Function) -> None:
    status, output = function.run("command", "echo started; sleep 30", Context(seconds=1.2))
    assert status == 124
    assert output.startswith("started\n")
    assert "the command was killed because the function is about to time out" in output


@pytest.mark.parametrize("example", ["django-wsgi", "django-asgi"])
def test_manage_runs_djangos_commands(enabled: None, example: str) -> None:
    function = Function(load(examples[example]))
    assert function.run("manage", "check") == (0, "System check identified no issues (0 silenced).\n")
    status, output = function.run("manage", "check --tag nothing")
    assert (status, output.splitlines()[-1]) == (1, 'CommandError: There is no system check with the "nothing" tag.')
    status, output = function.run("manage", "brew 'two cups'")
    assert (status, output) == (1, "Unknown command: 'brew'\nType 'manage.py help' for usage.\n")
    assert "[django]" in function.run("manage", "")[1]
    status, output = function.run("manage", "shell -v 0 -c 'from django.conf import settings; print(settings.USE_TZ)'")
    assert (status, output) == (0, "True\n")


async def test_django_code_runs_in_a_thread_without_an_event_loop(enabled: None) -> None:
    handler = bridge.handler(load(examples["django-asgi"]), lifespan="off")
    code = "from django.utils.asyncio import async_unsafe\nprint(async_unsafe(lambda: 'safe')())"
    assert await handler.answer(command_event("exec", code)) == [0, "safe\n"]
    await handler.asgi.close_here()  # type: ignore[union-attr]


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
    "make_handler",
    [
        bridge.wsgi_handler,
        bridge.asgi_handler,
        lambda app: bridge.wsgi_handler(Middleware(app.wsgi_app)),
        lambda app: bridge.asgi_handler(WsgiToAsgi(app)),  # type: ignore[no-untyped-call]
    ],
    ids=["bare", "on an event loop", "in a middleware", "in WsgiToAsgi"],
)
def test_flask_runs_the_applications_own_commands(
    enabled: None, make_handler: Callable[[Flask], bridge.Handler]
) -> None:
    app = flask_app()
    handler = make_handler(app)
    assert handler(command_event("flask", "brew")) == [0, "brewing tea\nready\n"]
    assert handler(command_event("flask", "spill")) == [4, ""]
    assert app.debug is False


def test_flask_lists_and_runs_its_own_commands_and_those_of_plugins(
    enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    listing = output.partition("Commands:")[2].splitlines()
    assert {"brew", "routes", "shell", "spill", "taste"} <= {line.split()[0] for line in listing if line}
    assert function.run("flask", "taste") == (0, "good\n")
    assert "/static/<path:filename>" in function.run("flask", "routes")[1]


def test_an_error_of_flasks_command_line_has_its_exit_status(enabled: None) -> None:
    status, output = Function(flask_app()).run("flask", "stir")
    assert (status, output.splitlines()[-1]) == (2, "Error: No such command 'stir'.")


def test_flask_reports_the_type_of_an_application_that_is_not_flask(enabled: None) -> None:
    assert Function(wsgi).run("flask", "routes") == (
        1,
        "The application is not a Flask application: its type is function.\n",
    )


@pytest.mark.parametrize("command", ["manage", "flask"])
def test_an_unclosed_quote_is_reported(enabled: None, command: str) -> None:
    status, output = Function(wsgi).run(command, "check 'all")
    assert (status, output) == (1, 'The arguments "check \'all" cannot be split: No closing quotation.\n')


@pytest.mark.parametrize(("command", "name"), [("manage", "django"), ("flask", "flask")])
def test_a_framework_that_is_not_installed_is_named(
    enabled: None, monkeypatch: pytest.MonkeyPatch, command: str, name: str
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
