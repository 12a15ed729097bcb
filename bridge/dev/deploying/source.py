"""What one Python file says of applications, without importing it."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What makes an application, by its name where it comes from: the framework and the interface.
_MAKERS = {
    "flask.Flask": ("Flask", "WSGI"),
    "bottle.Bottle": ("Bottle", "WSGI"),
    "bottle.default_app": ("Bottle", "WSGI"),
    "falcon.App": ("Falcon", "WSGI"),
    "dash.Dash": ("Dash", "WSGI"),
    "django.core.wsgi.get_wsgi_application": ("Django", "WSGI"),
    "fastapi.FastAPI": ("FastAPI", "ASGI"),
    "starlette.applications.Starlette": ("Starlette", "ASGI"),
    "quart.Quart": ("Quart", "ASGI"),
    "litestar.Litestar": ("Litestar", "ASGI"),
    "falcon.asgi.App": ("Falcon", "ASGI"),
    "django.core.asgi.get_asgi_application": ("Django", "ASGI"),
    "bridge.handler": ("handler of the bridge", ""),
    "bridge.wsgi_handler": ("handler of the bridge", "WSGI"),
    "bridge.asgi_handler": ("handler of the bridge", "ASGI"),
}
_INSIDE = {"Dash": ".server"}  # where the application is in what is made
_PYRAMID = "make_wsgi_app"  # a method of its Configurator
# A function is an application by its parameters.
_PARAMETERS: dict[tuple[object, ...], str] = {
    (False, "environ", "start_response"): "WSGI",
    (True, "scope", "receive", "send"): "ASGI",
}

Made = tuple[str, str]


@dataclass
class Source:
    """The applications of a file, by their names in it, each with its line.

    Attributes:
        made: those that a framework makes: what it is, and its interface.
        factories: functions without parameters that make and return one.
        called: what is made by calling a function of the project, by the function's name.
        functions: functions that are applications themselves: their interface.
        mounted: names of applications that are parts of others.
    """

    made: dict[str, tuple[Made, int]] = field(default_factory=dict)
    factories: dict[str, tuple[Made, int]] = field(default_factory=dict)
    called: dict[str, tuple[str, int]] = field(default_factory=dict)
    functions: dict[str, tuple[str, int]] = field(default_factory=dict)
    mounted: set[str] = field(default_factory=set)


def read(content: bytes) -> Source | None:
    """What a file says; None if it is not Python, or of a grammar newer than this one's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in its texts
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    found, origins = Source(), _origins(tree)
    for statement in _statements(tree.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            _read_function(statement, origins, found)
        for name, call in _assigned(statement):
            if (made := _maker(call, origins)) is not None:
                inside = _INSIDE.get(made[0], "")
                found.made.setdefault(name + inside, (made, call.lineno))
            elif called := _dotted(call.func).rpartition(".")[2]:
                found.called.setdefault(name, (called, call.lineno))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2].lower() == "mount":
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            found.mounted |= {value.id for value in values if isinstance(value, ast.Name)}
    return found


def _origins(tree: ast.Module) -> dict[str, str]:
    """Where the names that the file imports come from."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those that run when the file is imported."""
    for statement in body:
        if isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test):
            continue
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            parts = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
            yield from _statements([inner for part in parts for inner in part])


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.Call]]:
    """The names that get what a call gives."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call):
        yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))


def _maker(call: ast.Call, origins: Mapping[str, str]) -> Made | None:
    if isinstance(call.func, ast.Attribute) and call.func.attr == _PYRAMID:
        return "Pyramid", "WSGI"
    return _MAKERS.get(_origin(call.func, origins))


def _origin(node: ast.expr | None, origins: Mapping[str, str]) -> str:
    first, dot, rest = _dotted(node).partition(".")
    return f"{origins.get(first, '')}{dot}{rest}"


def _dotted(node: ast.expr | None) -> str:
    """``a.b.c``; ``""`` for what is no such name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _read_function(function: ast.FunctionDef | ast.AsyncFunctionDef, origins: Mapping[str, str], found: Source) -> None:
    parameters = [*function.args.posonlyargs, *function.args.args]
    is_async = isinstance(function, ast.AsyncFunctionDef)
    if interface := _PARAMETERS.get((is_async, *(parameter.arg for parameter in parameters))):
        found.functions[function.name] = interface, function.lineno
    is_whole = len(parameters) == len(function.args.defaults) and None not in function.args.kw_defaults
    if is_async or not is_whole or function.name.startswith("_"):
        return
    own = list(_statements(function.body))
    inside = {name: made for each in own for name, call in _assigned(each) if (made := _maker(call, origins))}
    made = _MAKERS.get(_origin(function.returns, origins))
    for each in own:
        if isinstance(each, ast.Return):
            value = each.value
            made = made or (_maker(value, origins) if isinstance(value, ast.Call) else inside.get(_dotted(value)))
    if made is not None:
        found.factories[function.name] = made, function.lineno
