"""What an artifact is worth where it runs: its size, whose processor it is for, and whether its bytecode counts."""

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

# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html and the processors' own supplements.
_MACHINES = {62: "x86_64", 183: "arm64"}
# The hash-based kind of PEP 552, of which nothing is checked at run time.
_UNCHECKED = 0b01
_IMPORT = """
import sys
sys.path.insert(0, {folder!r})
from time import process_time
began = process_time()
import flask
print(process_time() - began)
"""


def inspect(file: Path, rounds: int) -> dict[str, object]:
    """What there is to say of an artifact that holds Flask.

    Args:
        file: the zip.
        rounds: how often Flask is imported from it.
    """
    with ZipFile(file) as archive:
        infos = archive.infolist()
        compiled = [info for info in infos if info.filename.endswith(".pyc")]
        dates = {info.filename: _seconds(info) for info in infos}
        machines = {
            _MACHINES.get(struct.unpack("<H", archive.read(info)[18:20])[0], "another")
            for info in infos
            if info.filename.endswith(".so") or ".so." in info.filename
        }
        return {
            "MB": file.stat().st_size / 1e6,
            "MB of bytecode": sum(info.compress_size for info in compiled) / 1e6,
            "bytecode files": len(compiled),
            "of these that count": sum(_counts(archive.read(info), info.filename, dates) for info in compiled),
            "dist-info": any(name.endswith(".dist-info/METADATA") for name in dates),
            "native": " and ".join(sorted(machines)),
            "import flask, ms": _import_ms(archive, dates, rounds),
        }


def _seconds(info: ZipInfo) -> int:
    return timegm((*info.date_time, 0, 0, 0))


def _counts(content: bytes, name: str, dates: dict[str, int]) -> bool:
    """Whether the importer will take this bytecode, when the zip was unpacked with the times that it holds."""
    if content[:4] != importlib.util.MAGIC_NUMBER:
        return False
    flags, time = struct.unpack("<II", content[4:12])
    if flags:
        return bool(flags == _UNCHECKED)
    source = name.replace("__pycache__/", "").partition(".")[0] + ".py"
    return source in dates and dates[source] & 0xFFFFFFFF == time


def _import_ms(archive: ZipFile, dates: dict[str, int], rounds: int) -> float:
    """The processor's time for ``import flask``, in a folder that nothing is written to, as ``/var/task`` is.

    Flask needs nothing native: where markupsafe's module is for another processor, its Python takes its place.
    """
    command = [sys.executable, "-I", "-S", "-B", "-c"]
    with tempfile.TemporaryDirectory() as folder:
        archive.extractall(folder)
        for name, seconds in dates.items():
            os.utime(Path(folder, name), (seconds, seconds))
        code = _IMPORT.format(folder=folder)
        times = [
            float(subprocess.run([*command, code], stdout=subprocess.PIPE, check=True).stdout) for _ in range(rounds)
        ]
    return median(times) * 1000
