"""What of an installation goes into the artifact, and which package each file belongs to."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.gitignore import rules, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.dev.packaging.target import Target

# What an installer notes for itself: another machine's paths and times.
_NOTES = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
# The developer's side of the bridge, which its other side never imports.
_DEVELOPERS = rules(["/bridge/dev/"])
# What Lambda's runtimes have already: boto3 with all that it needs.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-dependencies
_IN_THE_RUNTIME = {"boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "urllib3", "six"}
_SLIM = rules(["tests/", "*.pyi", "py.typed", "*.c", "*.h", "*.pyx", "*.pxd", "*.cpp"])
# Of dist-info, what nobody asks for at run time: METADATA and entry points are there, and the licences, which must be.
_SLIM_INFO = rules(["/*.dist-info/RECORD", "/*.dist-info/WHEEL", "/*.dist-info/sboms/"])


@dataclass
class Installed:
    """An installation.

    Attributes:
        files: where each file lies, by its path in the artifact.
        owners: the package that each of them belongs to.
        spared: packages that are left out since the runtime has them.
        modules: the packages of each top-level module or package.
    """

    files: dict[str, Path] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    spared: list[str] = field(default_factory=list)

    @property
    def modules(self) -> dict[str, str]:
        """The package that each top-level module comes from."""
        found: dict[str, str] = {}
        for path, owner in self.owners.items():
            top = path.partition("/")[0]
            if not top.endswith((".dist-info", ".data", ".libs", ".pth")) and path.endswith((".py", ".so")):
                found.setdefault(top.partition(".")[0], owner)
        return found


def read(root: Path, target: Target, temporary: Path, patterns: Sequence[str] = (), *, slim: bool = False) -> Installed:
    """What of the installation in *root* is packed.

    Args:
        root: the folder.
        target: what it was installed for.
        temporary: a folder for files that take the place of those there.
        patterns: the user's own.
        slim: whether to leave out what Lambda's runtime has, tests and sources of native modules.

    Raises:
        PackagingError: something in it is for another target.
    """
    order = [*_DEVELOPERS, *([*_SLIM, *_SLIM_INFO] if slim else []), *rules(patterns)]
    owners = _owners(root, target)
    found = Installed()
    dropped = {name for name in set(owners.values()) if slim and name in _IN_THE_RUNTIME}
    found.spared = sorted(dropped)
    for folder, folders, names in os.walk(root):
        inside = folder[len(str(root)) + 1 :].replace(os.sep, "/")
        before = f"{inside}/" if inside else ""
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not _excluded(before + name, order))
        for name in sorted(names):
            path, file = before + name, Path(folder, name)
            owner = owners.get(path) or owners.get(path.partition("/")[0], "")
            if owner not in dropped and not _is_idle(path, file) and not _excluded(path, order, is_folder=False):
                found.files[path] = file
                found.owners[path] = owner or "?"
    found.files = dict(sorted(found.files.items()))
    if slim:
        _drop_descriptions(found, temporary / "descriptions")
    _tidy_records(found, temporary / "records")
    return found


def _excluded(path: str, order: Sequence[object], *, is_folder: bool = True) -> bool:
    rule = verdict(path, order, is_folder=is_folder)  # type: ignore[arg-type]
    return rule is not None and rule.excludes


def _is_idle(path: str, file: Path) -> bool:
    """Whether nobody can use it there: compiled for who knows which Python, or a script that names this machine's."""
    if path.endswith((".pyc", ".pyo")) or path == ".lock":
        return True
    if path.startswith("bin/"):
        with file.open("rb") as stream:
            beginning = stream.read(300)
        return beginning.startswith(b"#!") and b"python" in beginning
    return file.parent.name.endswith(".dist-info") and file.name in _NOTES


def _owners(root: Path, target: Target) -> dict[str, str]:
    owners: dict[str, str] = {}
    foreign: dict[str, list[str]] = defaultdict(list)
    for info in sorted(root.glob("*.dist-info")):
        name = re.sub(r"[-_.]+", "-", info.name.removesuffix(".dist-info").rpartition("-")[0]).lower()
        owners[info.name] = name
        for line in _record(info / "RECORD"):
            owners.setdefault(os.path.normpath(line[0]), name)
        wheel = info / "WHEEL"
        tags = re.findall(r"^Tag: *(\S+)", wheel.read_text(errors="replace") if wheel.is_file() else "", re.MULTILINE)
        if tags and not any(_fits(tag, target) for tag in tags):
            foreign[name] = tags
        if (info / "direct_url.json").is_file() and '"editable":true' in (info / "direct_url.json").read_text():
            raise PackagingError(f"{name} is installed as editable, which this uv cannot help: a newer one can.")
    if foreign:
        lines = "\n".join(f"  {name}: built for {', '.join(tags)}" for name, tags in foreign.items())
        raise PackagingError(
            f"A requirement has no wheel for {target}; what was built of its sources is for this machine:\n{lines}"
        )
    return owners


def _fits(tag: str, target: Target) -> bool:
    """Whether a wheel of that tag runs there. One that was built here for the same kind of machine may."""
    python, _, rest = tag.partition("-")
    abi, _, platforms = rest.partition("-")
    if platforms == "any":
        return True
    own = f"cp{target.python.replace('.', '')}"
    is_python = abi in ("abi3", "none") or python == own
    return is_python and any(each.endswith(f"_{target.machine}") for each in platforms.split("."))


def _record(file: Path) -> list[list[str]]:
    if not file.is_file():
        return []
    return [line for line in csv.reader(io.StringIO(file.read_text(encoding="utf-8", errors="replace"))) if line]


def _tidy_records(found: Installed, folder: Path) -> None:
    """Have each RECORD name what is there: an installer's own files would make it another one on another machine."""
    for path, file in list(found.files.items()):
        if not path.endswith(".dist-info/RECORD"):
            continue
        lines = sorted(line for line in _record(file) if os.path.normpath(line[0]) in found.files)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        found.files[path] = _written(folder / path, text.getvalue())


def _drop_descriptions(found: Installed, folder: Path) -> None:
    """Leave out what each METADATA says to readers: most of it is a README, which may be as long as the code."""
    for path, file in list(found.files.items()):
        if path.endswith(".dist-info/METADATA"):
            head, _, _ = file.read_text(encoding="utf-8").partition("\n\n")
            found.files[path] = _written(folder / path, f"{head}\n")


def _written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)
    return file
