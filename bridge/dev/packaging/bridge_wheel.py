"""Builds a wheel of the running bridge, so that an artifact contains the version that builds it."""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import bridge
from bridge.dev.packaging.archive import make_entry, write_zip
from bridge.dev.packaging.cache import cache_folder, delete_old

DISTRIBUTION = "serverless-bridge"

_WHEEL = "Wheel-Version: 1.0\nGenerator: bridge package\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def is_local_install() -> bool:
    """Return whether the running bridge was installed from a folder or a URL, so that no index may offer it."""
    try:
        return distribution(DISTRIBUTION).read_text("direct_url.json") is not None
    except PackageNotFoundError:
        return True


def cached_wheel(temporary: Path) -> Path:
    """Return the path of the wheel: in the cache, or in the folder *temporary* if the cache cannot be written."""
    try:
        return build_wheel(cache_folder() / "wheels")
    except OSError:
        return build_wheel(temporary / "wheels")


def build_wheel(folder: Path) -> Path:
    """Build the wheel below *folder*, unless it is there, and return its path.

    The path contains a digest of the wheel's content, because installers cache a local wheel by its path.

    Raises:
        OSError: the wheel cannot be written.
    """
    package = Path(bridge.__file__).parent
    files = {
        f"bridge/{path.relative_to(package).as_posix()}": path
        for path in sorted(package.rglob("*"))
        if path.is_file() and not {"__pycache__", "node_modules"}.intersection(path.parts)
    }
    executables = {name for name, path in files.items() if path.stat().st_mode & 0o100}
    contents = {name: path.read_bytes() for name, path in files.items()}
    info = f"serverless_bridge-{bridge.__version__}.dist-info"
    contents |= {f"{info}/METADATA": _metadata().encode(), f"{info}/WHEEL": _WHEEL.encode()}
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    key = hashlib.sha256(f"{record}{sorted(executables)}".encode()).hexdigest()[:16]
    wheel = folder / key / f"serverless_bridge-{bridge.__version__}-py3-none-any.whl"
    if not wheel.is_file():
        entries = [make_entry(name, content, is_executable=name in executables) for name, content in contents.items()]
        write_zip(wheel, entries)
        delete_old(folder)
    return wheel


def _metadata() -> str:
    """Return the metadata of the installed distribution; the required fields if the bridge is not installed."""
    try:
        metadata = distribution(DISTRIBUTION).read_text("METADATA")
    except PackageNotFoundError:
        metadata = None
    return metadata or (
        f"Metadata-Version: 2.4\nName: {DISTRIBUTION}\nVersion: {bridge.__version__}\nRequires-Dist: asgiref>=3.8\n"
    )


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
