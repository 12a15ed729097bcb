"""The bridge itself as a wheel, made from the package that runs: what is tested here is what runs there."""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import bridge
from bridge.dev.packaging import cache
from bridge.dev.packaging.archive import Entry, compressed, write_zip

NAME = "serverless-bridge"

_WHEEL = "Wheel-Version: 1.0\nGenerator: bridge package\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def is_local() -> bool:
    """Whether the package that runs comes from a folder or an address, so that an index may not have it."""
    try:
        found = distribution(NAME)
    except PackageNotFoundError:
        return True
    return found.read_text("direct_url.json") is not None


def own(temporary: Path) -> Path:
    """The wheel in the cache, or in *temporary*: a cache that cannot be written is none."""
    try:
        return make_wheel(cache.folder() / "wheels")
    except OSError:
        return make_wheel(temporary / "wheels")


def make_wheel(folder: Path) -> Path:
    """The wheel, in a folder of *folder* that is named by what is in it: installers keep it by its path.

    Raises:
        OSError: it cannot be written.
    """
    package = Path(bridge.__file__).parent
    files = {
        f"bridge/{path.relative_to(package).as_posix()}": path
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
    }
    contents = {name: (path.read_bytes(), path.stat().st_mode & 0o100) for name, path in files.items()}
    info = f"serverless_bridge-{bridge.__version__}.dist-info"
    contents[f"{info}/METADATA"] = (_metadata().encode(), 0)
    contents[f"{info}/WHEEL"] = (_WHEEL.encode(), 0)
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, (data, _) in contents.items())
    contents[f"{info}/RECORD"] = (f"{record}{info}/RECORD,,\n".encode(), 0)
    modes = "".join(f"{name}{is_program}" for name, (_, is_program) in contents.items())
    key = hashlib.sha256((record + modes).encode()).hexdigest()[:16]
    wheel = folder / key / f"serverless_bridge-{bridge.__version__}-py3-none-any.whl"
    if not wheel.is_file():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        entries: list[Entry] = [
            compressed(name, data, is_program=bool(is_program)) for name, (data, is_program) in contents.items()
        ]
        write_zip(wheel, entries)
        cache.drop_old(folder)
    return wheel


def _metadata() -> str:
    """The installed package's; without one (run from its sources, say) what an installer has to know."""
    try:
        found = distribution(NAME).read_text("METADATA")
    except PackageNotFoundError:
        found = None
    return found or (
        f"Metadata-Version: 2.4\nName: {NAME}\nVersion: {bridge.__version__}\nRequires-Dist: asgiref>=3.8\n"
    )


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
