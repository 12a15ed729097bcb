"""The indexes that a project, its lock, or the configuration of pip and uv name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging.pip_config import uv_index_options
from tests.dev.cli.packages import PLAIN, build_zip, run_package, write_files, zip_names
from tests.dev.packaging.indexes import Index, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Index]:
    """An index that requires a user and a password, and has a package."""
    with Index(tmp_path / "own", "me:a/b") as running:
        running.add("tea-leaves", "1.0")
        yield running


@pytest.mark.slow
def test_packages_of_a_pipfile_lock_come_from_the_index_that_it_names(
    own: Index, index: Index, cache: Path, tmp_path: Path
) -> None:
    index.add("tea-leaves", "1.0", requires=("none",))
    index.add("cups", "1.0")
    lock = {
        "_meta": {
            "sources": [
                {"name": "main", "url": index.url()},
                {"name": "own", "url": own.url("${OWN_USER}:${OWN_PASS}")},
            ]
        },
        "default": {"tea-leaves": {"version": "==1.0", "index": "own"}, "cups": {"version": "==1.0"}},
    }
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "Pipfile.lock": json.dumps(lock)})
    names = zip_names(build_zip(shop, cache, "app:app", OWN_USER="me", OWN_PASS="a/b"))
    assert {"tea_leaves.py", "cups.py"} <= names
    assert any("tea-leaves" in path for path in own.requests)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["variable", "file"])
def test_the_configuration_of_pip_counts(kind: str, own: Index, cache: Path, tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements.txt": "tea-leaves\nsix==1.16.0\n"})
    url = own.url("me:a%2Fb")
    config = write_files(tmp_path / "config", {"pip.conf": f"[global]\nextra-index-url = {url}\n"}) / "pip.conf"
    environment = {"PIP_EXTRA_INDEX_URL": url} if kind == "variable" else {"PIP_CONFIG_FILE": str(config)}
    assert {"tea_leaves.py", "six.py"} <= zip_names(build_zip(shop, cache, "app:app", **environment))
    status, _, err = run_package(shop, cache, "app:app", PIP_CONFIG_FILE="/dev/null")
    assert (status, "tea-leaves" in err) == (1, True)


@pytest.mark.slow
def test_find_links_are_relative_to_the_requirements_file(cache: Path, tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "requirements/base.txt": "--find-links ./wheels\ntea-leaves\n./lib\n",
        "requirements.txt": "-r requirements/base.txt\n", "lib/tealib.py": "",
        "lib/setup.py": "from setuptools import setup\nsetup(name='tealib', version='1', py_modules=['tealib'])\n",
    })  # fmt: skip
    make_wheel(shop / "requirements/wheels", "tea-leaves", "1.0")
    assert {"tea_leaves.py", "tealib.py"} <= zip_names(build_zip(shop, cache, "app:app"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; no variable configures pip or uv."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "XDG_")) or name == "VIRTUAL_ENV":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path / "home"


STRATEGY = ["--index-strategy", "unsafe-best-match"]


def test_settings_of_pip_become_options_of_uv(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if uv_index_options(tmp_path):
        pytest.skip("/etc/pip.conf configures an index")
    write_files(home, {
        ".config/pip/pip.conf": "[global]\nindex-url = https://a.example\nextra_index_url =\n  https://b.example\n"
        "  https://c.example\n[install]\nfind-links = /wheels\ntrusted-host = d.example\n",
    })  # fmt: skip
    assert uv_index_options(tmp_path) == [
        "--default-index", "https://a.example", "--index", "https://b.example", "--index", "https://c.example",
        "--find-links", "/wheels", "--allow-insecure-host", "d.example", *STRATEGY,
    ]  # fmt: skip
    monkeypatch.setenv("PIP_INDEX_URL", "https://d.example")
    assert uv_index_options(tmp_path)[:2] == ["--default-index", "https://d.example"]


@pytest.mark.parametrize(
    ("files", "variables", "is_ignored"),
    [
        ({"pyproject.toml": '[[tool.uv.index]]\nurl = "https://a.example"\n'}, {}, True),
        ({"pyproject.toml": '[[tool.uv.index]]\nurl = "https://a.example"\nexplicit = true\n'}, {}, False),
        ({"uv.toml": 'index-url = "https://a.example"\n'}, {}, True),
        ({"pyproject.toml": '[tool.uv.pip]\nindex-url = "https://a.example"\n'}, {}, True),
        ({"pyproject.toml": "[tool.uv]\n"}, {}, False),
        ({}, {"UV_DEFAULT_INDEX": "https://a.example"}, True),
        ({}, {"PIP_CONFIG_FILE": "/dev/null"}, False),
    ],
)
def test_indexes_of_uv_take_precedence_over_those_of_pip(
    files: dict[str, str], variables: dict[str, str], is_ignored: bool, home: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    options = uv_index_options(write_files(tmp_path / "shop", {**files, "x": ""}))
    assert ("https://pip.example" in options) != is_ignored


@pytest.mark.slow
@pytest.mark.parametrize("place", ["shop", "shop/web"])
@pytest.mark.parametrize("has_lock", [True, False])
def test_the_credentials_of_an_index_of_uv_are_in_variables(
    place: str, has_lock: bool, own: Index, cache: Path, tmp_path: Path
) -> None:
    index = f'[[tool.uv.index]]\nname = "own"\nurl = "{own.url()}"\nexplicit = true\n'
    sources = '[tool.uv.sources]\ntea-leaves = { index = "own" }\n'
    project = '[project]\nname = "{}"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["tea-leaves"]\n'
    write_files(tmp_path / "shop", {
        "app.py": PLAIN, "web/app.py": PLAIN, "web/pyproject.toml": project.format("web"),
        "pyproject.toml": f'{project.format("shop")}{sources}{index}[tool.uv.workspace]\nmembers = ["web"]\n',
    })  # fmt: skip
    env = {"UV_INDEX_OWN_USERNAME": "me", "UV_INDEX_OWN_PASSWORD": "a/b"}
    if has_lock:
        words = ["uv", "lock", "-q", "--python", sys.executable]
        subprocess.run(words, cwd=tmp_path / "shop", check=True, env={**os.environ, **env})
    names = zip_names(build_zip(tmp_path / place, cache, "app:app", **env, UV_CACHE_DIR=str(tmp_path / "uv-cache")))
    assert "tea_leaves.py" in names
