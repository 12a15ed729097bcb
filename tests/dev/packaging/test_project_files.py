"""The project's files that go into an artifact."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.project_files import FileList, choose_files, choose_listed_files, read_file_list
from tests.dev.cli.packages import write_files

if TYPE_CHECKING:
    from pathlib import Path

LISTED = [
    "app.py",
    "web/app.py",
    "web/.env",
    "keys/a.pem",
    "node_modules/htmx/index.js",
    "own/bin/python",
    "own/pyvenv.cfg",
    "__pycache__/app.pyc",
    "tests/data.json",
]


def create(folder: Path, *names: str) -> Path:
    return write_files(folder, {name: name for name in names})


def test_code_templates_and_data_are_included(tmp_path: Path) -> None:
    names = {
        "app.py",
        "shop/__init__.py",
        "shop/templates/index.html",
        "shop/data.bin",
        "names/space/module.py",
        "build/a.js",
    }
    assert set(choose_files(create(tmp_path, *names)).files) == names


@pytest.mark.parametrize(
    "name",
    [".git/config", "__pycache__/app.cpython-311.pyc", "shop/__pycache__/a.pyc", "a.pyc", ".venv/bin/python",
     "node_modules/a/index.js", ".mypy_cache/a", ".serverless/a.zip", "shop.egg-info/PKG-INFO", "tests/test_app.py",
     ".gitignore", ".idea/a.xml", "uv.lock", "serverless.yml"],
)  # fmt: skip
def test_files_of_development_tools_are_left_out(name: str, tmp_path: Path) -> None:
    assert set(choose_files(create(tmp_path, "app.py", name)).files) == {"app.py"}


def test_a_tests_folder_below_the_top_level_is_included(tmp_path: Path) -> None:
    assert set(choose_files(create(tmp_path, "shop/tests/data.json")).files) == {"shop/tests/data.json"}


@pytest.mark.parametrize(
    "name", [".env", ".env.prod", "tls/server.key", "tls/server.pem", "id_rsa", ".aws/credentials", ".npmrc"]
)
def test_secrets_are_left_out_and_reported(name: str, tmp_path: Path) -> None:
    chosen = choose_files(create(tmp_path, "app.py", name))
    assert set(chosen.files) == {"app.py"}
    assert len(chosen.secrets) == 1
    assert name.startswith(chosen.secrets[0])


def test_certificates_without_a_private_key_are_not_secrets(tmp_path: Path) -> None:
    create(tmp_path, "app.py")
    certificate = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
    (tmp_path / "global-bundle.pem").write_text(certificate, encoding="utf-8")
    (tmp_path / "both.pem").write_text(f"{certificate}-----BEGIN RSA PRIVATE KEY-----\n", encoding="utf-8")
    file_list = FileList(["app.py", "global-bundle.pem", "both.pem"])
    for chosen in (choose_files(tmp_path), choose_listed_files(tmp_path, file_list)):
        assert set(chosen.files) == {"app.py", "global-bundle.pem"}
        assert chosen.secrets == ["both.pem"]


def test_a_virtual_environment_of_any_name_is_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "my-env/pyvenv.cfg", "my-env/lib/flask.py")
    assert set(choose_files(tmp_path).files) == {"app.py"}
    assert set(choose_files(tmp_path, ["!/my-env/"]).files) == {"app.py", "my-env/pyvenv.cfg", "my-env/lib/flask.py"}


def test_the_users_patterns_take_precedence_and_the_last_one_decides(tmp_path: Path) -> None:
    create(tmp_path, "app.py", ".env", "data/a.csv", "data/b.csv", "tls/ca.pem", "tests/a.py")
    (tmp_path / ".gitignore").write_text("data/\n")
    assert set(choose_files(tmp_path, ["!.env", "!data/", "data/b.csv", "!tls/ca.pem"]).files) == {
        "app.py", ".env", "data/a.csv", "tls/ca.pem",
    }  # fmt: skip
    assert set(choose_files(tmp_path, ["!tests/"]).files) == {"app.py", "tests/a.py"}


def test_a_path_includes_a_file_in_a_folder_that_is_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "node_modules/htmx/dist/htmx.js", "node_modules/htmx/README", "node_modules/x/htmx.js")
    assert set(choose_files(tmp_path, ["!node_modules/htmx/dist/htmx.js"]).files) == {
        "app.py",
        "node_modules/htmx/dist/htmx.js",
    }


def test_a_name_includes_no_file_in_folders_that_are_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "ca.pem", ".venv/lib/certifi/ca.pem")
    assert set(choose_files(tmp_path, ["!*.pem"]).files) == {"app.py", "ca.pem"}


def test_the_artifact_is_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "build/function.zip", "build/a.js")
    without = [tmp_path / "build" / "function.zip"]
    assert set(choose_files(tmp_path, without=without).files) == {"app.py", "build/a.js"}
    file_list = FileList(["build/function.zip", "app.py"])
    assert set(choose_listed_files(tmp_path, file_list, without=without).files) == {"app.py"}


def test_links_are_followed_but_not_into_their_own_folder_or_to_missing_files(tmp_path: Path) -> None:
    project = create(tmp_path / "project", "app.py")
    create(tmp_path / "shared", "lib/a.py")
    (project / "lib").symlink_to(tmp_path / "shared" / "lib")
    (project / "again").symlink_to(project)
    (project / "lost").symlink_to(tmp_path / "nothing")
    chosen = choose_files(project)
    assert set(chosen.files) == {"app.py", "lib/a.py"}
    assert chosen.broken_links == ["lost"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_an_error_names_the_folder_that_cannot_be_read(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "closed/a.py")
    (tmp_path / "closed").chmod(0)
    try:
        with pytest.raises(PackagingError, match=r"closed cannot be read: Permission denied"):
            choose_files(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)


def listed_files(folder: Path, *patterns: str) -> set[str]:
    return set(choose_listed_files(create(folder, *LISTED), FileList(LISTED, patterns)).files)


def test_tool_files_and_secrets_in_a_file_list_are_left_out(tmp_path: Path) -> None:
    assert listed_files(tmp_path, "**", "web/**", "*", "**/*") == {"app.py", "web/app.py", "tests/data.json"}


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("web/.env", "web/.env"),
        ("**/.env", "web/.env"),
        ("web/.env*", "web/.env"),
        ("keys/*.pem", "keys/a.pem"),
        ("node_modules/**", "node_modules/htmx/index.js"),
        ("node_modules/htmx/index.js", "node_modules/htmx/index.js"),
        ("own/**", "own/pyvenv.cfg"),
    ],
)
def test_a_pattern_of_the_file_list_that_names_a_file_includes_it(pattern: str, file: str, tmp_path: Path) -> None:
    assert file in listed_files(tmp_path, pattern)


@pytest.mark.parametrize("pattern", ["other/.env", ".env", "keys/b.pem", "node_modules/other/**", "[", "web/*.py"])
def test_a_pattern_of_the_file_list_that_names_another_file_includes_nothing(pattern: str, tmp_path: Path) -> None:
    assert listed_files(tmp_path, pattern) == {"app.py", "web/app.py", "tests/data.json"}


def test_the_users_patterns_take_precedence_over_the_file_lists(tmp_path: Path) -> None:
    create(tmp_path, *LISTED)
    patterns = ["/web/", "!web/.env", "tests", "!/node_modules/htmx/"]
    chosen = choose_listed_files(tmp_path, FileList(LISTED, ["**"]), patterns)
    assert set(chosen.files) == {"app.py", "web/.env", "node_modules/htmx/index.js"}


def test_secrets_and_broken_links_in_a_file_list_are_reported(tmp_path: Path) -> None:
    create(tmp_path, "a/.env")
    (tmp_path / "gone").symlink_to("nowhere")
    chosen = choose_listed_files(tmp_path, FileList(["a/.env", "gone", "never-there"]))
    assert (chosen.files, chosen.secrets, chosen.broken_links) == ({}, ["a/.env"], ["gone"])


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "web/../../secret"])
def test_a_listed_file_outside_the_project_is_an_error(path: str, tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="not in the project"):
        choose_listed_files(tmp_path, FileList([path]))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"files": [1]}', '{"files": ["a"], "asked": [2]}', '{"files": 1}', None]
)
def test_an_invalid_file_list_is_an_error(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "list.json").write_text(content)
    with pytest.raises(PackagingError, match=r"--files .*list\.json: the file"):
        read_file_list(tmp_path / "list.json")


def test_a_file_list_is_read_from_json(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"files": ["a"], "asked": ["*"]}')
    assert read_file_list(tmp_path / "list.json") == FileList(["a"], ["*"])
