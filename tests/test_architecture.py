"""The contract of the packages: two halves, arrows that point down, and public interfaces only.

Imports are read from the source, so those inside functions and those for type checkers count as well.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bridge

PACKAGE = Path(bridge.__file__).parent

# The rooms of the half that ships in a function, and those of the developer's half, from the ground up. A module may
# import from its own level and from those before it.
LEVELS = [
    ["errors", "limits", "logs"],
    ["request", "response", "bodies", "interface_detection", "shutdown", "response_callbacks"],
    ["settings", "deadline", "loading"],
    ["sources"],
    ["wsgi", "asgi"],
    ["websocket", "remote"],
    ["other_events", "handlers"],
    ["entrypoint", "runtime", "compat"],
]
DEV_LEVELS = [
    ["errors", "limits", "terminal_logs"],
    ["projects", "gateway", "packaging", "deploying", "inspector", "runtime_process", "pytest_plugin"],
    ["cli"],
    ["__main__"],
]
MAX_LINES = 7_000
MAX_WEBSOCKET_LINES = 1_320  # imported by functions of WebSocket APIs only

# Names of the standard library that begin with an underscore and are documented.
DOCUMENTED = {
    "os._exit": "https://docs.python.org/3/library/os.html#os._exit",
    # The stacks of a request that runs out of time, and of the threads of a command that does not end.
    "sys._current_frames": "https://docs.python.org/3/library/sys.html#sys._current_frames",
}
# Packages that a function's modules import beside the standard library, and the modules that may do so.
PACKAGES = {
    "asgiref": "the only dependency",
    "_typeshed": "for type checkers only",
    "botocore": "in Lambda's images for Python; imported when a WebSocket API's connection or store is used",
    "typing_extensions": "for type checkers only",
    "snapshot_restore_py": "in Lambda's runtime for Python; imported where it is installed",
    "django": "remote commands, if the application is Django's",
    "flask": "remote commands, if the application is Flask's",
}


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}
OF_FUNCTION = [name for name in MODULES if not name.startswith("bridge.dev")]
OF_DEVELOPER = [name for name in MODULES if name.startswith("bridge.dev.")]


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def imports_of(name: str) -> frozenset[str]:
    """The modules that a module imports; those of the bridge as modules, not as names in a package."""
    imported: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0, f"{name} has a relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                imported.add(submodule if submodule in MODULES else node.module)
    return frozenset(imported)


def test_the_function_s_half_does_not_import_the_developer_s() -> None:
    arrows = {name: [other for other in imports_of(name) if other.startswith("bridge.dev")] for name in OF_FUNCTION}
    assert {name: others for name, others in arrows.items() if others} == {}


def test_no_imports_form_a_circle() -> None:
    graph = {name: imports_of(name) & MODULES.keys() for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle of imports: {' <- '.join(error.args[1])}")


def room_of(name: str, root: str) -> str:
    return name.removeprefix(f"{root}.").partition(".")[0]


@pytest.mark.parametrize(
    ("root", "names", "levels"),
    [("bridge", OF_FUNCTION, LEVELS), ("bridge.dev", OF_DEVELOPER, DEV_LEVELS)],
    ids=["function", "developer"],
)
def test_arrows_point_down(root: str, names: list[str], levels: list[list[str]]) -> None:
    level_of = {room: number for number, level in enumerate(levels) for room in level}
    names = [name for name in names if name not in ("bridge", "bridge.__main__")]  # the public names, the command
    assert {room_of(name, root) for name in names} <= level_of.keys(), "a room is missing in the table of levels"
    rooms: dict[str, set[str]] = {}
    for name in names:
        room = room_of(name, root)
        for other in imports_of(name) & set(names):
            other_room = room_of(other, root)
            assert level_of[other_room] <= level_of[room], f"{name} imports {other}"
            if other_room != room:
                rooms.setdefault(room, set()).add(other_room)
    TopologicalSorter(rooms).prepare()  # no circle of rooms within a level


def private_names_in(name: str) -> set[str]:
    """Private names of other packages: ``module._name`` and ``from module import _name``."""
    modules: dict[str, str] = {}
    names: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            modules.update({alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names})
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.module.startswith("bridge"):
            modules.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Attribute):
            root, _, attributes = ast.unparse(node).partition(".")
            if root in modules and re.fullmatch(r"[\w.]+", attributes):
                names.add(f"{modules[root]}.{attributes}")
    return {
        name
        for name in names
        if any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
        and not name.startswith("_typeshed")
    }


def test_only_documented_interfaces_of_other_packages_are_used() -> None:
    private = {name: private_names_in(name) - DOCUMENTED.keys() for name in MODULES}
    assert {name: names for name, names in private.items() if names} == {}


def test_a_class_name_occurs_once() -> None:
    places: dict[str, list[str]] = {}
    for name in MODULES:
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


def test_a_function_s_modules_need_only_the_standard_library_and_asgiref() -> None:
    top_level = {module.partition(".")[0] for name in OF_FUNCTION for module in imports_of(name)}
    assert top_level - {*sys.stdlib_module_names, "bridge"} == PACKAGES.keys()


def test_the_function_s_half_is_small() -> None:
    lines = {name: len(MODULES[name].read_text(encoding="utf-8").splitlines()) for name in OF_FUNCTION}
    websocket = sum(lines.pop(name) for name in OF_FUNCTION if room_of(name, "bridge") == "websocket")
    assert websocket <= MAX_WEBSOCKET_LINES
    assert sum(lines.values()) <= MAX_LINES
