"""Finding the applications of a project by reading its source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.deploying import source

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where a project's own applications are not.
_ELSEWHERE = {"tests", "test", "docs", "node_modules", "site-packages", "build", "dist", "migrations"}
_DEEPEST = 3  # folders
_LONGEST = 1 << 20
# Which of the files that make the same application is the one for servers.
_USUAL = ("wsgi.py", "asgi.py", "app.py", "application.py", "main.py")


@dataclass(frozen=True)
class Found:
    """An application.

    Attributes:
        app: how it is named, as everywhere.
        what: the framework; ``"function"`` without one.
        interface: ``WSGI`` or ``ASGI``; ``""`` if that is not seen.
        file: where it is, in the project.
        line: in which line of it.
        maker: the function of the project that makes it, if there is one.
    """

    app: str
    what: str
    interface: str
    file: str
    line: int
    maker: str = ""

    @property
    def is_handler(self) -> bool:
        """Whether it is a handler with an application inside."""
        return self.what.startswith("handler")

    @property
    def described(self) -> str:
        """What it is and where, for people."""
        interface = f" ({self.interface})" if self.interface else ""
        return f"{self.what}{interface} in {self.file}, line {self.line}"


def applications(folder: Path) -> list[Found]:
    """The applications of the project in *folder*; one of those that are the same."""
    sources = {path: found for path in _files(folder) if (found := _read(folder / path)) is not None}
    factories = {name: made for found in sources.values() for name, (made, _) in found.factories.items()}
    applications: list[Found] = []
    for path, found in sources.items():
        module = _module(path, folder)
        own = [Found(f"{module}:{name}", *made, path, line) for name, (made, line) in found.made.items()]
        own += [
            Found(f"{module}:{name}", *factories[called], path, line, called)
            for name, (called, line) in found.called.items()
            if called in factories
        ]
        applications += [each for each in own if each.app.rpartition(":")[2] not in found.mounted] or own
    made = {each.maker for each in applications}
    applications += [
        Found(f"{_module(path, folder)}:{name}()", *what, path, line)
        for path, found in sources.items()
        for name, (what, line) in found.factories.items()
        if name not in made
    ]
    return _without_doubles(applications) or [
        Found(f"{_module(path, folder)}:{name}", "function", interface, path, line)
        for path, found in sources.items()
        for name, (interface, line) in found.functions.items()
    ]


def _without_doubles(found: list[Found]) -> list[Found]:
    """Handlers in place of what is in them, Django's WSGI for its ASGI one, and what a factory makes once."""
    found = [each for each in found if each.is_handler] or found
    served = {_folder(each) for each in found if (each.what, each.interface) == ("Django", "WSGI")}
    kept: dict[object, Found] = {}
    for each in sorted(found, key=_rank):
        if (each.what, each.interface) != ("Django", "ASGI") or _folder(each) not in served:
            kept.setdefault(each.maker or each, each)
    return sorted(kept.values(), key=lambda each: (each.file.count("/"), each.file, each.line))


def _rank(found: Found) -> int:
    name = Path(found.file).name
    return _USUAL.index(name) if name in _USUAL else len(_USUAL)


def _folder(found: Found) -> str:
    return Path(found.file).parent.as_posix()


def _files(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        below = Path(place).relative_to(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _ELSEWHERE
            and len(below.parts) < _DEEPEST
            and not (Path(place) / name / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            is_test = name.startswith("test_") or name in ("conftest.py", "setup.py")
            if name.endswith(".py") and name.removesuffix(".py").isidentifier() and not is_test:
                yield (below / name).as_posix()


def _read(file: Path) -> source.Source | None:
    try:
        return source.read(file.read_bytes()) if file.stat().st_size <= _LONGEST else None
    except OSError:
        return None


def _module(path: str, folder: Path) -> str:
    """A file's module as applications are named: the folder that is on the path, and the dotted name from there."""
    place, words = Path(path).parent, [Path(path).stem]
    while place.parts and (folder / place / "__init__.py").is_file() and not (folder / place / "manage.py").is_file():
        words.insert(0, place.name)
        place = place.parent
    dotted = ".".join(words).removesuffix(".__init__")
    return dotted if place == Path() else f"{place.as_posix()}/{dotted}"
