"""Projects that Poetry has locked."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.dev.cli.packages import PLAIN, build_zip, file_digests, run_package, write_files, zip_names
from tests.dev.packaging.indexes import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

BUILD = '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
PROJECT = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
POETRY = "[tool.poetry]\npackage-mode = false\n"


def lock(poetry: str, folder: Path, **env: str) -> None:
    """Create the lock of a project; an older one has neither the groups nor the markers of packages."""
    own = {"POETRY_CACHE_DIR": str(folder.parent / "poetry-cache"), "POETRY_CONFIG_DIR": str(folder.parent / "config")}
    own |= {"POETRY_VIRTUALENVS_CREATE": "false"}
    variables = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", **own, **env}
    done = subprocess.run([poetry, "lock", "-n"], cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout


def make_older(file: Path) -> None:
    """Rewrite a lock as Poetry 1 writes it."""
    text = re.sub(r"^(groups|markers) = .*\n", "", file.read_text(), flags=re.MULTILINE)
    file.write_text(text.replace('lock-version = "2.1"', 'lock-version = "2.0"'))


def locks(poetry: str, folder: Path, **env: str) -> Iterator[None]:
    """Create the lock of a project, and then rewrite it as an older one."""
    lock(poetry, folder, **env)
    yield
    make_older(folder / "poetry.lock")
    yield


def repository(folder: Path, name: str) -> Path:
    """Make a repository with a project, whose module has ``A = 1``."""
    write_files(folder, {"pyproject.toml": library(name), f"{name}.py": "A = 1\n"})
    commit(folder, "init", "-q", "-b", "main")
    return folder


def library(name: str, *dependencies: str) -> str:
    return f'{BUILD}[project]\nname = "{name}"\nversion = "1"\ndependencies = {list(dependencies)!r}\n'


def commit(folder: Path, *first: str) -> None:
    identity = {f"GIT_{role}_{key}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    for words in (list(first), ["add", "-A"], ["commit", "-qm", "a"]):
        if words:
            subprocess.run(["git", *words], cwd=folder, check=True, env={**os.environ, **identity})


@pytest.mark.parametrize(
    "dependencies",
    [
        PROJECT + POETRY + '[tool.poetry.dependencies]\ntealib = {{git = "{url}", branch = "main"}}\n',
        PROJECT + 'dependencies = ["tealib @ git+{url}@main"]\n' + POETRY,
    ],
)
def test_a_repository_is_at_the_commit_in_the_lock(dependencies: str, poetry: str, cache: Path, tmp_path: Path) -> None:
    tea = repository(tmp_path / "tea", "tealib")
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "pyproject.toml": dependencies.format(url=tea.as_uri())
    })  # fmt: skip
    for number, _ in enumerate(locks(poetry, shop)):
        (tea / "tealib.py").write_text(f"A = 2{number}\n")
        commit(tea)
        with ZipFile(build_zip(shop, cache, "app:app")) as archive:
            assert archive.read("tealib.py") == b"A = 1\n"


def test_a_local_project_that_requires_another_is_built_with_it(poetry: str, cache: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {
        "shop/app.py": PLAIN,
        "shop/pyproject.toml": f'{PROJECT}{POETRY}[tool.poetry.dependencies]\ntealib = {{path = "../tea"}}\n',
        "tea/pyproject.toml": f'{library("tealib")}[tool.poetry.dependencies]\ncuplib = {{path = "../cup"}}\n'.replace(
            "dependencies = []", 'dynamic = ["dependencies"]'
        ),
        "tea/tealib.py": "",
        "cup/pyproject.toml": library("cuplib"),
        "cup/cuplib.py": "",
    })  # fmt: skip
    before = {**file_digests(tmp_path / "tea"), **file_digests(tmp_path / "cup")}
    for _ in locks(poetry, tmp_path / "shop"):
        assert {"tealib.py", "cuplib.py"} <= zip_names(build_zip(tmp_path / "shop", cache, "app:app"))
        assert {**file_digests(tmp_path / "tea"), **file_digests(tmp_path / "cup")} == before


def source(name: str, url: str, priority: str = "primary") -> str:
    return f'[[tool.poetry.source]]\nname = "{name}"\nurl = "{url}"\npriority = "{priority}"\n'


def test_a_package_comes_from_the_source_that_the_lock_names(
    poetry: str, index: Index, cache: Path, tmp_path: Path
) -> None:
    index.add("cups", "1.0")
    index.add("tea-leaves", "2.0")
    with Index(tmp_path / "own", "me:secret") as own:
        own.add("tea-leaves", "1.0", requires=("cups",))
        own.add("cups", "99.0")
        shop = write_files(tmp_path / "shop", {
            "app.py": PLAIN,
            "pyproject.toml": f'{PROJECT}dependencies = ["cups", "tea-leaves"]\n{POETRY}[tool.poetry.dependencies]\n'
            f'tea-leaves = {{source = "tea-shop"}}\n{source("tea-shop", own.url(), "explicit")}'
            f"{source('main', index.url())}",
        })  # fmt: skip
        env = {"POETRY_HTTP_BASIC_TEA_SHOP_USERNAME": "me", "POETRY_HTTP_BASIC_TEA_SHOP_PASSWORD": "secret"}
        for _ in locks(poetry, shop, **env):
            names = zip_names(build_zip(shop, cache, "app:app", **env))
            assert {"tea_leaves-1.0.dist-info/METADATA", "cups-1.0.dist-info/METADATA"} <= names


@pytest.mark.parametrize("has_lock", [True, False])
def test_an_index_with_a_password_serves_its_packages_only(
    has_lock: bool, poetry: str, index: Index, cache: Path, tmp_path: Path
) -> None:
    index.add("cups", "1.0")
    with Index(tmp_path / "own", "me:a/b@c") as own:
        own.add("tea-leaves", "1.0", requires=("cups",))
        own.add("cups", "99.0")
        shop = write_files(tmp_path / "shop", {
            "app.py": PLAIN,
            "lib/pyproject.toml": library("tealib"),
            "lib/tealib.py": "",
            "pyproject.toml": f"""[tool.poetry]\nname = "shop"\nversion = "1"\ndescription = ""\nauthors = []
                [tool.poetry.dependencies]\npython = "^3.11"\ntealib = {{path = "lib"}}
                tea-leaves = {{version = "*", source = "own-shop"}}\n"""
            f"{source('own-shop', own.url(), 'explicit')}{source('main', index.url())}",
        })  # fmt: skip
        env = {"POETRY_HTTP_BASIC_OWN_SHOP_USERNAME": "me", "POETRY_HTTP_BASIC_OWN_SHOP_PASSWORD": "a/b@c"}
        if has_lock:
            lock(poetry, shop, **env)
        names = zip_names(build_zip(shop, cache, "app:app", **env))
    assert {"tea_leaves-1.0.dist-info/METADATA", "cups-1.0.dist-info/METADATA", "tealib.py"} <= names


def test_a_lock_of_other_versions_is_an_error(poetry: str, index: Index, cache: Path, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        index.add("cups", version)
    text = f'{PROJECT}dependencies = ["cups<2"]\n[dependency-groups]\ndev = []\n{POETRY}{source("main", index.url())}'
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": text})
    lock(poetry, shop)
    build_zip(shop, cache, "app:app")
    write_files(shop, {"pyproject.toml": text.replace("cups<2", "cups>=2")})
    status, out, err = run_package(shop, cache, "app:app")
    assert (status, out) == (1, "")
    assert "poetry.lock is older than the dependencies in pyproject.toml. Create it again with `poetry lock`." in err


@pytest.mark.parametrize(("kind", "is_older"), [("path", True), ("url", False)])
def test_another_content_of_a_locked_file_is_an_error(
    kind: str, is_older: bool, poetry: str, index: Index, cache: Path, tmp_path: Path
) -> None:
    wheel = index.add("tea-leaves", "1.0")
    location = str(wheel) if kind == "path" else f"{index.url()}tea-leaves/{wheel.name}"
    text = f'{PROJECT}{POETRY}[tool.poetry.dependencies]\ntea-leaves = {{{kind} = "{location}"}}\n'
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": text})
    lock(poetry, shop)
    if is_older:
        make_older(shop / "poetry.lock")
    assert "tea_leaves.py" in zip_names(build_zip(shop, cache, "app:app"))
    index.add("tea-leaves", "1.0", requires=("six",))
    status, out, err = run_package(
        shop, cache, "app:app", UV_CACHE_DIR=str(tmp_path / "uv"), XDG_CACHE_HOME=str(tmp_path)
    )
    assert (status, out) == (1, "")
    assert "Hash mismatch" in err


def test_an_annotated_tag_in_a_lock_of_poetry_1_is_its_commit(poetry: str, cache: Path, tmp_path: Path) -> None:
    tea = repository(tmp_path / "tea", "tealib")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "tag", "-am", "first", "v1"], cwd=tea, check=True)
    text = f'{PROJECT}{POETRY}[tool.poetry.dependencies]\ntealib = {{git = "{tea.as_uri()}", tag = "v1"}}\n'
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "pyproject.toml": text})
    lock(poetry, shop)
    head, tag = (
        subprocess.run(["git", "rev-parse", name], cwd=tea, check=True, capture_output=True, text=True).stdout.strip()
        for name in ("HEAD", "v1")
    )
    file = shop / "poetry.lock"
    file.write_text(file.read_text().replace(head, tag))
    make_older(file)
    assert tag in file.read_text()
    assert "tealib.py" in zip_names(build_zip(shop, cache, "app:app"))


def test_alternatives_of_versions_are_settled_by_the_lock(
    poetry: str, index: Index, cache: Path, tmp_path: Path
) -> None:
    for version in ("1.0", "1.5", "2.0"):
        index.add("cups", version)
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN,
        "pyproject.toml": f'{PROJECT}{POETRY}[tool.poetry.dependencies]\ncups = "1.0 || 1.5"\n'
        + source("main", index.url()),
    })  # fmt: skip
    status, _, err = run_package(shop, cache, "app:app")
    assert status == 1
    assert "cups has the version '1.0 || 1.5', which is not supported without a lock file" in err
    lock(poetry, shop)
    assert "cups-1.5.dist-info/METADATA" in zip_names(build_zip(shop, cache, "app:app"))
    make_older(shop / "poetry.lock")
    assert "cups-1.5.dist-info/METADATA" in zip_names(build_zip(shop, cache, "app:app"))


def test_a_lock_for_another_python_is_an_error(poetry: str, index: Index, cache: Path, tmp_path: Path) -> None:
    index.add("cups", "1.0")
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN,
        "pyproject.toml": PROJECT.replace(">=3.11", ">=3.11,<3.13") + f'dependencies = ["cups"]\n{POETRY}'
        + source("main", index.url()),
    })  # fmt: skip
    lock(poetry, shop)
    status, out, err = run_package(shop, cache, "app:app", "--python", "3.13", "--no-bytecode")
    assert (status, out) == (1, "")
    assert "The requirements in poetry.lock are for Python >=3.11,<3.13, and the target is Python 3.13" in err
    build_zip(shop, cache, "app:app", "--python", "3.12", "--no-bytecode")


@pytest.mark.parametrize("has_lock", ["lock", "older lock", "no lock"])
def test_groups_and_extras_are_installed_on_request(
    has_lock: str, poetry: str, index: Index, cache: Path, tmp_path: Path
) -> None:
    for name in ("cups", "tea", "milk"):
        index.add(name, "1.0")
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN,
        "pyproject.toml": '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = ">=3.11"\n'
        'cups = "^1"\nmilk = {version = "^1", optional = true}\n[tool.poetry.extras]\nmore = ["milk"]\n'
        '[tool.poetry.group.web.dependencies]\ntea = "^1"\n' + source("main", index.url()),
    })  # fmt: skip
    if has_lock != "no lock":
        lock(poetry, shop)
    if has_lock == "older lock":
        make_older(shop / "poetry.lock")
    for arguments, expected in (
        ((), {"cups"}),
        (("--group", "web"), {"cups", "tea"}),
        (("--extra", "more"), {"cups", "milk"}),
        (("--group", "web", "--extra", "more", "--no-group", "web"), {"cups", "milk"}),
    ):
        names = zip_names(build_zip(shop, cache, "app:app", *arguments))
        assert {name for name in ("cups", "tea", "milk") if f"{name}.py" in names} == expected, arguments
