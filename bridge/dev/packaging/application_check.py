"""The application in an artifact: its name, its module among the packaged files, and its settings file."""

from __future__ import annotations

import ast
import difflib
import json
import sys
import warnings
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError
from bridge.loading import SETTINGS_FILE, parse_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

# Modules that Lambda's runtime for Python has, and the bridge.
_RUNTIME_MODULES = {"awslambdaric", "boto3", "botocore", "bridge", "dateutil", "jmespath", "s3transfer", "six",
    "snapshot_restore_py", "urllib3"}  # fmt: skip
# Functions with which a module can bind names that its source does not show.
_NAMESPACE_FUNCTIONS = {"globals", "locals", "vars", "exec", "eval", "setattr"}


def relative_name(app: str, project: Path) -> str:
    """Return the application's name with its folder relative to the project: ``"web/app.app"``.

    Args:
        app: the application as :func:`bridge.loading.find_application` takes it, relative to *project*.
        project: the project's folder.

    Raises:
        PackagingError: the application is outside the project.
        ApplicationNotFoundError: *app* is not the name of an application.
    """
    parse_name(app)
    module_path, colon, attribute = app.strip().partition(":")
    folder, slash, module = module_path.rpartition("/")
    if not slash:
        return app.strip()
    root = project.resolve()
    resolved = (root / (folder or "/")).resolve()
    if not resolved.is_relative_to(root):
        raise PackagingError(
            f"{app}: the folder {resolved} is not in the project, {root}. Run the command in a folder that contains "
            "both."
        )
    relative = resolved.relative_to(root).as_posix()
    return f"{'' if relative == '.' else f'{relative}/'}{module}{colon}{attribute}"


def application_folder(app: str | None) -> str:
    """Return the folder in an application's name, which comes first on the import path; ``""`` if it has none."""
    return "" if app is None else parse_name(app)[3]


def module_folder(app: str | None, project: Path) -> str:
    """Return the folder of an application's module: ``web`` for ``web/app:app``, and for ``web.app:app``."""
    if app is None:
        return ""
    module, _, _, folder = parse_name(app)
    for name in module.split(".")[:-1]:
        inner = f"{folder}/{name}" if folder else name
        if not (project / inner).is_dir():
            break
        folder = inner
    return folder


def check_application(app: str, files: Mapping[str, Path], modules: Collection[str], python: str) -> None:
    """Check that the application's module will be found in the artifact, has no syntax error, and defines its name.

    Nothing is imported. A name that only running the module would show is not checked.

    Args:
        app: the application's name in the artifact, as :func:`relative_name` returns it.
        files: the project's files by their path in the artifact.
        modules: the top-level modules of the requirements.
        python: the Python version of the target, ``"3.12"``.

    Raises:
        PackagingError: the check failed.
    """
    module, attribute, _, folder = parse_name(app)
    top, path = module.partition(".")[0], module.replace(".", "/")
    if not folder and top in modules and not _has_module(top, files):
        return
    if folder and not any(name.startswith(f"{folder}/") for name in files):
        raise PackagingError(
            f"{app}: the project has no folder {folder!r}, or all files in it are left out. Correct the name, or "
            f"include the folder: --include /{folder}/"
        )
    candidates = [f"{folder}/{path}", path] if folder else [path]
    if not any(_has_module(candidate, files) for candidate in candidates):
        if deeper := [name for name in files if name.endswith(tuple(f"/{each}" for each in _module_files(path)))]:
            place = min(deeper, key=lambda name: (name.count("/"), name)).removesuffix("/__init__.py")
            correct = f"{place.removesuffix('.py').removesuffix(path)}{app.rpartition('/')[2]}"
            raise PackagingError(f"{app}: the module {module!r} is in a folder. Name the folder as well: {correct}")
        # Modules in a package are listed, too: the name of an application may be that of a module, shop.wsgi.
        nearby = sorted(name for name in files if name.endswith(".py") and name.count("/") <= 1)[:8]
        raise PackagingError(
            f"{app}: there is no module {module!r} among the project's files that are packaged, and none in its "
            f"requirements. Name one of these files, as module:attribute: {', '.join(nearby) or '(no Python files)'}."
        )
    source = _application_file(app, files)
    if source is None or sys.version_info[:2] < tuple(map(int, python.split("."))):
        return  # a namespace package, or a version with a newer grammar than the running interpreter
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning, of invalid escapes in strings
            tree = ast.parse(files[source].read_bytes(), source)
    except SyntaxError as error:
        raise PackagingError(f"{app} cannot be imported: {source}, line {error.lineno}: {error.msg}.") from None
    except ValueError as error:
        raise PackagingError(f"{app} cannot be imported: {source}: {error}.") from None
    name = attribute.partition(".")[0]
    names = defined_names(tree)
    is_submodule = source.endswith("/__init__.py") and _has_module(f"{source.removesuffix('__init__.py')}{name}", files)
    if not name or names is None or name in names or is_submodule or (name.startswith("__") and name.endswith("__")):
        return
    near = difflib.get_close_matches(name, names, 1)
    hint = f"Did you mean {app.replace(f':{name}', f':{near[0]}')}? " if near and f":{name}" in app else ""
    own = ", ".join(sorted(each for each in names if not each.startswith("_"))[:12])
    raise PackagingError(f"{app}: {source} defines no {name!r}. {hint}The names in it: {own or 'none'}.")


def missing_imports(app: str, files: Mapping[str, Path], modules: Collection[str]) -> tuple[str, list[str]]:
    """Return the application's file, and the modules that it imports and that the artifact does not have.

    Imports in functions, conditions and ``try`` statements do not count: they may never run.

    Args:
        app: the application's name in the artifact.
        files: the project's files by their path in the artifact.
        modules: the top-level modules of the requirements.
    """
    source, folder = _application_file(app, files), application_folder(app)
    if source is None:
        return "", []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(files[source].read_bytes(), source)
    except (SyntaxError, ValueError):
        return source, []
    imported: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imported.append(node.module)
    tops = dict.fromkeys(name.partition(".")[0] for name in imported)
    known = {*sys.stdlib_module_names, *_RUNTIME_MODULES, *modules}
    unknown = [top for top in tops if top not in known and not _has_module(top, files)]
    return source, [top for top in unknown if not (folder and _has_module(f"{folder}/{top}", files))]


def defined_names(tree: ast.Module) -> set[str] | None:
    """Return the names that a module has after its import; None if the source does not show all of them.

    A name that is bound in any branch counts. Names can come from elsewhere in a module with ``from x import *``,
    ``__getattr__`` or ``globals()``.
    """
    names: set[str] = set()
    pending: list[tuple[ast.AST, bool]] = [(statement, True) for statement in tree.body]
    while pending:
        node, is_top_level = pending.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMESPACE_FUNCTIONS:
            return None
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.attr in ("modules", "__dict__")
        ):
            return None  # sys.modules[__name__], with which a module can replace itself
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            if "*" in imported:
                return None
            names |= imported if is_top_level else set()
        elif isinstance(node, ast.AnnAssign) and node.value is None:
            continue  # a type without a value
        elif isinstance(node, ast.If) and _is_for_type_checkers(node.test):
            pending += [(child, is_top_level) for child in node.orelse]
            continue
        elif isinstance(node, ast.comprehension):
            # Its variables are its own, but those of assignment expressions in it are the module's.
            pending += [(child, is_top_level) for child in (node.iter, *node.ifs)]
            continue
        elif isinstance(node, ast.Global):
            names.update(node.names)
        elif is_top_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif is_top_level and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif is_top_level and isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        elif is_top_level and isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        has_own_names = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        pending += [(child, is_top_level and not has_own_names) for child in ast.iter_child_nodes(node)]
    return None if "__getattr__" in names else names


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def settings_content(app: str, text_types: Sequence[str], files: Mapping[str, Path]) -> bytes:
    """Return the content of the artifact's settings file: the project's own one with *app* and *text_types* set.

    Raises:
        PackagingError: the project's settings file is not a JSON object.
    """
    settings: Any = {}
    if SETTINGS_FILE in files:
        try:
            settings = json.loads(files[SETTINGS_FILE].read_text(encoding="utf-8"))
        except ValueError as error:
            raise PackagingError(f"{SETTINGS_FILE} is not valid JSON: {error}. Correct or delete the file.") from None
        if not isinstance(settings, dict):
            raise PackagingError(f'{SETTINGS_FILE} must contain a JSON object, such as {{"app": "{app}"}}.')
    settings["app"] = app
    if text_types:
        settings["text_mime_types"] = list(text_types)
    return (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode()


def _application_file(app: str, files: Mapping[str, Path]) -> str | None:
    """Return the file of the application's module; None if it is not among the project's."""
    module, _, _, folder = parse_name(app)
    path = module.replace(".", "/")
    candidates = [f"{folder}/{path}", path] if folder else [path]
    return next((name for each in candidates for name in _module_files(each) if name in files), None)


def _module_files(path: str) -> tuple[str, str]:
    return f"{path}.py", f"{path}/__init__.py"


def _has_module(path: str, files: Mapping[str, Path]) -> bool:
    """Return whether *files* have a module at *path*: Python, native, or a folder, which is a namespace package."""
    return f"{path}.py" in files or any(
        name.startswith((f"{path}/", f"{path}.cpython-", f"{path}.abi3.")) for name in files
    )
