"""Projects of uv: workspaces, and the sources of requirements."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from bridge.dev.packaging.uv_workspace import outdated_in_uv_lock
from tests.dev.cli.packages import PLAIN, build_zip, file_digests, run_package, write_files, zip_names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dev.packaging.indexes import Index

pytestmark = pytest.mark.slow

BUILD = '[build-system]\nrequires = ["setuptools>=70"]\nbuild-backend = "setuptools.build_meta"\n'


def project(name: str, *dependencies: str, build: bool = False, more: str = "") -> str:
    """Return the text of a pyproject.toml."""
    head = f'[project]\nname = "{name}"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
    return f"{head}dependencies = {list(dependencies)!r}\n{BUILD if build else ''}{more}"


def shop(folder: Path, library: str = "shoplib") -> Path:
    """Write a workspace with the members ``web`` and ``lib``, and lock it."""
    write_files(folder, {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["lib", "web"]\n',
        "lib/pyproject.toml": project(library, "six==1.16.0", build=True),
        f"lib/{library}/__init__.py": "A = 1\n",
        "web/app.py": PLAIN,
        "web/pyproject.toml": project(
            "web", library, "itsdangerous==2.1.2", more=f"[tool.uv.sources]\n{library} = {{ workspace = true }}\n"
        ),
    })  # fmt: skip
    lock(folder)
    return folder


def lock(folder: Path) -> None:
    subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=folder, check=True)


@pytest.mark.parametrize("library", ["shoplib", "colorama"])  # colorama is a package of PyPI as well
@pytest.mark.parametrize(("place", "app"), [("web", "app:app"), (".", "web/app.app"), (".", "web.app:app")])
def test_the_member_of_the_application_is_installed_with_the_members_that_it_requires(
    place: str, app: str, library: str, cache: Path, tmp_path: Path
) -> None:
    root = shop(tmp_path / "shop", library)
    before = file_digests(root)
    names = zip_names(build_zip(root / place, cache, app))
    assert {f"{library}/__init__.py", f"{library}-0.1.0.dist-info/METADATA"} <= names
    assert {"six-1.16.0.dist-info/METADATA", "itsdangerous-2.1.2.dist-info/METADATA"} <= names
    after = file_digests(root)
    assert {path: after[path] for path in before} == before
    new = {path for path in after.keys() - before.keys() if not path.startswith("web-temporary")}
    assert new <= {"build", "build/function.zip", "web/build", "web/build/function.zip"}


def test_a_member_is_built_anew_after_a_change(cache: Path, tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    for number in (1, 2):
        (root / "lib/shoplib/__init__.py").write_text(f"A = {number}\n")
        with ZipFile(build_zip(root / "web", cache, "app:app")) as archive:
            assert archive.read("shoplib/__init__.py") == f"A = {number}\n".encode()


def test_an_application_outside_of_the_members_of_a_workspace_without_a_project_is_an_error(
    cache: Path, tmp_path: Path
) -> None:
    root = shop(tmp_path / "shop")
    workspace = '[tool.uv.workspace]\nmembers = ["lib", "web", "apps/*"]\nexclude = ["apps/old"]\n'
    old = {"apps/old/pyproject.toml": project("old"), "apps/new/pyproject.toml": project("new")}
    write_files(root, {"app.py": PLAIN, "pyproject.toml": workspace, **old})
    status, out, err = run_package(root, cache, "app:app")
    assert (status, out) == (1, "")
    assert "members: apps/new, lib, web. Name an application in one of them, such as apps/new/app:app" in err


def test_a_member_with_a_dynamic_version_stays_unchanged(cache: Path, tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    file = root / "lib/pyproject.toml"
    file.write_text(file.read_text().replace('version = "0.1.0"', 'dynamic = ["version"]'))
    write_files(root, {"lib/setup.py": "from setuptools import setup\nsetup(version='0.1.0')\n"})
    lock(root)
    for path in root.glob("lib/*.egg-info"):
        shutil.rmtree(path)
    before = set(file_digests(root / "lib"))
    build_zip(root / "web", cache, "app:app", UV_CACHE_DIR=str(tmp_path / "uv-cache"))
    assert set(file_digests(root / "lib")) == before


def test_the_root_of_a_workspace_may_be_a_project(cache: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "shop", {
        "app.py": PLAIN,
        "pyproject.toml": project("shop", "six==1.16.0", more='[tool.uv.workspace]\nmembers = ["web"]\n'),
        "web/app.py": PLAIN,
        "web/pyproject.toml": project("web", "itsdangerous==2.1.2"),
    })  # fmt: skip
    lock(tmp_path / "shop")
    root, member = (zip_names(build_zip(tmp_path / "shop", cache, app)) for app in ("app:app", "web/app:app"))
    assert ("six.py" in root, "six.py" in member) == (True, False)
    assert ("itsdangerous/__init__.py" in root, "itsdangerous/__init__.py" in member) == (False, True)


@pytest.mark.parametrize("has_lock", [True, False])
def test_path_sources_are_built_from_their_folders_with_and_without_a_lock(
    has_lock: bool, cache: Path, tmp_path: Path
) -> None:
    root = write_files(tmp_path, {
        "shop/app.py": PLAIN,
        "shop/pyproject.toml": project(
            "shop", "tealib", more='[tool.uv.sources]\ntealib = { path = "../tea lib", editable = true }\n'
        ),
        "tea lib/pyproject.toml": project(
            "tealib", "cuplib", build=True, more='[tool.uv.sources]\ncuplib = { path = "../cup" }\n'
        ),
        "tea lib/tealib.py": "",
        "cup/pyproject.toml": project("cuplib", build=True),
        "cup/cuplib.py": "",
    })  # fmt: skip
    if has_lock:
        lock(root / "shop")
    names = zip_names(build_zip(root / "shop", cache, "app:app"))
    assert {"tealib.py", "cuplib.py"} <= names
    assert not [path for path in root.rglob("*") if path.name in ("build", "lib") and "shop" not in path.parts]
    assert not list(root.rglob("*.egg-info"))


def test_a_workspace_source_without_a_lock_is_built_from_its_folder(cache: Path, tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    (root / "uv.lock").unlink()
    assert "shoplib/__init__.py" in zip_names(build_zip(root / "web", cache, "app:app"))


def test_a_member_that_is_not_declared_as_a_source_is_an_error(cache: Path, tmp_path: Path) -> None:
    root = shop(tmp_path / "shop", "colorama")
    (root / "uv.lock").unlink()
    write_files(root, {"web/pyproject.toml": project("web", "colorama", more="[tool.uv.sources]\ncolorama = {}\n")})
    status, out, err = run_package(root / "web", cache, "app:app")
    assert (status, out) == (1, "")
    assert "The requirements in pyproject.toml cannot be installed" in err


def test_a_repository_is_at_the_commit_in_the_lock(cache: Path, tmp_path: Path) -> None:
    tea = write_files(tmp_path / "tea", {"pyproject.toml": project("tealib", build=True), "tealib.py": "A = 1\n"})
    commit(tea, "init", "-q", "-b", "main")
    sources = f'[tool.uv.sources]\ntealib = {{ git = "{tea.as_uri()}", branch = "main" }}\n'
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "pyproject.toml": project("shop", "tealib", more=sources)
    })  # fmt: skip
    lock(shop)
    (tea / "tealib.py").write_text("A = 2\n")
    commit(tea)
    with ZipFile(build_zip(shop, cache, "app:app")) as archive:
        assert archive.read("tealib.py") == b"A = 1\n"


def commit(folder: Path, *first: str) -> None:
    identity = {f"GIT_{role}_{key}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    for words in (list(first), ["add", "-A"], ["commit", "-qm", "a"]):
        if words:
            subprocess.run(["git", *words], cwd=folder, check=True, env={**os.environ, **identity})


@pytest.mark.parametrize("variables", [{}, {"UV_OFFLINE": "1", "UV_CACHE_DIR": "empty"}], ids=["online", "offline"])
def test_a_lock_that_is_older_than_pyproject_is_an_error(
    variables: dict[str, str], cache: Path, tmp_path: Path
) -> None:
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": project("shop", "six")})
    lock(shop)
    write_files(shop, {"pyproject.toml": project("shop", "six", "itsdangerous")})
    status, out, err = run_package(shop, cache, "app:app", **variables)
    assert (status, out) == (1, "")
    assert f"{shop / 'uv.lock'} is older than pyproject.toml" in err
    assert "`uv lock`" in err


@pytest.mark.parametrize(
    ("dependency", "is_outdated"),
    [
        ("six >=1.15, <1.17", False),
        ("six[x] (<1.17,>=1.15) ; python_version > '3'", False),
        ("six>=1.15rc1", False),
        ("six>=1.15", True),
        ("six", True),
    ],
)
def test_the_versions_in_a_lock_are_compared_if_uv_cannot_check_it(
    dependency: str, is_outdated: bool, tmp_path: Path
) -> None:
    # As when the project does not allow the Python that runs the bridge.
    lock = """
        [[package]]
        name = "six"
        [[package]]
        name = "tealib"
        [[package]]
        name = "my-shop"
        [package.metadata]
        requires-dist = [
            { name = "six", specifier = ">=1.15,<1.17" },
            { name = "tealib", editable = "../tea" },
        ]
    """
    write_files(tmp_path, {"uv.lock": lock, "pyproject.toml": project("My.Shop", dependency, "tealib>=2")})
    assert bool(outdated_in_uv_lock(tmp_path, tmp_path / "uv.lock")) == is_outdated


def test_a_lock_for_another_python_is_an_error(cache: Path, tmp_path: Path) -> None:
    current, other = f"3.{sys.version_info.minor}", "3.12" if sys.version_info.minor != 12 else "3.13"
    text = project("shop", "six").replace(">=3.11", f"=={current}.*")
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": text})
    lock(shop)
    status, out, err = run_package(shop, cache, "app:app", "--python", other, "--no-bytecode")
    assert (status, out) == (1, "")
    assert "The requirements in uv.lock are for Python" in err
    build_zip(shop, cache, "app:app", "--python", current, "--no-bytecode")


def test_a_lock_above_a_folder_that_is_no_project_is_named(cache: Path, tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    write_files(root, {"other/app.py": PLAIN})
    status, _, err = run_package(root / "other", cache, "app:app")
    assert status == 0
    assert f"To install those above the project: --requirements {root / 'uv.lock'}" in err


@pytest.mark.parametrize("has_lock", [True, False])
def test_an_explicit_index_is_used_for_its_packages_only(
    has_lock: bool, index: Index, cache: Path, tmp_path: Path
) -> None:
    index.add("six", "99.0")
    index.add("tea-leaves", "1.0", requires=("itsdangerous",))
    sources = '[tool.uv.sources]\ntea-leaves = { index = "tea" }\n'
    indexes = f'[[tool.uv.index]]\nname = "tea"\nurl = "{index.url()}"\nexplicit = true\n'
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "pyproject.toml": project("shop", "tea-leaves", "six", more=sources + indexes)
    })  # fmt: skip
    if has_lock:
        lock(shop)
    names = zip_names(build_zip(shop, cache, "app:app"))
    assert {"tea_leaves.py", "itsdangerous/__init__.py", "six.py"} <= names
    assert "six-99.0.dist-info/METADATA" not in names


def test_the_lock_of_a_workspace_may_be_named(cache: Path, tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    assert "itsdangerous/__init__.py" in zip_names(build_zip(root, cache, "web/app.app", "-r", "uv.lock"))


def test_a_symbolic_link_may_lead_to_the_folder_of_temporary_files(cache: Path, tmp_path: Path) -> None:
    root = shop(tmp_path / "shop")
    (tmp_path / "a/b/temporary").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a/b/temporary")
    assert "shoplib/__init__.py" in zip_names(build_zip(root, cache, "web/app.app", TMPDIR=str(tmp_path / "link")))
