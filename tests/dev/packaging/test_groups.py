"""Dependency groups and extras are installed on request."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.packages import PLAIN, build_zip, run_package, write_files, zip_names
from tests.dev.packaging.indexes import Index, sha256

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("cups", "tea", "milk", "sugar")
PYPROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = ["cups"]
[project.optional-dependencies]
more = ["milk"]
[dependency-groups]
dev = ["sugar"]
web = ["tea"]
all = [{include-group = "web"}, "sugar"]
"""
CASES = {
    "": {"cups"},
    "--group web": {"cups", "tea"},
    "--group all --extra more": {"cups", "tea", "sugar", "milk"},
    "--group web --group dev --no-group web": {"cups", "sugar"},
}


@pytest.fixture
def shop(index: Index, tmp_path: Path) -> Path:
    """A project with groups and an extra."""
    for name in PACKAGES:
        index.add(name, "1.0")
    toml = f'{PYPROJECT}[[tool.uv.index]]\nurl = "{index.url()}"\n'
    return write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": toml})


def installed(file: Path) -> set[str]:
    """Return which of the packages an artifact has."""
    names = zip_names(file)
    return {name for name in PACKAGES if f"{name}.py" in names}


def pylock(index: Index) -> str:
    """Return a pylock.toml of the project, as PDM writes it."""
    markers = {
        "cups": "'default' in dependency_groups", "tea": "'web' in dependency_groups or 'all' in dependency_groups",
        "sugar": "'dev' in dependency_groups or 'all' in dependency_groups", "milk": "'more' in extras",
    }  # fmt: skip
    lines = ['lock-version = "1.0"', 'created-by = "test"', 'extras = ["more"]', 'default-groups = ["default"]']
    lines.append('dependency-groups = ["default", "dev", "web", "all"]')
    for name, marker in markers.items():
        wheel = index.add(name, "1.0")
        url = f"{index.url()}{name}/{wheel.name}"
        lines += ["[[packages]]", f'name = "{name}"', 'version = "1.0"', f'marker = "{marker}"']
        lines.append(f'wheels = [{{url = "{url}", hashes = {{sha256 = "{sha256(wheel)}"}}}}]')
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", CASES)
@pytest.mark.parametrize("kind", ["uv.lock", "pylock.toml", "pyproject.toml", "sources"])
def test_groups_and_extras_are_added_to_the_dependencies(
    kind: str, arguments: str, shop: Path, index: Index, cache: Path
) -> None:
    if kind == "sources":  # which uv reads
        file = shop / "pyproject.toml"
        file.write_text(f'{file.read_text()}name = "own"\n[tool.uv.sources]\ncups = {{ index = "own" }}\n')
    if kind == "uv.lock":
        subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=shop, check=True)
    if kind == "pylock.toml":
        write_files(shop, {kind: pylock(index)})
    assert installed(build_zip(shop, cache, "app:app", *arguments.split())) == CASES[arguments]


@pytest.mark.slow
def test_groups_in_pyproject_are_the_default(shop: Path, cache: Path) -> None:
    file = shop / "pyproject.toml"
    file.write_text(f'{file.read_text()}[tool.bridge]\ngroup = ["web"]\nextra = ["more"]\n')
    assert installed(build_zip(shop, cache, "app:app")) == {"cups", "tea", "milk"}
    assert installed(build_zip(shop, cache, "app:app", "--no-group", "web")) == {"cups", "milk"}


@pytest.mark.slow
def test_a_section_of_a_pipfile_lock_is_a_group(index: Index, shop: Path, cache: Path) -> None:
    lock = {
        "_meta": {"sources": [{"name": "own", "url": index.url()}]},
        "default": {"cups": {"version": "==1.0"}},
        "develop": {"tea": {"version": "==1.0"}},
    }
    write_files(shop, {"Pipfile.lock": json.dumps(lock)})
    assert installed(build_zip(shop, cache, "app:app", "--group", "develop")) == {"cups", "tea"}


@pytest.mark.parametrize(
    ("file", "arguments", "message"),
    [
        ("pyproject.toml", "--group none", "--group none: "),
        ("pyproject.toml", "--extra none", "It has: more."),
        ("requirements.txt", "--group web", "--group web: the requirements are those in requirements.txt"),
        ("Pipfile.lock", "--extra more", "--extra more: Pipfile.lock has no extras"),
        ("Pipfile.lock", "--group web", "--group web: Pipfile.lock has no such section, only default"),
        ("uv.lock", "--group none", "Correct --group or --extra."),
        ("pylock.toml", "--group none", "has no such name. It has: default, dev, web, all."),
    ],
)
def test_a_name_that_the_file_does_not_have_is_an_error(
    file: str, arguments: str, message: str, shop: Path, index: Index, cache: Path
) -> None:
    if file == "uv.lock":
        subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=shop, check=True)
    elif file != "pyproject.toml":
        texts = {"Pipfile.lock": '{"default": {}}', "pylock.toml": pylock(index)}
        write_files(shop, {file: texts.get(file, "")})
    status, out, err = run_package(shop, cache, "app:app", *arguments.split())
    assert (status, out) == (1, "")
    assert message in err
