"""Wheels of local projects are built in their folders, which stay unchanged."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.dev.cli.packages import PLAIN, build_zip, file_digests, run_package, without_uv, write_files, zip_names

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=70"]\nbuild-backend = "setuptools.build_meta"\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
HATCH_VCS = HATCH.replace('"hatchling"]', '"hatchling", "hatch-vcs"]')
SCM = '[build-system]\nrequires = ["setuptools>=70", "setuptools_scm"]\nbuild-backend = "setuptools.build_meta"\n'
PROJECT = '[project]\nname = "tealib"\n'
# Each project's files, and the file of the wheel with its content.
PROJECTS: dict[str, tuple[dict[str, str], str, str]] = {
    "a file above the project": (
        {
            "VERSION": "4.2",
            "libs/tea/pyproject.toml": f'{SETUPTOOLS}{PROJECT}dynamic = ["version"]\n',
            "libs/tea/setup.py": "from setuptools import setup\nsetup(version=open('../../VERSION').read())\n",
            "libs/tea/tealib.py": "A = 1\n",
        },
        "tealib-4.2.dist-info/METADATA",
        "Version: 4.2",
    ),
    "the repository": (
        {
            "libs/tea/pyproject.toml": f'{SCM}{PROJECT}dynamic = ["version"]\n'
            '[tool.setuptools_scm]\nroot = "../.."\n[tool.setuptools]\npy-modules = ["tealib"]\n',
            "libs/tea/tealib.py": "A = 1\n",
        },
        "tealib-7.1.dist-info/METADATA",
        "Version: 7.1",
    ),
    "a version that setuptools_scm writes": (
        {
            "libs/tea/pyproject.toml": f'{SCM}{PROJECT}dynamic = ["version"]\n[tool.setuptools_scm]\nroot = "../.."\n'
            'version_file = "tealib/_version.py"\nwrite_to = "libs/tea/tealib/_old.py"\n',
            "libs/tea/tealib/__init__.py": "",
            "libs/tea/tealib/_old.py": "version = 'mine'\n",
            ".gitignore": "_old.py\n",
        },
        "tealib/_version.py",
        "7.1",
    ),
    "a version that setup.py writes": (
        {
            "libs/tea/setup.py": "from setuptools import setup\nsetup(name='tealib', packages=['tealib'], "
            "use_scm_version={'root': '../..', 'write_to': 'libs/tea/tealib/_version.py'})\n",
            "libs/tea/pyproject.toml": SCM,
            "libs/tea/tealib/__init__.py": "",
        },
        "tealib/_version.py",
        "7.1",
    ),
    "a version that hatch-vcs writes": (
        {
            "libs/tea/pyproject.toml": f"{HATCH_VCS}{PROJECT}"
            'dynamic = ["version"]\n[tool.hatch.version]\nsource = "vcs"\nraw-options = { root = "../.." }\n'
            '[tool.hatch.build.hooks.vcs]\nversion-file = "tealib/_version.py"\n',
            "libs/tea/tealib/__init__.py": "",
        },
        "tealib/_version.py",
        "7.1",
    ),
    "a link": (
        {
            "shared/words.py": "WORD = 'tea'\n",
            "libs/tea/pyproject.toml": f'{SETUPTOOLS}{PROJECT}version = "1"\n',
            "libs/tea/tealib/__init__.py": "",
            "libs/tea/tealib/words.py": "-> ../../../shared/words.py",
        },
        "tealib/words.py",
        "WORD = 'tea'",
    ),
    "force-include": (
        {
            "shared/words.py": "WORD = 'tea'\n",
            "libs/tea/pyproject.toml": f'{HATCH}{PROJECT}version = "1"\n'
            '[tool.hatch.build.targets.wheel.force-include]\n"../../shared/words.py" = "tealib/words.py"\n',
            "libs/tea/tealib/__init__.py": "",
        },
        "tealib/words.py",
        "WORD = 'tea'",
    ),
}


@pytest.mark.parametrize("case", PROJECTS)
def test_a_build_may_read_files_outside_of_the_project(case: str, cache: Path, tmp_path: Path) -> None:
    files, name, content = PROJECTS[case]
    root = write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements.txt": "./libs/tea\n", **files})
    for path in list(root.rglob("*")):
        if path.is_file() and path.read_text().startswith("-> "):
            target = path.read_text().removeprefix("-> ")
            path.unlink()
            path.symlink_to(target)
    commit(root)
    before = file_digests(root)
    build_zip(root, cache, "app:app", "-o", "../function.zip", UV_CACHE_DIR=str(tmp_path / "uv-cache"))
    with ZipFile(tmp_path / "function.zip") as archive:
        assert content in archive.read(name).decode()
    assert {path: digest for path, digest in file_digests(root).items() if not path.startswith(".git/")} == {
        path: digest for path, digest in before.items() if not path.startswith(".git/")
    }


def commit(folder: Path) -> None:
    """Make a repository of *folder* with a tag."""
    identity = {f"GIT_{role}_{key}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "v7.1"]):
        subprocess.run(["git", *words], cwd=folder, check=True, env={**os.environ, **identity})


@pytest.mark.parametrize(
    ("line", "backend", "has_uv"),
    [
        ("-e ./my lib", HATCH, True),
        ("./my lib", SETUPTOOLS, True),
        ("tealib @ file://${PWD}/my%20lib", HATCH, True),
        ("tealib[fast] @ file:./my%20lib  # ours", HATCH, True),
        ("-e ./my lib[fast]", SETUPTOOLS, False),
    ],
    ids=["editable", "folder", "URL", "relative URL", "without uv"],
)
def test_a_local_project_is_built_each_time_and_stays_unchanged(
    line: str, backend: str, has_uv: bool, cache: Path, tmp_path: Path
) -> None:
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "requirements/base.txt": f"{line}\n--find-links ./wheels\n",
        "requirements.txt": "-r requirements/base.txt\n", "my lib/tealib.py": "A = 0\n", "wheels/x": "",
        "my lib/pyproject.toml": f'{backend}{PROJECT}version = "1"\n[project.optional-dependencies]\nfast = []\n',
    })  # fmt: skip
    environment = {} if has_uv else without_uv(tmp_path / "machine")
    for number in (1, 2):
        (shop / "my lib/tealib.py").write_text(f"A = {number}\n")
        before = file_digests(shop)
        build_zip(shop, cache, "app:app", "-o", "../function.zip", **environment)
        with ZipFile(tmp_path / "function.zip") as archive:
            assert archive.read("tealib.py") == f"A = {number}\n".encode()
            assert not [name for name in archive.namelist() if name.endswith(".pth")]
            own = [archive.read(name) for name in archive.namelist() if "tealib" in name]
            assert str(tmp_path).encode() not in b"".join(own)
        assert file_digests(shop) == before


def test_a_path_is_relative_to_the_project_or_else_to_the_requirements_file(cache: Path, tmp_path: Path) -> None:
    library = {"pyproject.toml": f'{SETUPTOOLS}{PROJECT}version = "1"\n', "tealib.py": ""}
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements/base.txt": "./lib\n"})
    write_files(shop / "requirements/lib", library)
    assert "tealib.py" in zip_names(build_zip(shop, cache, "app:app", "-r", "requirements/base.txt"))
    write_files(shop / "lib", library)
    status, out, err = run_package(shop, cache, "app:app", "-r", "requirements/base.txt")
    assert (status, out) == (1, "")
    assert "requirements/base.txt, line 1: lib is ambiguous" in err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("./none", "requirements.txt, line 2: none does not exist. Searched:"),
        ("./empty", "shop/empty is not a Python project, because it has neither pyproject.toml nor setup.py"),
        ("./broken", "shop/broken cannot be built:"),
    ],
)
def test_a_local_project_that_cannot_be_built_is_one_message(
    line: str, message: str, cache: Path, tmp_path: Path
) -> None:
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "requirements.txt": f"# ours\n{line}\n", "empty/x": "",
        "broken/pyproject.toml": f'{SETUPTOOLS}{PROJECT}version = "1"\n[tool.setuptools]\npackages = ["none"]\n',
    })  # fmt: skip
    status, out, err = run_package(shop, cache, "app:app")
    assert (status, out) == (1, "")
    assert message in err
    assert "Traceback" not in err
