"""The bridge in a zip file that another tool has built."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.dev.cli.packages import PLAIN, file_digests, run_package, write_files, zip_names

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def create_zip(folder: Path, files: dict[str, str]) -> Path:
    """Write a project's files, and a zip file of them in the same folder."""
    write_files(folder, files)
    return Path(shutil.make_archive(str(folder / "made"), "zip", folder))


def test_the_bridge_and_the_applications_name_are_added_and_other_files_stay(cache: Path, tmp_path: Path) -> None:
    file = create_zip(tmp_path / "shop", {"web/app.py": PLAIN, ".serverless-wsgi": '{"base_path": "/x"}'})
    before = zip_names(file)
    arguments = ("web/app.app", "--add-to", "made.zip", "--text-types", "a/b")
    status, out, err = run_package(tmp_path / "shop", cache, *arguments)
    assert (status, err) == (0, ""), out
    after = zip_names(file)
    assert before - {"web/"} <= after
    assert {"bridge/entrypoint.py", "bridge/runtime/bootstrap", "asgiref/sync.py"} <= after
    assert not [name for name in after if name.startswith("bridge/dev/")]
    assert f"bridge/__pycache__/entrypoint.cpython-3{sys.version_info.minor}.pyc" in after
    with ZipFile(file) as archive:
        settings = json.loads(archive.read(".serverless-wsgi"))
        assert archive.read("web/app.py").decode() == PLAIN
        assert archive.testzip() is None
    assert settings == {"app": "web/app.app", "base_path": "/x", "text_mime_types": ["a/b"]}


def test_without_an_interpreter_for_the_target_there_is_a_warning(cache: Path, tmp_path: Path) -> None:
    create_zip(tmp_path / "shop", {"app.py": PLAIN})
    status, _, err = run_package(tmp_path / "shop", cache, "app:app", "--add-to", "made.zip", "--python", "3.99")
    assert status == 0
    assert "There is no Python 3.99 on this machine to compile bytecode with" in err


def test_adding_twice_gives_the_same_bytes_as_adding_once(cache: Path, tmp_path: Path) -> None:
    file = create_zip(tmp_path / "shop", {"app.py": PLAIN})
    results = []
    for _ in range(2):
        assert run_package(tmp_path / "shop", cache, "app:app", "--add-to", "made.zip")[0] == 0
        results.append(file.read_bytes())
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("files", "app", "message"),
    [
        ({"app.py": PLAIN}, "nowhere:app", "there is no module 'nowhere'"),
        ({"app.py": PLAIN, "bridge/other.py": "", "bridge/entrypoint.py": ""}, "app:app", "hide the bridge itself"),
    ],
)
def test_after_an_error_the_zip_file_is_unchanged(
    files: dict[str, str], app: str, message: str, cache: Path, tmp_path: Path
) -> None:
    create_zip(tmp_path / "shop", files)
    before = file_digests(tmp_path / "shop")
    status, _, err = run_package(tmp_path / "shop", cache, app, "--add-to", "made.zip")
    assert status == 1
    assert message in err
    assert file_digests(tmp_path / "shop") == before


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("app:app", "--add-to", "app.py"), 1, "app.py: File is not a zip file. Name a zip file"),
        (("app:app", "--add-to", "missing.zip"), 1, "missing.zip: No such file or directory"),
        (("app:app", "--add-to", "a.zip", "-o", "b.zip"), 2, "cannot be combined with --output or --files"),
        (("app:app", "--no-app"), 2, "--no-app builds an artifact without an application"),
    ],
)
def test_invalid_arguments_are_one_message(
    arguments: tuple[str, ...], status: int, message: str, cache: Path, tmp_path: Path
) -> None:
    write_files(tmp_path / "shop", {"app.py": PLAIN})
    actual, _, err = run_package(tmp_path / "shop", cache, *arguments)
    assert (actual, message in err) == (status, True), err
