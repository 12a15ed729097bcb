"""The folder that ``docker build`` takes: the artifact unpacked, and a Dockerfile."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.dev.packaging.archive import Entry
    from bridge.dev.packaging.target import Target

_MARK = "# Made by `bridge package`."
_1980 = 315_532_800

# Lambda's own image brings AWS's runtime client, which calls the handler. To stream, or to answer many requests at
# once, the bridge's own client takes its place.
_LAMBDA = """{mark} docker build --platform linux/{docker_arch} -t function .
FROM public.ecr.aws/lambda/python:{python}-{arch}
COPY requirements/ ${{LAMBDA_TASK_ROOT}}/
COPY code/ ${{LAMBDA_TASK_ROOT}}/
# For streams: ENTRYPOINT ["python", "-m", "bridge.runtime"] and CMD []
CMD ["bridge.entrypoint.handler"]
"""
_ALPINE = """{mark} docker build --platform linux/{docker_arch} -t function .
FROM python:{python}-alpine
WORKDIR /var/task
COPY requirements/ ./
COPY code/ ./
ENTRYPOINT ["python", "-m", "bridge.runtime"]
"""


def dockerfile(target: Target) -> str:
    """The Dockerfile for *target*."""
    text = _ALPINE if target.platform.startswith("musl") else _LAMBDA
    docker_arch = {"x86_64": "amd64"}.get(target.arch, target.arch)
    return text.format(mark=_MARK, docker_arch=docker_arch, python=target.python, arch=target.arch)


def is_ours(folder: Path) -> bool:
    """Whether a folder was made here."""
    file = folder / "Dockerfile"
    return file.is_file() and file.read_text(errors="replace").startswith(_MARK)


def check_folder(folder: Path) -> None:
    """Refuse to replace a folder that somebody else made.

    Raises:
        PackagingError: it is one.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_ours(folder):
        raise PackagingError(f"{folder} is there already, and is nothing that `bridge package --image` made.")


def write_folder(folder: Path, target: Target, layers: Mapping[str, Iterable[Entry]]) -> None:
    """Write the folder: whole, or not at all. One that was made before is replaced.

    Raises:
        OSError: it cannot be written.
    """
    new = [place for place in folder.parents if not place.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        (partial / "Dockerfile").write_text(dockerfile(target), encoding="utf-8")
        for name, entries in layers.items():
            (partial / name).mkdir()
            for entry in entries:
                _write(partial / name / entry.path, entry)
        for place, folders, names in os.walk(partial, topdown=False):
            for each in [*folders, *names]:
                os.utime(Path(place, each), (_1980, _1980))
        partial.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        for made in new:
            if made.exists() and not any(made.iterdir()):
                made.rmdir()
        raise


def _write(file: Path, entry: Entry) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(entry.content())
    file.chmod(0o755 if entry.is_program else 0o644)
