"""Writes the folder for ``docker build``: the artifact's files and a Dockerfile."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.dev.packaging.archive import ZipEntry
    from bridge.dev.packaging.target import Target

# The beginning of each Dockerfile, by which a folder of an earlier run is recognised.
_MARK = "# Made by `bridge package`."
_TIME = 315_532_800  # 1980-01-01, as in zip files

# AWS's image contains its runtime client, which calls the handler. The bridge's runtime, which streams responses and
# answers several requests at once, takes its place with the lines of the comment.
_LAMBDA = """{mark} docker build --platform linux/{docker_arch} -t function .
FROM public.ecr.aws/lambda/python:{python}-{arch}
COPY requirements/ ${{LAMBDA_TASK_ROOT}}/
COPY code/ ${{LAMBDA_TASK_ROOT}}/
# To stream responses: ENTRYPOINT ["python", "-m", "bridge.runtime"] and CMD []
CMD ["bridge.entrypoint.handler"]
"""
_ALPINE = """{mark} docker build --platform linux/{docker_arch} -t function .
FROM python:{python}-alpine
WORKDIR /var/task
COPY requirements/ ./
COPY code/ ./
ENTRYPOINT ["python", "-m", "bridge.runtime"]
"""


def is_image_folder(folder: Path) -> bool:
    """Return whether :func:`write_image_folder` has written the folder."""
    file = folder / "Dockerfile"
    return file.is_file() and file.read_text(errors="replace").startswith(_MARK)


def check_replaceable(folder: Path) -> None:
    """Check that *folder* does not exist, is empty, or is one of :func:`write_image_folder`.

    Raises:
        PackagingError: the folder has other files, or is a file.
    """
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty and not is_image_folder(folder):
        raise PackagingError(
            f"{folder} exists and was not made by `bridge package --image`, so it is not replaced. Delete it, or name "
            "another folder with --output."
        )


def write_image_folder(folder: Path, target: Target, layers: Mapping[str, Iterable[ZipEntry]]) -> None:
    """Write the folder atomically; an existing one is replaced.

    Args:
        folder: the folder.
        target: the environment that the image is for.
        layers: the files of the folders that the Dockerfile copies, ``requirements`` and ``code``.

    Raises:
        OSError: the folder cannot be written.
    """
    new_folders = [parent for parent in folder.parents if not parent.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        (partial / "Dockerfile").write_text(_dockerfile(target), encoding="utf-8")
        for layer, entries in layers.items():
            (partial / layer).mkdir()
            for entry in entries:
                file = partial / layer / entry.path
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as stream:
                    stream.writelines(entry.chunks())
                file.chmod(0o755 if entry.is_executable else 0o644)
        for path in partial.rglob("*"):
            os.utime(path, (_TIME, _TIME))
        partial.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in new_folders:
            if parent.exists() and not any(parent.iterdir()):
                parent.rmdir()
        raise


def _dockerfile(target: Target) -> str:
    template = _ALPINE if target.platform.startswith("musl") else _LAMBDA
    docker_arch = {"x86_64": "amd64"}.get(target.arch, target.arch)
    return template.format(mark=_MARK, docker_arch=docker_arch, python=target.python, arch=target.arch)
