"""A part of an artifact, the code or the requirements: compiled, compressed, and taken from the cache the next time."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError, cache
from bridge.dev.packaging.archive import Entry, compressed, compressor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Changed when the same input is to give other bytes.
_EDITION = "1"
# Fewer files are compiled before a second process has started.
_WORTH_PROCESSES = 60
# What could not be compiled is to be said again next time: it is kept as the content of an entry of this name.
_BROKEN = "//broken"


@dataclass(frozen=True)
class Bytecode:
    """How Python files are compiled.

    Attributes:
        version: the version of Python: one interpreter of a version writes what another does.
        place: where the files will be at run time, for tracebacks.
        columns: whether it tells where in its line each instruction stands. Tracebacks underline that; it is a fifth of
            what bytecode takes when compressed.
        find: finds an interpreter of that version, if there is one. Not asked where the cache has the files compiled.
    """

    version: str
    place: str
    find: Callable[[], str | None]
    columns: bool = False


def pack(
    files: Mapping[str, Path],
    owners: Mapping[str, str],
    bytecode: Bytecode | None,
    temporary: Path,
    tell: Callable[[float], None],
) -> tuple[dict[str, list[Entry]], list[str]]:
    """The entries of a part by package, and the files that could not be compiled.

    Args:
        files: where each is, by its path in the part.
        owners: the package of each: what of a package is packed, is packed once.
        bytecode: how Python files are compiled; None leaves bytecode out.
        temporary: a folder of this part alone, in which that is done.
        tell: told how much is done, from 0 to 1.
    """
    groups: dict[str, dict[str, Path]] = defaultdict(dict)
    for path, file in files.items():
        groups[owners.get(path, "")][path] = file
    with ThreadPoolExecutor() as threads:  # hashing and compressing go on beside each other
        digests = dict(zip(files, threads.map(_digest, files.values()), strict=True))
        keys, packed = _kept(groups, digests, bytecode)
        python = bytecode.find() if bytecode is not None and len(packed) < len(groups) else None
        if bytecode is not None and python is None and len(packed) < len(groups):
            bytecode = None
            keys, packed = _kept(groups, digests, None)
        missing = {name: own for name, own in groups.items() if name not in packed}
        every = {path: file for own in missing.values() for path, file in own.items()}
        compiled: dict[str, dict[str, Path]] = {}
        if bytecode is not None and python is not None:
            compiled = _compile(python, temporary, every, bytecode)
        count = 0
        for name, own in missing.items():
            whole = dict(own)
            for path in own:
                whole |= compiled.get(path, {})
            entries = []
            for entry in threads.map(_entry, whole, whole.values()):
                entries.append(entry)
                count += 1
                tell(min(1.0, count / (len(every) + len(compiled))))
            broken = [path for path in own if path in compiled and not compiled[path]]
            packed[name] = [*entries, compressed(_BROKEN, "\n".join(broken).encode())]
            cache.store(keys[name], packed[name])
    notes = [entry for entries in packed.values() for entry in entries if entry.path == _BROKEN]
    result = {name: [entry for entry in packed[name] if entry.path != _BROKEN] for name in groups}
    return result, [line for entry in notes for line in entry.content().decode().splitlines()]


def _kept(
    groups: Mapping[str, Mapping[str, Path]], digests: Mapping[str, str], bytecode: Bytecode | None
) -> tuple[dict[str, str], dict[str, list[Entry]]]:
    """The keys of all packages, and the entries of those that the cache has."""
    keys = {name: _key(own, digests, bytecode) for name, own in groups.items()}
    found = {name: cache.load(key) for name, key in keys.items()}
    return keys, {name: entries for name, entries in found.items() if entries is not None}


def _key(files: Mapping[str, Path], digests: Mapping[str, str], bytecode: Bytecode | None) -> str:
    how = f"{bytecode.version} {bytecode.place} {bytecode.columns}" if bytecode else "none"
    digest = hashlib.sha256(f"{_EDITION}\0{compressor()}\0{how}\n".encode())
    for path in files:
        digest.update(f"{path}\0{digests[path]}\n".encode())
    return digest.hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return f"{_is_program(file)} {hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _entry(path: str, file: Path) -> Entry:
    return compressed(path, file.read_bytes(), is_program=_is_program(file))


def _is_program(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o100)


def _environment(how: Bytecode) -> dict[str, str]:
    """The user's, without what changes Python's ways.

    It tells what the option -X would, for the processes that compileall starts from Python 3.12 on are not given that.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # Up to Python 3.10 the order of a set of constants hangs on hashes.
    return {**kept, "PYTHONHASHSEED": "0"} | ({} if how.columns else {"PYTHONNODEBUGRANGES": "1"})


def _compile(python: str, folder: Path, files: Mapping[str, Path], how: Bytecode) -> dict[str, dict[str, Path]]:
    """For each Python file the compiled one by its path in the part; none if it cannot be compiled.

    Their validity hangs on no time, and on no check at run time, which would be idle where nobody can write:
    https://peps.python.org/pep-0552/.
    """
    sources = {path: folder / path for path in files if path.endswith(".py")}
    for path, file in sources.items():  # copies: nothing is written where they come from
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[path], file)
    processes = "0" if len(sources) >= _WORTH_PROCESSES else "1"
    rules = ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", how.place]
    empty = folder.with_name(f"{folder.name}-empty")  # Python looks for modules where it runs
    empty.mkdir(parents=True)
    done = subprocess.run(  # noqa: S603
        [python, "-s", "-m", "compileall", "-q", "-q", "-j", processes, *rules, "-i", "-"],
        cwd=empty,
        env=_environment(how),
        input="".join(f"{file}\n" for file in sources.values()),
        capture_output=True,
        text=True,
        check=False,
    )
    compiled: dict[str, dict[str, Path]] = {}
    tag = f"cpython-{how.version.replace('.', '')}"
    for path, file in sources.items():
        name = re.sub(r"\.py$", f".{tag}.pyc", file.name)
        made = file.parent / "__pycache__" / name
        compiled[path] = {(Path(path).parent / "__pycache__" / name).as_posix(): made} if made.is_file() else {}
    if len(sources) > 3 and not any(compiled.values()):
        raise PackagingError(f"{python} compiles nothing: {done.stderr.strip() or done.stdout.strip()}")
    return compiled
