"""Measures the size of each library where it is installed, and of the part of the bridge that ships in a function.

Bytecode is not counted, because not every installer writes it.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from packaging.requirements import Requirement

from benchmarks.table import table
from bridge.dev.packaging.bridge_wheel import DISTRIBUTION, build_wheel
from bridge.dev.packaging.installed_files import collect_installed_files
from bridge.dev.packaging.target import Target

PEERS = ("apig-wsgi", "mangum", "serverless-wsgi")
INSTALLED, PACKED = DISTRIBUTION, f"{DISTRIBUTION}, what `bridge package` packs"
_FILES, _OWN, _TOTAL = "files", "itself", "with what it requires"


def measure(_rounds: int) -> dict[str, dict[str, float]]:
    """Return the number of files, and kilobytes without and with requirements, for each distribution."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = build_wheel(folder / "wheel")
        with ZipFile(wheel) as archive:
            archive.extractall(folder / "installed")
        installed = [path for path in (folder / "installed").rglob("*") if path.is_file()]
        packed = collect_installed_files(folder / "installed", Target.from_options(), folder)
        required = _required(DISTRIBUTION)
        results = {
            INSTALLED: _figures(installed, required),
            PACKED: _figures([*packed.files.values()], required),
        }
    return results | {name: _figures(_files(name), _required(name)) for name in PEERS}


def report(results: dict[str, dict[str, float]]) -> list[str]:
    """Return the table."""
    columns = (_FILES, _OWN, _TOTAL)
    rows = [[name, *(f"{figures[column]:.0f}" for column in columns)] for name, figures in results.items()]
    return ["### Size, installed: KB", table(["", *columns], rows)]


def _figures(files: list[Path], required: set[str]) -> dict[str, float]:
    own = _kilobytes(files)
    total = own + sum(_kilobytes(_files(name)) for name in required)
    return {_FILES: len(files), _OWN: own, _TOTAL: total}


def _kilobytes(files: list[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1000


def _files(name: str) -> list[Path]:
    files = [Path(str(file.locate())) for file in distribution(name).files or ()]
    return [path for path in files if path.suffix != ".pyc" and path.is_file()]


def _required(name: str) -> set[str]:
    """Return the names of all distributions that *name* requires on this Python, without extras."""
    names: set[str] = set()
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            names |= {requirement.name, *_required(requirement.name)}
    return names
