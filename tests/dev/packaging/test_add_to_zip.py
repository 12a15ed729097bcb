"""The bridge put into another tool's archive."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.dev.cli.packages import listing, names, package, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PLAIN = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'tea']\n"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def archive(folder: Path, files: dict[str, str]) -> Path:
    """A project, and a zip of it."""
    write(folder, files)
    return type(folder)(shutil.make_archive(str(folder / "made"), "zip", folder))


def test_it_and_the_applications_name_go_in_and_what_is_there_stays(cache: Path, tmp_path: Path) -> None:
    file = archive(tmp_path / "shop", {"web/app.py": PLAIN, ".serverless-wsgi": '{"base_path": "/x"}'})
    before = names(file)
    status, out, err = package(tmp_path / "shop", cache, "web/app.app", "--add-to", "made.zip", "--text-types", "a/b")
    assert (status, err) == (0, ""), out
    assert before - {"web/"} <= names(file)
    assert {"bridge/entrypoint.py", "asgiref/sync.py"} <= names(file)
    assert f"bridge/__pycache__/entrypoint.cpython-3{sys.version_info.minor}.pyc" in names(file)
    with ZipFile(file) as made:
        told = json.loads(made.read(".serverless-wsgi"))
        assert made.read("web/app.py").decode() == PLAIN
        assert made.testzip() is None
    assert told == {"app": "web/app.app", "base_path": "/x", "text_mime_types": ["a/b"]}


def test_without_an_interpreter_for_the_target_it_says_what_that_costs(cache: Path, tmp_path: Path) -> None:
    archive(tmp_path / "shop", {"app.py": PLAIN})
    status, _, err = package(tmp_path / "shop", cache, "app:app", "--add-to", "made.zip", "--python", "3.99")
    assert status == 0
    assert "There is no Python 3.99 here to compile with" in err


def test_twice_is_as_once_to_the_byte(cache: Path, tmp_path: Path) -> None:
    file = archive(tmp_path / "shop", {"app.py": PLAIN})
    made = []
    for _ in range(2):
        assert package(tmp_path / "shop", cache, "app:app", "--add-to", "made.zip")[0] == 0
        made.append(file.read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("files", "app", "message"),
    [
        ({"app.py": PLAIN}, "nowhere:app", "there is no module 'nowhere'"),
        ({"app.py": PLAIN, "bridge/other.py": "", "bridge/adapter.py": ""}, "app:app", "hide the bridge itself"),
    ],
)
def test_an_archive_that_cannot_work_stays_as_it_was(
    files: dict[str, str], app: str, message: str, cache: Path, tmp_path: Path
) -> None:
    archive(tmp_path / "shop", files)
    before = listing(tmp_path / "shop")
    status, _, err = package(tmp_path / "shop", cache, app, "--add-to", "made.zip")
    assert status == 1
    assert message in err
    assert listing(tmp_path / "shop") == before


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("app:app", "--add-to", "app.py"), 1, "is no zip file"),
        (("app:app", "--add-to", "missing.zip"), 1, "missing.zip: No such file or directory"),
        (("app:app", "--add-to", "a.zip", "-o", "b.zip"), 2, "-o and --files mean nothing with it"),
        (("app:app", "--no-app"), 2, "--no-app makes an artifact without an application"),
    ],
)
def test_wrong_words_are_one_message(
    words: tuple[str, ...], status: int, message: str, cache: Path, tmp_path: Path
) -> None:
    write(tmp_path / "shop", {"app.py": PLAIN})
    got, _, err = package(tmp_path / "shop", cache, *words)
    assert (got, message in err) == (status, True), err
