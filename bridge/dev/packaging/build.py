"""Making an artifact, from the project to the file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from bridge.dev.packaging import (
    PackagingError,
    application,
    bridge_wheel,
    image,
    listed,
    notes,
    requirement_files,
    requirements,
)
from bridge.dev.packaging.archive import Entry, write_zip
from bridge.dev.packaging.bytecode import TASK, Compiling
from bridge.dev.packaging.compression import pack
from bridge.dev.packaging.install_cache import installation
from bridge.dev.packaging.options import Artifact, Order
from bridge.dev.packaging.project_files import Chosen, choose
from bridge.dev.packaging.report import complaints, measure

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator


_LAYER = "/opt/python"
CODE = "your code"


def _tell_nobody(what: str, share: float) -> None:
    """What is told of the progress if nobody looks."""


def build(order: Order, tell: Callable[[str, float], None] = _tell_nobody) -> Artifact:
    """Make the artifact.

    Args:
        order: what is wanted.
        tell: told what is being done, and which share of everything is done.

    Raises:
        PackagingError: there is none, and nothing is left behind.
        OSError: a file cannot be read or written.
    """
    temporary = Path(tempfile.mkdtemp(prefix="bridge-package-"))
    try:
        return _Build(order, temporary, tell).run()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Build:
    def __init__(self, order: Order, temporary: Path, tell: Callable[[str, float], None]) -> None:
        self._order, self._temporary, self._tell = order, temporary, tell
        self._notes: list[str] = []
        self._compiling = Compiling(order, self._notes)

    def run(self) -> Artifact:
        order = self._order
        if order.image:
            image.check_folder(order.output)
        elif order.output.is_dir():
            raise PackagingError(f"{order.output} is a folder; name a file: -o build/function.zip")
        app = None if order.app is None else application.relative(order.app, order.folder)
        self._tell("Choosing files", 0)
        without = [order.output, order.layer_file, *_made_before(order.output.parent)]
        if order.listed is None:
            chosen = choose(order.folder, order.patterns, without=without)
        else:
            chosen = listed.choose(order.folder, order.listed, without, order.patterns)
        self._tell("Installing requirements", 0.05)
        with self._installation(app) as root:
            packages = requirement_files.read(root, order.target, self._temporary, order.patterns, slim=order.slim)
            return self._packed(app, chosen, packages)

    def _packed(self, app: str | None, chosen: Chosen, packages: requirement_files.Installed) -> Artifact:
        order = self._order
        if app is not None:
            application.check(app, chosen.files, packages.modules, order.target.python)
        self._notes += notes.clashes(app, chosen, packages) + notes.left_out(
            chosen, packages, by_patterns=order.listed is not None
        )
        code_files = self._staged(app, chosen)
        place = _LAYER if order.layer else TASK
        needs, _ = pack(
            packages.files,
            packages.owners,
            self._compiling.bytecode(place),
            self._temporary / "compiled-requirements",
            lambda share: self._tell("Packing requirements", 0.4 + 0.4 * share),
        )
        code, broken = pack(
            code_files,
            dict.fromkeys(code_files, CODE),
            self._compiling.bytecode(TASK, columns=True),
            self._temporary / "compiled-code",
            lambda share: self._tell("Packing your code", 0.8 + 0.15 * share),
        )
        if broken:
            self._notes.append(f"Not valid Python {order.target.python}, packed as it is: {', '.join(broken)}.")
        self._tell("Writing", 0.95)
        files = self._write(_all(code), _all(needs))
        sizes = measure({**code, **needs})
        if not order.image:
            total = sum(size.unzipped for size in sizes)
            for place_, file in enumerate(files):
                self._notes += complaints(file.name, file.stat().st_size, 0 if place_ else total)
        self._tell("Done", 1)
        return Artifact(files, sizes, self._notes)

    def _installation(self, app: str | None) -> contextlib.AbstractContextManager[Path]:
        order = self._order
        places = dict.fromkeys([order.folder, order.folder / application.folder_of(app)])
        wanted = requirements.find(list(places), order.requirements)
        if wanted.origin == "none":
            self._notes.append(
                "No requirements: there is no requirements.txt, uv.lock, poetry.lock, Pipfile.lock or pyproject.toml."
            )
        elif more := [] if order.requirements else requirements.others(wanted, list(places)):
            self._notes.append(f"{wanted.origin} says what is installed; {', '.join(more)} does not count.")
        is_wanted = wanted.names(bridge_wheel.NAME)
        is_ours = bridge_wheel.is_local() if is_wanted else app is not None
        also = [bridge_wheel.own(self._temporary)] if is_ours else []
        return installation(wanted, order.target, self._temporary, also=also, more=order.pip_args)

    def _staged(self, app: str | None, chosen: Chosen) -> dict[str, Path]:
        """Copies of the project's files, which nobody changes while they are packed."""
        root, files = self._temporary / "code", {}
        for path, source in chosen.files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as copy:
                for chunk in _chunks(path, source):
                    copy.write(chunk)
            file.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
            files[path] = file
        root.mkdir(exist_ok=True)
        if app is None:
            return dict(sorted(files.items()))
        own = root / application.SETTINGS_FILE
        content = application.settings(app, self._order.text_types, chosen.files)
        own.write_bytes(content)
        own.chmod(0o644)
        files[application.SETTINGS_FILE] = own
        return dict(sorted(files.items()))

    def _write(self, code: list[Entry], needs: list[Entry]) -> list[Path]:
        order = self._order
        if order.image:
            image.write_folder(order.output, order.target, {"requirements": needs, "code": code})
            return [order.output]
        if order.layer:
            write_zip(order.layer_file, [entry.below("python") for entry in needs])
            write_zip(order.output, code)
            return [order.output, order.layer_file]
        own = {entry.path for entry in code}
        write_zip(order.output, [*code, *(entry for entry in needs if entry.path not in own)])
        return [order.output]


def _chunks(path: str, source: Path) -> Iterator[bytes]:
    """What is in a file of the project: what fails here is its fault, and not that of the place it is copied to."""
    try:
        with source.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk
    except OSError as error:
        raise PackagingError(f"{path} cannot be read: {error.strerror}. --exclude leaves it out.") from None


def _made_before(folder: Path) -> list[Path]:
    """Artifacts in *folder*: those for another target would go into the next one."""
    images = [file.parent for file in folder.glob("*/Dockerfile") if image.is_ours(file.parent)]
    return [*images, *(file for file in folder.glob("*.zip") if _is_artifact(file))]


def _is_artifact(file: Path) -> bool:
    try:
        with ZipFile(file) as archive:
            return not {application.SETTINGS_FILE, "python/bridge/__init__.py"}.isdisjoint(archive.namelist())
    except (OSError, BadZipFile):
        return False


def _all(packed: dict[str, list[Entry]]) -> list[Entry]:
    return [entry for entries in packed.values() for entry in entries]
