"""What a distribution takes where it is installed, with what it requires; and what of the bridge travels to Lambda.

Sizes are of the files as they are, without bytecode, which installers may or may not write.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from packaging.requirements import Requirement

from benchmarks.table import table
from bridge.dev.packaging.bridge_wheel import NAME, make_wheel
from bridge.dev.packaging.requirement_files import read
from bridge.dev.packaging.target import Target

PEERS = ("apig-wsgi", "mangum", "serverless-wsgi")
INSTALLED, TRAVELS = NAME, f"{NAME}, what `bridge package` packs"
_SIZE, _FILES, _REQUIRED = "itself", "files", "with what it requires"


def measure(_rounds: int) -> dict[str, dict[str, float]]:
    """Kilobytes (and how many files) by distribution."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = make_wheel(folder / "wheel")
        with ZipFile(wheel) as archive:
            archive.extractall(folder / "installed")
        everything = [path for path in (folder / "installed").rglob("*") if path.is_file()]
        packed = read(folder / "installed", Target.of(), folder)
        required = _required(NAME)
        found = {
            INSTALLED: _figures(everything, required),
            TRAVELS: _figures([*packed.files.values()], required),
        }
    return found | {name: _figures(_files(name), _required(name)) for name in PEERS}


def report(found: dict[str, dict[str, float]]) -> list[str]:
    rows = [[name, *(f"{each[what]:.0f}" for what in (_FILES, _SIZE, _REQUIRED))] for name, each in found.items()]
    return ["### Size, installed: KB", table(["", _FILES, _SIZE, _REQUIRED], rows)]


def _figures(files: list[Path], required: set[str]) -> dict[str, float]:
    own = _kilobytes(files)
    return {
        _FILES: len(files),
        _SIZE: own,
        _REQUIRED: own + sum(_kilobytes(_files(name)) for name in required),
    }


def _kilobytes(files: list[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1000


def _files(name: str) -> list[Path]:
    files = [Path(str(file.locate())) for file in distribution(name).files or ()]
    return [path for path in files if path.suffix != ".pyc" and path.is_file()]


def _required(name: str) -> set[str]:
    """All that a distribution needs on this Python, without extras."""
    found: set[str] = set()
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= {requirement.name, *_required(requirement.name)}
    return found
