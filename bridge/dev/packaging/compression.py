"""Compiles and compresses files package by package, or loads them from the cache."""

from __future__ import annotations

import functools
import hashlib
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bridge.dev.packaging.archive import FAST, ZipEntry, compressor_name, make_entry, make_entry_of_file
from bridge.dev.packaging.bytecode import BytecodeOptions, compile_files
from bridge.dev.packaging.cache import file_digests, load_package, store_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor
    from pathlib import Path

# Part of every key; increase it when the same files have to give other entries.
_FORMAT_VERSION = "3"
# The entry in a cached package that lists its files that are not valid Python. It is not part of the artifact.
_INVALID_FILES = "//invalid-files"


def compress_packages(
    files: Mapping[str, Path],
    packages: Mapping[str, str],
    bytecode: BytecodeOptions | None,
    temporary: Path,
    on_progress: Callable[[float], None],
    *,
    level: int = FAST,
) -> tuple[dict[str, list[ZipEntry]], list[str]]:
    """Return the entries of each package, with bytecode, and the Python files that could not be compiled.

    Args:
        files: the location of each file by its path in the artifact.
        packages: the package of each path; paths without one share the package ``""``.
        bytecode: how Python files are compiled; None for no bytecode.
        temporary: a folder for compiled files that does not exist yet. Another one beside it gets the compressed
            content of large files; it must exist as long as the entries are used.
        on_progress: called with the share that is done, from 0 to 1.
        level: ``FAST`` or ``BEST`` of :mod:`bridge.dev.packaging.archive`.
    """
    groups: dict[str, dict[str, Path]] = defaultdict(dict)
    for path, file in files.items():
        groups[packages.get(path, "")][path] = file
    large_files = temporary.with_name(f"{temporary.name}-large")
    large_files.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        digests = {
            path: f"{_is_executable(file)} {digest}"
            for (path, file), digest in zip(files.items(), file_digests(files.values()), strict=True)
        }
        load = functools.partial(_load_cached, groups, digests, threads, level)
        keys, entries = load(bytecode)
        interpreter = None
        if bytecode is not None and len(entries) < len(groups):
            interpreter = bytecode.find_interpreter()
            if interpreter is None:  # packages without bytecode have other keys
                keys, entries = load(None)
        missing = {package: group for package, group in groups.items() if package not in entries}
        compiled: dict[str, dict[str, Path]] = {}
        contents = {package: dict(group) for package, group in missing.items()}
        sources = {path: file for group in missing.values() for path, file in group.items()}

        def compress(path: str, file: Path) -> ZipEntry:
            return make_entry_of_file(path, file, large_files, level=level)

        # The sources are compressed while the compiler, which is another process, starts.
        waiting = {path: threads.submit(compress, path, file) for path, file in sources.items()}
        if bytecode is not None and interpreter is not None:
            compiled = compile_files(interpreter, sources, bytecode, temporary)
            for package, group in missing.items():
                for path in group:
                    contents[package] |= compiled.get(path, {})
            waiting |= {
                path: threads.submit(compress, path, file)
                for files in compiled.values()
                for path, file in files.items()
            }
        done = 0
        for package, group in missing.items():
            entries[package] = []
            for path in contents[package]:
                entries[package].append(waiting[path].result())
                done += 1
                on_progress(done / len(waiting))
            invalid = [path for path in group if path in compiled and not compiled[path]]
            entries[package].append(make_entry(_INVALID_FILES, "\n".join(invalid).encode()))
        list(threads.map(lambda package: store_package(keys[package], entries[package]), missing))
    invalid_files: list[str] = []
    result: dict[str, list[ZipEntry]] = {}
    for package in groups:
        result[package] = [entry for entry in entries[package] if entry.path != _INVALID_FILES]
        for entry in entries[package]:
            if entry.path == _INVALID_FILES:
                invalid_files += entry.content().decode().splitlines()
    return result, invalid_files


def _load_cached(
    groups: Mapping[str, Mapping[str, Path]],
    digests: Mapping[str, str],
    threads: Executor,
    level: int,
    bytecode: BytecodeOptions | None,
) -> tuple[dict[str, str], dict[str, list[ZipEntry]]]:
    """Return the cache key of each package, and the entries of the packages that the cache has."""
    keys = {package: _key(group, digests, level, bytecode) for package, group in groups.items()}
    cached = dict(zip(keys, threads.map(load_package, keys.values()), strict=True))
    return keys, {package: entries for package, entries in cached.items() if entries is not None}


def _key(paths: Mapping[str, Path], digests: Mapping[str, str], level: int, bytecode: BytecodeOptions | None) -> str:
    options = f"{bytecode.version} {bytecode.folder} {bytecode.columns}" if bytecode else "none"
    digest = hashlib.sha256(f"{_FORMAT_VERSION}\0{compressor_name()} {level}\0{options}\n".encode())
    for path in paths:
        digest.update(f"{path}\0{digests[path]}\n".encode())
    return digest.hexdigest()


def _is_executable(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o100)
