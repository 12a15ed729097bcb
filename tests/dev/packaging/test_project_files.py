"""Which of a project's files are packed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError, listed
from bridge.dev.packaging.listed import Listed
from bridge.dev.packaging.project_files import choose

if TYPE_CHECKING:
    from pathlib import Path


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_code_templates_and_data_go_in(tmp_path: Path) -> None:
    names = {
        "app.py",
        "shop/__init__.py",
        "shop/templates/index.html",
        "shop/data.bin",
        "names/space/module.py",
        "build/a.js",
    }
    assert set(choose(made(tmp_path, *names)).files) == names


@pytest.mark.parametrize(
    "name",
    [".git/config", "__pycache__/app.cpython-311.pyc", "shop/__pycache__/a.pyc", "a.pyc", ".venv/bin/python",
     "node_modules/a/index.js", ".mypy_cache/a", ".serverless/a.zip", "shop.egg-info/PKG-INFO", "tests/test_app.py",
     ".gitignore", ".idea/a.xml", "uv.lock", "serverless.yml"],
)  # fmt: skip
def test_what_belongs_to_a_developers_machine_stays_out(name: str, tmp_path: Path) -> None:
    assert set(choose(made(tmp_path, "app.py", name)).files) == {"app.py"}


def test_tests_deeper_than_the_projects_own_may_be_a_package_that_is_needed(tmp_path: Path) -> None:
    assert set(choose(made(tmp_path, "shop/tests/data.json")).files) == {"shop/tests/data.json"}


@pytest.mark.parametrize(
    "name", [".env", ".env.prod", "tls/server.key", "tls/server.pem", "id_rsa", ".aws/credentials", ".npmrc"]
)
def test_secrets_stay_out_and_are_named(name: str, tmp_path: Path) -> None:
    chosen = choose(made(tmp_path, "app.py", name))
    assert set(chosen.files) == {"app.py"}
    assert len(chosen.secrets) == 1
    assert name.startswith(chosen.secrets[0])


def test_certificates_without_a_key_are_no_secret(tmp_path: Path) -> None:
    made(tmp_path, "app.py")
    certificate = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
    (tmp_path / "global-bundle.pem").write_text(certificate, encoding="utf-8")
    (tmp_path / "both.pem").write_text(f"{certificate}-----BEGIN RSA PRIVATE KEY-----\n", encoding="utf-8")
    listing = Listed(["app.py", "global-bundle.pem", "both.pem"])
    for chosen in (choose(tmp_path), listed.choose(tmp_path, listing)):
        assert set(chosen.files) == {"app.py", "global-bundle.pem"}
        assert chosen.secrets == ["both.pem"]


def test_a_virtual_environment_stays_out_whatever_its_name(tmp_path: Path) -> None:
    made(tmp_path, "app.py", "my-env/pyvenv.cfg", "my-env/lib/flask.py")
    assert set(choose(tmp_path).files) == {"app.py"}
    assert set(choose(tmp_path, ["!/my-env/"]).files) == {"app.py", "my-env/pyvenv.cfg", "my-env/lib/flask.py"}


def test_the_users_patterns_come_last_and_in_their_order(tmp_path: Path) -> None:
    made(tmp_path, "app.py", ".env", "data/a.csv", "data/b.csv", "tls/ca.pem", "tests/a.py")
    (tmp_path / ".gitignore").write_text("data/\n")
    assert set(choose(tmp_path, ["!.env", "!data/", "data/b.csv", "!tls/ca.pem"]).files) == {
        "app.py", ".env", "data/a.csv", "tls/ca.pem",
    }  # fmt: skip
    assert set(choose(tmp_path, ["!tests/"]).files) == {"app.py", "tests/a.py"}


def test_a_path_is_taken_out_of_a_folder_that_is_left_out(tmp_path: Path) -> None:
    made(tmp_path, "app.py", "node_modules/htmx/dist/htmx.js", "node_modules/htmx/README", "node_modules/x/htmx.js")
    assert set(choose(tmp_path, ["!node_modules/htmx/dist/htmx.js"]).files) == {
        "app.py",
        "node_modules/htmx/dist/htmx.js",
    }


def test_a_name_alone_takes_nothing_out_of_folders_that_are_left_out(tmp_path: Path) -> None:
    made(tmp_path, "app.py", "ca.pem", ".venv/lib/certifi/ca.pem")
    assert set(choose(tmp_path, ["!*.pem"]).files) == {"app.py", "ca.pem"}


def test_the_artifact_itself_stays_out(tmp_path: Path) -> None:
    made(tmp_path, "app.py", "build/function.zip", "build/a.js")
    assert set(choose(tmp_path, without=[tmp_path / "build" / "function.zip"]).files) == {"app.py", "build/a.js"}


def test_links_are_followed_but_not_in_circles_nor_into_nothing(tmp_path: Path) -> None:
    project = made(tmp_path / "project", "app.py")
    made(tmp_path / "shared", "lib/a.py")
    (project / "lib").symlink_to(tmp_path / "shared" / "lib")
    (project / "again").symlink_to(project)
    (project / "lost").symlink_to(tmp_path / "nothing")
    chosen = choose(project)
    assert set(chosen.files) == {"app.py", "lib/a.py"}
    assert chosen.broken == ["lost"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    made(tmp_path, "app.py", "closed/a.py")
    (tmp_path / "closed").chmod(0)
    try:
        with pytest.raises(PackagingError, match=r"closed cannot be read: Permission denied"):
            choose(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
