"""The project's files as another tool lists them: the Serverless Framework, by its own patterns."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.gitignore import rule, rules, verdict
from bridge.dev.packaging.project_files import SECRETS, TOOLS, Chosen, is_certificate, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Listed:
    """What the other tool says.

    Attributes:
        files: the files, with slashes, relative to the project.
        asked: the patterns by which the user has asked for some of them.
    """

    files: Sequence[str] = ()
    asked: Sequence[str] = field(default=())


def read(file: Path) -> Listed:
    """The list in *file*: JSON with ``files`` and perhaps ``asked``, both lists of text.

    Raises:
        PackagingError: it is none.
    """
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        files, asked = content["files"], content.get("asked", [])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PackagingError(f"--files {file}: no list of files can be read there ({error!r}).") from None
    lists = isinstance(files, list) and isinstance(asked, list)
    if not lists or not all(isinstance(name, str) for name in [*files, *asked]):
        raise PackagingError(f"--files {file}: files and asked must be lists of text.")
    return Listed(files, asked)


def choose(folder: Path, listed: Listed, without: Sequence[Path] = (), patterns: Sequence[str] = ()) -> Chosen:
    """Those of the listed files that go into the artifact.

    A pattern such as ``web/**`` takes in all that is there, though nobody meant its ``.env`` or its virtual
    environment. So what belongs to a developer's machine or looks like a secret stays out, unless a pattern names it.

    Args:
        folder: the project.
        listed: the files.
        without: files that are left out: the artifact itself.
        patterns: the user's own, as :func:`bridge.dev.packaging.project_files.choose` has them: they count most.

    Raises:
        PackagingError: a file is not in the project.
    """
    root, chosen = folder.resolve(), Chosen()
    tools, secrets, own = rules(TOOLS.split()), rules(SECRETS.split()), rules(patterns)
    never = {path.resolve() for path in without}
    environments: dict[str, bool] = {}
    for name in sorted(set(listed.files)):
        path = os.path.normpath(name).replace(os.sep, "/")
        file = root / path
        if path.startswith("../") or os.path.isabs(path):  # noqa: PTH117
            raise PackagingError(f"--files names {name}, which is not in the project, {root}.")
        if file.resolve() in never or not is_text(path):
            continue
        special = is_secret = ""
        said = [told for part, is_folder in _parts(path) if (told := verdict(part, own, is_folder=is_folder))]
        if said and said[-1].excludes:
            continue
        for part, is_folder in [] if said else _parts(path):
            if verdict(part, tools, is_folder=is_folder) or (is_folder and _is_environment(root / part, environments)):
                special = part
            elif verdict(part, secrets, is_folder=is_folder) and not is_certificate(root / part):
                special = is_secret = part
            if special:
                break
        if special and not any(_names(pattern, special, path) for pattern in listed.asked):
            if is_secret and is_secret not in chosen.secrets:
                chosen.secrets.append(is_secret)
        elif file.is_file():
            chosen.files[path] = file
        elif file.is_symlink():
            chosen.broken.append(path)
    return chosen


def _parts(path: str) -> Iterator[tuple[str, bool]]:
    """The folders that lead to a file, from the outermost on, and the file; each with whether it is a folder."""
    place = path.find("/")
    while place >= 0:
        yield path[:place], True
        place = path.find("/", place + 1)
    yield path, False


def _is_environment(folder: Path, known: dict[str, bool]) -> bool:
    key = str(folder)
    if key not in known:
        known[key] = (folder / "pyvenv.cfg").is_file()
    return known[key]


def _names(pattern: str, special: str, path: str) -> bool:
    """Whether *pattern* is about *path*, and one of its words is about what makes that special."""
    own, made = special.rpartition("/")[2], rule(f"/{pattern}")
    words = [word for text in pattern.split("/") if text.strip("*") and (word := rule(text))]
    return (
        made is not None
        and any(word.matches(own, is_folder=True) for word in words)
        and any(made.matches(part, is_folder=is_folder) for part, is_folder in _parts(path))
    )
