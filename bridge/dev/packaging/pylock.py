"""Reads and writes pylock.toml: https://packaging.python.org/en/latest/specifications/pylock-toml/."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Pylock:
    """A lock file.

    Attributes:
        content: the file's content.
        folder: the folder that paths in the content are relative to.
    """

    content: dict[str, Any]
    folder: Path

    @property
    def packages(self) -> list[dict[str, Any]]:
        """The tables of the packages."""
        packages: list[dict[str, Any]] = self.content.get("packages", [])
        return packages

    def local_folders(self) -> list[Path]:
        """Return the folders of the packages that are local projects."""
        return [self.path(package["directory"]) for package in self.packages if "directory" in package]

    def path(self, source: dict[str, Any]) -> Path:
        """Return the path of a local source of a package."""
        folder = self.folder / str(source["path"])
        return (folder / source["subdirectory"] if "subdirectory" in source else folder).resolve()

    def write(self, file: Path) -> Path:
        """Write the lock with absolute paths into *file*, and return *file*."""
        packages = [_with_absolute_paths(package, self.folder) for package in self.packages]
        # uv compares requires-python with the interpreter that runs it, and not with the target.
        content = {key: value for key, value in self.content.items() if key not in ("tool", "requires-python")}
        content["packages"] = packages
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(toml_text(content), "utf-8")
        return file


def read_pylock(file: Path) -> Pylock:
    """Read a lock file.

    Raises:
        PackagingError: the file cannot be read, or is not a lock file of a known version.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackagingError(f"{file} cannot be read: {error}. Create it again.") from None
    version = str(content.get("lock-version", ""))
    if not version.startswith("1.") or not isinstance(content.get("packages", []), list):
        raise PackagingError(
            f"{file}: lock-version is {version or 'missing'}, and only 1.0 can be read. Create the file again, for "
            "example with `uv export --format pylock.toml -o pylock.toml`."
        )
    return Pylock(content, file.absolute().parent)


def keep_hashes(lock: Pylock, lines: list[str]) -> None:
    """Remove the files from a lock whose hashes differ from those in the lines of a requirements file.

    Raises:
        PackagingError: no file of a package has one of its hashes.
    """
    expected: dict[str, set[str]] = {}
    for line in lines:
        if hashes := re.findall(r"--hash[= ]sha256:([0-9a-f]+)", line):
            expected.setdefault(normalized_name(line), set()).update(hashes)
    for package in lock.packages:
        hashes_of_package = expected.get(normalized_name(package["name"]))
        if hashes_of_package is None or not ("wheels" in package or "sdist" in package):
            continue

        def is_expected(file: dict[str, Any], hashes: set[str] = hashes_of_package) -> bool:
            return file.get("hashes", {}).get("sha256") in hashes

        package["wheels"] = [wheel for wheel in package.get("wheels", []) if is_expected(wheel)]
        if "sdist" in package and not is_expected(package["sdist"]):
            del package["sdist"]
        if not package["wheels"] and "sdist" not in package:
            raise PackagingError(
                f"Hash mismatch: no file of {package['name']} {package.get('version', '')} for the target has one of "
                "the hashes in the requirements file. Create the hashes again."
            )


def supports_python(specifier: str, python: str) -> bool:
    """Return whether a range of Python versions has a version such as ``"3.12"``.

    Args:
        specifier: the range as in PEP 440, or as Poetry writes it: ``^3.11 || ~3.14``.
        python: the version.
    """
    version = tuple(map(int, python.split(".")))

    def allows(operator: str, text: str) -> bool:
        bound = (*map(int, text.split(".")), 0)[:2]
        is_allowed = {
            ">=": version >= bound, "^": version >= bound, "<": version < bound, "<=": version <= bound,
            "==": version == bound, "~": version == bound,
        }  # fmt: skip
        return is_allowed[operator] or (operator in ("==", "~") and "." not in text)

    clauses = [re.findall(r"(>=|<=|<|==|\^|~)\s*(\d+(?:\.\d+)?)", part) for part in specifier.split("||")]
    return any(all(allows(*clause) for clause in part) for part in clauses)


def sha256(file: Path) -> str:
    """Return the digest of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def normalized_name(requirement: str) -> str:
    """Return the name at the beginning of a requirement: https://peps.python.org/pep-0503/#normalized-names."""
    match = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def _with_absolute_paths(package: dict[str, Any], folder: Path) -> dict[str, Any]:
    def absolute(value: Any) -> Any:
        if isinstance(value, dict) and "path" in value and "url" not in value:
            return {**value, "path": str(folder / value["path"])}
        return [absolute(each) for each in value] if isinstance(value, list) else value

    return {key: absolute(value) for key, value in package.items()}


def toml_text(content: dict[str, Any]) -> str:
    """Return a dictionary as TOML, with one line for each key."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in content.items())


def _toml(value: Any) -> str:
    """Return a value as inline TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    # A string of JSON is one of TOML, but for this character: https://toml.io/en/v1.0.0#string
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
