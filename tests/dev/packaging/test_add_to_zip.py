"""The bridge in a zip file that another tool has built."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.dev.cli.packages import PLAIN, file_digests, other_python, run_package, write_files, zip_names

pytestmark = pytest.mark.slow


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


def test_without_an_interpreter_for_the_target_there_is_a_warning(tmp_path: Path) -> None:
    create_zip(tmp_path / "shop", {"app.py": PLAIN})
    version, env = other_python(tmp_path / "machine")
    arguments = ("app:app", "--add-to", "made.zip", "--python", version)
    status, _, err = run_package(tmp_path / "shop", tmp_path / "empty-cache", *arguments, **env)
    assert status == 0
    assert f"There is no Python {version} on this machine to compile bytecode with" in err


def test_adding_twice_gives_the_same_bytes_as_adding_once(cache: Path, tmp_path: Path) -> None:
    file = create_zip(tmp_path / "shop", {"app.py": PLAIN})
    results = []
    for _ in range(2):
        assert run_package(tmp_path / "shop", cache, "app:app", "--add-to", "made.zip")[0] == 0
        results.append(file.read_bytes())
    assert results[0] == results[1]


def test_every_entry_of_the_zip_keeps_its_bytes(cache: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "shop", {"src/app.py": PLAIN, "secret.txt": "s", "run.sh": "#!/bin/sh\n"})
    (folder / "app.py").symlink_to("src/app.py")
    (folder / "empty").mkdir(mode=0o711)
    (folder / "run.sh").chmod(0o750)
    (folder / "secret.txt").chmod(0o600)
    zip_command = ["zip", "--quiet", "--symlinks", "--recurse-paths"]
    subprocess.run([*zip_command, "made.zip", "app.py", "src", "empty", "run.sh"], cwd=folder, check=True)
    subprocess.run([*zip_command, "--password", "tea", "made.zip", "secret.txt"], cwd=folder, check=True)
    with ZipFile(folder / "made.zip", "a") as archive:
        archive.comment = b"of another tool"
    before = entries_of(folder / "made.zip")
    status, out, err = run_package(folder, cache, "app:app", "--add-to", "made.zip")
    assert (status, err) == (0, ""), out
    after = entries_of(folder / "made.zip")
    assert {name: after[name] for name in before} == before
    assert {".serverless-wsgi", "bridge/entrypoint.py"} <= after.keys()
    unzip = ["unzip", "-q", "-P", "tea", "made.zip", "-d", "out"]
    assert subprocess.run(unzip, cwd=folder, capture_output=True, text=True).stderr == ""
    out_folder = folder / "out"
    assert (out_folder / "app.py").readlink() == Path("src/app.py")
    assert (out_folder / "secret.txt").read_text() == "s"
    assert [(out_folder / name).stat().st_mode & 0o777 for name in ("empty", "run.sh", "secret.txt")] == [
        0o711, 0o750, 0o600,
    ]  # fmt: skip
    with ZipFile(folder / "made.zip") as archive:
        assert archive.comment == b"of another tool"


def entries_of(file: Path) -> dict[str, tuple[object, ...]]:
    """Return of each entry what the directory has about it, and its compressed bytes."""
    with ZipFile(file) as archive, file.open("rb") as stream:
        entries: dict[str, tuple[object, ...]] = {}
        for info in archive.infolist():
            stream.seek(info.header_offset)
            data = stream.read(30 + len(info.filename) + info.compress_size)
            entries[info.filename] = (info.external_attr, info.date_time, info.flag_bits, info.extra, info.CRC, data)
        return entries


def test_an_encrypted_module_of_the_application_is_an_error(cache: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "shop", {"app.py": PLAIN})
    subprocess.run(["zip", "--quiet", "--password", "tea", "made.zip", "app.py"], cwd=folder, check=True)
    before = file_digests(folder)
    status, _, err = run_package(folder, cache, "app:app", "--add-to", "made.zip")
    assert (status, "'app.py' is encrypted" in err, file_digests(folder)) == (1, True, before), err


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
