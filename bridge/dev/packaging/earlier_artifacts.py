"""Recognises what the bridge and other tools have made for Lambda, which does not belong into the next artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from bridge.dev.packaging.image import is_image_folder
from bridge.loading import SETTINGS_FILE

if TYPE_CHECKING:
    from pathlib import Path

# Files in a folder that the Serverless Framework, or the CDK, has made.
_FOLDER_MARKS = ("serverless-state.json", "cdk.out")
# Files in a zip of the bridge: a function, a function that another tool has packaged, a layer.
_ZIP_MARKS = {SETTINGS_FILE, "bridge/entrypoint.py", "python/bridge/entrypoint.py"}


def is_artifact(file: Path, project: Path) -> bool:
    """Return whether a file or folder is an earlier artifact.

    Args:
        file: the file or folder.
        project: the folder of the project. A zip file with one of its modules is an artifact, whatever tool made it.
    """
    if file.suffix.lower() == ".zip":
        return file.is_file() and _is_zip_of(file, project)
    if not file.is_dir():
        return False
    return any((file / mark).is_file() for mark in _FOLDER_MARKS) or is_image_folder(file) or _is_sam_build(file)


def _is_zip_of(file: Path, project: Path) -> bool:
    try:
        with ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, BadZipFile, ValueError):
        return False
    if not _ZIP_MARKS.isdisjoint(names):
        return True
    if all(name.startswith("python/") for name in names) and any(".dist-info/" in name for name in names):
        return True  # the requirements of a layer
    modules = (name for name in names if name.endswith(".py") and name != "setup.py")
    return any((project / name).is_file() for name in modules if not name.startswith(("/", "../")))


def _is_sam_build(folder: Path) -> bool:
    """Return whether ``sam build`` has made a folder; it notes in its template which resource each folder is of."""
    template = folder / "template.yaml"
    try:
        return template.is_file() and "SamResourceId:" in template.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
