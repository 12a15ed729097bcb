"""Compiles and compresses files package by package, or loads them from the cache."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bridge.dev.packaging.archive import ZipEntry, compressor_name, make_entry
from bridge.dev.packaging.bytecode import BytecodeOptions, compile_files
from bridge.dev.packaging.cache import load_package, store_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# Part of every key; increase it when the same files have to give other entries.
_FORMAT_VERSION = "2"
# The entry in a cached package that lists its files that are not valid Python. It is not part of the artifact.
_INVALID_FILES = "//invalid-files"


def compress_packages(
    files: Mapping[str, Path],
    packages: Mapping[str, str],
    bytecode: BytecodeOptions | None,
    temporary: Path,
    on_progress: Callable[[float], None],
) -> tuple[dict[str, list[ZipEntry]], list[str]]:
    """Return the entries of each package, with bytecode, and the Python files that could not be compiled.

    Args:
        files: the location of each file by its path in the artifact.
        packages: the package of each path; paths without one share the package ``""``.
        bytecode: how Python files are compiled; None for no bytecode.
        temporary: a folder for compiled files that does not exist yet.
        on_progress: called with the share that is done, from 0 to 1.
    """
    groups: dict[str, dict[str, Path]] = defaultdict(dict)
    for path, file in files.items():
        groups[packages.get(path, "")][path] = file
    with ThreadPoolExecutor() as threads:
        digests = dict(zip(files, threads.map(_digest, files.values()), strict=True))
        keys, entries = _load_cached(groups, digests, bytecode)
        interpreter = None
        if bytecode is not None and len(entries) < len(groups):
            interpreter = bytecode.find_interpreter()
            if interpreter is None:  # packages without bytecode have other keys
                keys, entries = _load_cached(groups, digests, None)
        missing = {package: group for package, group in groups.items() if package not in entries}
        compiled: dict[str, dict[str, Path]] = {}
        if bytecode is not None and interpreter is not None:
            sources = {path: file for group in missing.values() for path, file in group.items()}
            compiled = compile_files(interpreter, sources, bytecode, temporary)
        total = sum(map(len, missing.values())) + sum(map(len, compiled.values()))
        done = 0
        for package, group in missing.items():
            contents = dict(group)
            for path in group:
                contents |= compiled.get(path, {})
            entries[package] = []
            for entry in threads.map(_compress, contents, contents.values()):
                entries[package].append(entry)
                done += 1
                on_progress(done / total)
            invalid = [path for path in group if path in compiled and not compiled[path]]
            entries[package].append(make_entry(_INVALID_FILES, "\n".join(invalid).encode()))
            store_package(keys[package], entries[package])
    invalid_files: list[str] = []
    result: dict[str, list[ZipEntry]] = {}
    for package in groups:
        result[package] = [entry for entry in entries[package] if entry.path != _INVALID_FILES]
        for entry in entries[package]:
            if entry.path == _INVALID_FILES:
                invalid_files += entry.content().decode().splitlines()
    return result, invalid_files


def _load_cached(
    groups: Mapping[str, Mapping[str, Path]], digests: Mapping[str, str], bytecode: BytecodeOptions | None
) -> tuple[dict[str, str], dict[str, list[ZipEntry]]]:
    """Return the cache key of each package, and the entries of the packages that the cache has."""
    keys = {package: _key(group, digests, bytecode) for package, group in groups.items()}
    cached = {package: load_package(key) for package, key in keys.items()}
    return keys, {package: entries for package, entries in cached.items() if entries is not None}


def _key(paths: Mapping[str, Path], digests: Mapping[str, str], bytecode: BytecodeOptions | None) -> str:
    options = f"{bytecode.version} {bytecode.folder} {bytecode.columns}" if bytecode else "none"
    digest = hashlib.sha256(f"{_FORMAT_VERSION}\0{compressor_name()}\0{options}\n".encode())
    for path in paths:
        digest.update(f"{path}\0{digests[path]}\n".encode())
    return digest.hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return f"{_is_executable(file)} {hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _compress(path: str, file: Path) -> ZipEntry:
    return make_entry(path, file.read_bytes(), is_executable=_is_executable(file))


def _is_executable(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o100)
