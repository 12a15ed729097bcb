"""The metadata of the project itself in an artifact."""

from __future__ import annotations

import subprocess
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from bridge.dev.packaging.project_metadata import project_metadata
from tests.dev.cli.packages import PLAIN, bare_python, build_zip, file_digests, write_files, zip_names

if TYPE_CHECKING:
    from pathlib import Path

BUILD = '[build-system]\nrequires = ["{0}"]\nbuild-backend = "{0}.{1}"\n'
APP = (
    """
from importlib.metadata import entry_points, version

VERSION = version("my-shop")
(ENTRY,) = entry_points(group="shop.teas")
"""
    + PLAIN
)
PROJECT = """
[project]
name = "my_shop"
version = "1.2.3"
description = "Sells
 tea"
requires-python = ">=3.11"
dependencies = []
[project.optional-dependencies]
more = ["six ; python_version > '3'", "cups"]
[project.scripts]
shop = "my_shop:main"
[project.entry-points."shop.teas"]
green = "my_shop.app:app"
""".replace("Sells\n tea", "Sells tea")


@pytest.mark.slow
def test_the_metadata_of_a_setup_cfg_is_packaged(tmp_path: Path) -> None:
    text = """[metadata]
name = my_shop
version = 2.1
[options]
install_requires =
    six>=1
[options.entry_points]
shop.teas =
    green = my_shop:green
"""
    files = project_metadata(write_files(tmp_path, {"setup.cfg": text, "pyproject.toml": "[tool.x]\n"}), tmp_path, [])
    assert "Version: 2.1\nRequires-Dist: six>=1\n" in files["my_shop-2.1.dist-info/METADATA"]
    assert files["my_shop-2.1.dist-info/entry_points.txt"] == "[shop.teas]\ngreen = my_shop:green\n"
    assert project_metadata(write_files(tmp_path, {"setup.cfg": "[metadata]\nname = a\n"}), tmp_path, []) == {}
    dynamic = {
        "pyproject.toml": BUILD.format("setuptools", "build_meta"),
        "setup.cfg": "[metadata]\nname = tea\nversion = attr: tea.VERSION\n[options]\npy_modules = tea\n",
        "tea.py": "VERSION = '3'\n",
    }
    (tmp_path / "x").mkdir()
    assert "tea-3.dist-info/METADATA" in project_metadata(write_files(tmp_path / "tea", dynamic), tmp_path / "x", [])


@pytest.mark.parametrize(
    ("build", "project"),
    [
        (BUILD.format("hatchling", "build"), PROJECT),
        (
            BUILD.format("hatchling", "build"),
            PROJECT.replace('version = "1.2.3"', 'dynamic = ["version"]')
            + '[tool.hatch.version]\npath = "src/my_shop/__init__.py"\n',
        ),
    ],
    ids=["static", "dynamic"],
)
def test_a_function_finds_the_version_and_entry_points_of_the_project(
    build: str, project: str, cache: Path, tmp_path: Path
) -> None:
    shop = write_files(tmp_path / "shop", {
        "pyproject.toml": build + project, "src/my_shop/__init__.py": '__version__ = "1.2.3"\n',
        "src/my_shop/app.py": APP,
    })  # fmt: skip
    before = file_digests(shop)
    with ZipFile(build_zip(shop, cache, "src/my_shop.app:app", "--no-bytecode")) as archive:
        archive.extractall(tmp_path / "task")
    after = {path: digest for path, digest in file_digests(shop).items() if not path.startswith("build")}
    assert after == before
    script = "import my_shop.app as a; print(a.VERSION, a.ENTRY.name, a.ENTRY.load())"
    env = {"PYTHONPATH": f"{tmp_path / 'task'}:{tmp_path / 'task/src'}"}
    done = subprocess.run([*bare_python(), "-c", script], capture_output=True, text=True, env=env, check=False)
    assert done.stdout.startswith("1.2.3 green <function app"), done.stderr


def test_the_metadata_has_requirements_and_entry_points(tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {"pyproject.toml": BUILD.format("hatchling", "build") + PROJECT})
    write_files(tmp_path, project_metadata(shop, tmp_path, []))
    distribution = PathDistribution(tmp_path / "my_shop-1.2.3.dist-info")
    assert (distribution.name, distribution.version, distribution.metadata["Summary"]) == (
        "my_shop", "1.2.3", "Sells tea"
    )  # fmt: skip
    assert distribution.requires == ["six ; (python_version > '3') and extra == 'more'", "cups ; extra == 'more'"]
    assert {(entry.group, entry.name) for entry in distribution.entry_points} == {
        ("console_scripts", "shop"), ("shop.teas", "green")
    }  # fmt: skip


def test_the_metadata_of_a_poetry_project_is_that_of_its_own_table(tmp_path: Path) -> None:
    poetry = '[tool.poetry]\nname = "my-shop"\nversion = "2"\n[tool.poetry.plugins."shop.teas"]\ngreen = "a:b"\n'
    text = BUILD.format("poetry-core", "x") + poetry
    assert project_metadata(write_files(tmp_path, {"pyproject.toml": text}), tmp_path, []) == {
        "my_shop-2.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-shop\nVersion: 2\n",
        "my_shop-2.dist-info/entry_points.txt": "[shop.teas]\ngreen = a:b\n",
    }


@pytest.mark.parametrize(
    "text",
    [
        PROJECT,
        f"{BUILD.format('hatchling', 'build')}{PROJECT}[tool.uv]\npackage = false\n",
        '[tool.poetry]\npackage-mode = false\nname = "shop"\n' + BUILD.format("poetry-core", "x"),
        "[project",
    ],
)
def test_a_project_that_is_not_a_package_has_no_metadata(text: str, tmp_path: Path) -> None:
    assert project_metadata(write_files(tmp_path, {"pyproject.toml": text}), tmp_path, []) == {}


@pytest.mark.slow
def test_a_project_that_cannot_be_built_is_a_warning(tmp_path: Path) -> None:
    build = BUILD.format("hatchling", "build") + '[project]\nname = "shop"\ndynamic = ["version"]\n'
    warnings: list[str] = []
    assert project_metadata(write_files(tmp_path / "shop", {"pyproject.toml": build}), tmp_path, warnings) == {}
    assert warnings[0].startswith("The artifact has no metadata of the project")


def test_the_file_with_the_version_is_packaged_although_git_ignores_it(cache: Path, tmp_path: Path) -> None:
    tool = '[tool.setuptools_scm]\nversion_file = "shop/_version.py"\n'
    files = {"shop/app.py": PLAIN, "shop/_version.py": "version = '1'\n", "shop/_other.py": ""}
    shop = write_files(tmp_path / "shop", {**files, ".gitignore": "_*.py\n", "pyproject.toml": tool})
    subprocess.run(["git", "init", "-q"], cwd=shop, check=True)
    names = zip_names(build_zip(shop, cache, "shop.app:app"))
    assert ("shop/_version.py" in names, "shop/_other.py" in names) == (True, False)
