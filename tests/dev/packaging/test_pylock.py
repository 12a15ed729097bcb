"""Lock files by PEP 751, and lock files that cannot be read."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.pylock import Pylock, keep_hashes, read_pylock, supports_python
from tests.dev.cli.packages import PLAIN, build_zip, run_package, write_files, zip_names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dev.packaging.indexes import Index

LIBRARY = {
    "lib/pyproject.toml": '[build-system]\nrequires = ["setuptools>=70"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "tealib"\nversion = "1"\n',
    "lib/tealib.py": "",
}


def export(folder: Path, *options: str, file: str = "pylock.toml") -> None:
    """Create a pylock.toml with uv."""
    subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=folder, check=True)
    words = ["uv", "export", "-q", "--no-emit-project", "--format", "pylock.toml", *options, "-o", file]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (folder / "uv.lock").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pylock.toml", "pylock.prod.toml"])
def test_a_pylock_decides_the_versions(name: str, index: Index, cache: Path, tmp_path: Path) -> None:
    index.add("tea-leaves", "1.0")
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, **LIBRARY,
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["tea-leaves", "tealib"]\n[tool.uv.sources]\ntealib = { path = "lib" }\n'
        f'[[tool.uv.index]]\nurl = "{index.url()}"\n',
    })  # fmt: skip
    export(shop, file=name)
    index.add("tea-leaves", "2.0")
    arguments = [] if name == "pylock.toml" else ["-r", name]
    names = zip_names(build_zip(shop, cache, "app:app", *arguments))
    assert {"tea_leaves-1.0.dist-info/METADATA", "tealib.py"} <= names


@pytest.mark.slow
def test_a_changed_file_of_a_pylock_is_an_error(index: Index, cache: Path, tmp_path: Path) -> None:
    wheel = index.add("tea-leaves", "1.0")
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN,
        "pylock.toml": 'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "tea-leaves"\nversion = "1.0"\n'
        f'wheels = [{{url = "{index.url()}tea-leaves/{wheel.name}", hashes = {{sha256 = "{"0" * 64}"}}}}]\n',
    })  # fmt: skip
    status, out, err = run_package(shop, cache, "app:app")
    assert (status, out) == (1, "")
    assert "Hash mismatch" in err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pdm.lock", "", "`pdm export -f pylock -o pylock.toml --prod`"),
        ("pylock.toml", 'lock-version = "2.0"', "lock-version is 2.0, and only 1.0 can be read"),
        ("pylock.toml", "[", "cannot be read"),
    ],
)
def test_a_lock_that_cannot_be_read_is_an_error(
    name: str, content: str, message: str, cache: Path, tmp_path: Path
) -> None:
    toml = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["six"]\n'
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": toml, name: content})
    status, out, err = run_package(shop, cache, "app:app")
    assert (status, out) == (1, "")
    assert name in err
    assert message in err


def test_a_lock_that_another_file_takes_precedence_over_is_named(cache: Path, tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements.txt": "", "pdm.lock": "", "pylock.toml": ""})
    status, _, err = run_package(shop, cache, "app:app")
    assert status == 0
    assert "The requirements are those in requirements.txt. Not read: pylock.toml, pdm.lock." in err


@pytest.mark.parametrize("text", [None, '[project]\nname = "shop"\nversion = "1"\n'])
def test_locks_that_could_be_read_are_named_if_nothing_is_pinned(text: str | None, cache: Path, tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "pylock.prod.toml": "", "requirements.lock": "", "requirements/dev.txt": "",
        **({} if text is None else {"pyproject.toml": text}),
    })  # fmt: skip
    status, _, err = run_package(shop, cache, "app:app")
    names = "pylock.prod.toml, requirements.lock" + (", requirements/dev.txt" if text is None else "")
    assert status == 0
    assert f"Not read: {names}. To read one: --requirements pylock.prod.toml" in err


def test_a_lock_is_written_with_absolute_paths(tmp_path: Path) -> None:
    text = (
        'lock-version = "1.0"\ncreated-by = "a\\u007f\\"b"\nextras = []\n'
        "[[packages]]\nname = 'a'\nindex = 'https://a.example'\narchive = { path = 'a.whl', size = 1 }\n"
        "[[packages.wheels]]\nname = 'a'\nupload-time = 2024-01-02T03:04:05Z\n"
    )
    lock = read_pylock(write_files(tmp_path, {"pylock.toml": text}) / "pylock.toml")
    written = read_pylock(lock.write(tmp_path / "other" / "pylock.toml"))
    assert written.packages[0].pop("archive") == {"path": str(tmp_path / "a.whl"), "size": 1}
    lock.packages[0].pop("archive")
    assert written.content == lock.content


@pytest.mark.parametrize(
    ("specifier", "is_supported"),
    [("", True), ("*", True), (">=3.12", True), (">=3.13", False), (">=3.11,<3.12", False), ("<4.0,>=3.11.2", True),
     ("^3.11", True), ("^3.13", False), ("~3.12", True), ("~3.11", False), ("~3.11 || ^3.12", True), ("==3.12.*", True),
     ("==3.*", True), ("<=3.11", False)],
)  # fmt: skip
def test_a_range_of_versions_has_the_target_or_not(specifier: str, is_supported: bool) -> None:
    assert supports_python(specifier, "3.12") == is_supported


def test_files_with_other_hashes_than_those_of_the_requirement_are_removed(tmp_path: Path) -> None:
    def lock() -> Pylock:
        wheels = [{"name": name, "hashes": {"sha256": name * 64}} for name in "ab"]
        package = {"name": "tea-leaves", "version": "1", "wheels": wheels, "sdist": {"hashes": {"sha256": "c" * 64}}}
        return Pylock({"packages": [package, {"name": "six", "wheels": []}]}, tmp_path)

    expected = lock()
    keep_hashes(expected, [f"Tea_Leaves==1 --hash=sha256:{'b' * 64}"])
    assert [wheel["name"] for wheel in expected.packages[0]["wheels"]] == ["b"]
    assert "sdist" not in expected.packages[0]
    with pytest.raises(PackagingError, match="Hash mismatch: no file of tea-leaves 1"):
        keep_hashes(lock(), [f"tea-leaves==1 --hash=sha256:{'d' * 64}"])
