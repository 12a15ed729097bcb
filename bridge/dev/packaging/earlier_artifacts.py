"""Recognises what the bridge and other tools have made for Lambda, which does not belong into the next artifact."""

from __future__ import annotations

import os
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from bridge.dev.packaging.flame_graph import MARK
from bridge.dev.packaging.image import is_image_folder
from bridge.loading import SETTINGS_FILE

if TYPE_CHECKING:
    from zipfile import ZipInfo

# Files in a folder that the Serverless Framework, or the CDK, has made.
_FOLDER_MARKS = ("serverless-state.json", "cdk.out")
# Files in a zip of the bridge: a function, a function that another tool has packaged, a layer.
_ZIP_MARKS = {SETTINGS_FILE, "bridge/entrypoint.py", "python/bridge/entrypoint.py"}
_ZIP_START = b"PK\x03\x04"
# Zip files that other programs make, by their suffixes.
_NO_ARTIFACTS = {".whl", ".jar", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".epub", ".npz", ".pt", ".pth", ".keras"}
_SKIPPED_FOLDERS = {"node_modules", "site-packages", "__pycache__"}


class EarlierArtifacts:
    """Tells the artifacts of a project from its other files.

    Args:
        project: the folder of the project. A zip file with its modules is an artifact, whatever tool made it.
    """

    def __init__(self, project: Path) -> None:
        self._project = project

    def has(self, file: Path) -> bool:
        """Return whether a file or folder is an earlier artifact."""
        if file.is_dir():
            marks = any((file / mark).is_file() for mark in _FOLDER_MARKS)
            return marks or is_image_folder(file) or _is_sam_build(file)
        if file.suffix == ".html":
            return _starts_with(file, MARK.encode())
        return (
            file.suffix.lower() not in _NO_ARTIFACTS
            and _starts_with(file, _ZIP_START)
            and self._is_zip_of_project(file)
        )

    def _is_zip_of_project(self, file: Path) -> bool:
        try:
            with ZipFile(file) as archive:
                infos = archive.infolist()
        except (OSError, BadZipFile, ValueError):
            return False
        names = {info.filename for info in infos}
        if not _ZIP_MARKS.isdisjoint(names):
            return True
        if file.suffix.lower() != ".zip":
            return False
        if all(name.startswith("python/") for name in names) and any(".dist-info/" in name for name in names):
            return True  # the requirements of a layer
        return any(self._is_module_of_project(info) for info in infos if info.filename.endswith(".py"))

    def _is_module_of_project(self, info: ZipInfo) -> bool:
        """Return whether a file in a zip is one of the project, at the same path or with folders more or less.

        A name without a folder that both have says little, so that the content has to be the same.
        """
        path = info.filename
        name = path.rpartition("/")[2]
        for own in self._modules.get(name, []):
            shorter, longer = sorted((own, path), key=len)
            is_same = own == path and name != "setup.py"
            if is_same or (
                f"/{longer}".endswith(f"/{shorter}") and ("/" in shorter or _has_content(self._project / own, info))
            ):
                return True
        return False

    @cached_property
    def _modules(self) -> dict[str, list[str]]:
        """The paths of the project's modules by their names, without those of virtual environments."""
        modules: dict[str, list[str]] = {}
        for place, folders, names in os.walk(self._project):
            folders[:] = [
                name
                for name in folders
                if not name.startswith(".")
                and name not in _SKIPPED_FOLDERS
                and not Path(place, name, "pyvenv.cfg").exists()
            ]
            relative = Path(place).relative_to(self._project)
            for name in names:
                if name.endswith(".py"):
                    modules.setdefault(name, []).append((relative / name).as_posix())
        return modules


def _starts_with(file: Path, start: bytes) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(start)) == start
    except OSError:
        return False


def _has_content(file: Path, info: ZipInfo) -> bool:
    """Return whether a file has the content of one in a zip, and is not empty."""
    try:
        return 0 < info.file_size == file.stat().st_size and zlib.crc32(file.read_bytes()) == info.CRC
    except OSError:
        return False


def _is_sam_build(folder: Path) -> bool:
    """Return whether ``sam build`` has made a folder; it notes in its template which resource each folder is of."""
    template = folder / "template.yaml"
    try:
        return template.is_file() and "SamResourceId:" in template.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
