"""Inspects a packaged artifact: its size, the processor of its native files, and whether Python uses its bytecode."""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
import tempfile
from calendar import timegm
from pathlib import Path
from statistics import median
from zipfile import ZipFile, ZipInfo

# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html and the processors' supplements.
_ELF_MACHINES = {62: "x86_64", 183: "arm64"}
# The flags of PEP 552's unchecked hash-based bytecode.
_UNCHECKED_HASH = 0b01
_IMPORT = """
import sys
sys.path.insert(0, {folder!r})
from time import process_time
start = process_time()
import flask
print(process_time() - start)
"""


def inspect(file: Path, rounds: int) -> dict[str, object]:
    """Return the figures of an artifact that contains Flask.

    Args:
        file: the zip.
        rounds: how many times Flask is imported from it.
    """
    with ZipFile(file) as archive:
        infos = archive.infolist()
        compiled = [info for info in infos if info.filename.endswith(".pyc")]
        mtimes = {info.filename: timegm((*info.date_time, 0, 0, 0)) for info in infos}
        machines = {
            _ELF_MACHINES.get(struct.unpack("<H", archive.read(info)[18:20])[0], "another")
            for info in infos
            if info.filename.endswith(".so") or ".so." in info.filename
        }
        return {
            "MB": file.stat().st_size / 1e6,
            "MB of bytecode": sum(info.compress_size for info in compiled) / 1e6,
            "bytecode files": len(compiled),
            "valid bytecode files": sum(_is_valid(archive, info, mtimes) for info in compiled),
            "dist-info": any(name.endswith(".dist-info/METADATA") for name in mtimes),
            "native": " and ".join(sorted(machines)),
            "import flask, ms": _import_ms(archive, mtimes, rounds),
        }


def _is_valid(archive: ZipFile, info: ZipInfo, mtimes: dict[str, int]) -> bool:
    """Return whether Python uses the bytecode when the zip is unpacked with the modification times in it."""
    content = archive.read(info)
    if content[:4] != importlib.util.MAGIC_NUMBER:
        return False
    flags, mtime = struct.unpack("<II", content[4:12])
    if flags:
        return bool(flags == _UNCHECKED_HASH)
    source = info.filename.replace("__pycache__/", "").partition(".")[0] + ".py"
    return source in mtimes and mtimes[source] & 0xFFFFFFFF == mtime


def _import_ms(archive: ZipFile, mtimes: dict[str, int], rounds: int) -> float:
    """Return the processor time of ``import flask`` from a read-only folder, such as ``/var/task``.

    Flask needs no native module: markupsafe falls back to Python if its own is for another processor.
    """
    command = [sys.executable, "-I", "-S", "-B", "-c"]
    with tempfile.TemporaryDirectory() as folder:
        archive.extractall(folder)
        for name, mtime in mtimes.items():
            os.utime(Path(folder, name), (mtime, mtime))
        code = _IMPORT.format(folder=folder)
        times = [
            float(subprocess.run([*command, code], stdout=subprocess.PIPE, check=True).stdout) for _ in range(rounds)
        ]
    return median(times) * 1000
