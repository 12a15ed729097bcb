"""Analysing the source code of one Python file for web applications, without importing it."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The framework and the interface of what a function or class makes, by its full name.
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
_ATTRIBUTES = {"Dash": ".server"}  # the attribute with the WSGI application
# Methods that make an application, of Pyramid's Configurator and of the MCP SDK's FastMCP.
_MAKING_METHODS = {
    "make_wsgi_app": ("Pyramid", "WSGI"),
    "streamable_http_app": ("MCP server", "ASGI"),
    "sse_app": ("MCP server", "ASGI"),
}
# The interface of a function, by whether it is async and by its parameters.
_PARAMETERS: dict[tuple[object, ...], str] = {
    (False, "environ", "start_response"): "WSGI",
    (True, "scope", "receive", "send"): "ASGI",
}

Made = tuple[str, str]  # the framework and the interface


@dataclass
class SourceAnalysis:
    """The applications of a file. The last item of each tuple is the line, from 1.

    Attributes:
        applications: the variables with an application that a framework makes.
        factories: the functions that make an application and can be called without arguments.
        calls: the variables with what a function returns, and the name of that function.
        functions: the functions that are applications, and their interface.
        mounted: the names of the applications that are mounted into others.
    """

    applications: dict[str, tuple[Made, int]] = field(default_factory=dict)
    factories: dict[str, tuple[Made, int]] = field(default_factory=dict)
    calls: dict[str, tuple[str, int]] = field(default_factory=dict)
    functions: dict[str, tuple[str, int]] = field(default_factory=dict)
    mounted: set[str] = field(default_factory=set)


def analyze_source(content: bytes) -> SourceAnalysis | None:
    """Return the applications in the source code; None if this Python cannot parse it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SyntaxWarning, of invalid escapes in strings
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    analysis, imports = SourceAnalysis(), _imports(tree)
    for statement in _statements(tree.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            _analyze_function(statement, imports, analysis)
        for name, call in _assigned_calls(statement):
            if (made := _made_by(call, imports)) is not None:
                attribute = _ATTRIBUTES.get(made[0], "")
                analysis.applications.setdefault(name + attribute, (made, call.lineno))
            elif function := _dotted_name(call.func).rpartition(".")[2]:
                analysis.calls.setdefault(name, (function, call.lineno))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted_name(node.func).rpartition(".")[2].lower() == "mount":
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            analysis.mounted |= {argument.id for argument in arguments if isinstance(argument, ast.Name)}
    return analysis


def _imports(tree: ast.Module) -> dict[str, str]:
    """Return the full name of each imported name."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that an import runs, without those for ``__main__``."""
    for statement in body:
        if isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test):
            continue
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            parts = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
            yield from _statements([inner for part in parts for inner in part])


def _assigned_calls(statement: ast.stmt) -> Iterator[tuple[str, ast.Call]]:
    """Yield the variables to which the result of a call is assigned."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call):
        yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))


def _made_by(call: ast.Call, imports: Mapping[str, str]) -> Made | None:
    if isinstance(call.func, ast.Attribute) and call.func.attr in _MAKING_METHODS:
        return _MAKING_METHODS[call.func.attr]
    return _MAKERS.get(_full_name(call.func, imports))


def _full_name(node: ast.expr | None, imports: Mapping[str, str]) -> str:
    first, dot, rest = _dotted_name(node).partition(".")
    return f"{imports.get(first, '')}{dot}{rest}"


def _dotted_name(node: ast.expr | None) -> str:
    """Return ``a.b.c``; ``""`` for another expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted_name(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _analyze_function(
    function: ast.FunctionDef | ast.AsyncFunctionDef, imports: Mapping[str, str], analysis: SourceAnalysis
) -> None:
    parameters = [*function.args.posonlyargs, *function.args.args]
    is_async = isinstance(function, ast.AsyncFunctionDef)
    if interface := _PARAMETERS.get((is_async, *(parameter.arg for parameter in parameters))):
        analysis.functions[function.name] = interface, function.lineno
    needs_arguments = len(parameters) != len(function.args.defaults) or None in function.args.kw_defaults
    if is_async or needs_arguments or function.name.startswith("_"):
        return
    statements = list(_statements(function.body))
    variables = {
        name: made
        for statement in statements
        for name, call in _assigned_calls(statement)
        if (made := _made_by(call, imports))
    }
    made = _MAKERS.get(_full_name(function.returns, imports))
    for statement in statements:
        if isinstance(statement, ast.Return) and made is None:
            value = statement.value
            made = _made_by(value, imports) if isinstance(value, ast.Call) else variables.get(_dotted_name(value))
    if made is not None:
        analysis.factories[function.name] = made, function.lineno
