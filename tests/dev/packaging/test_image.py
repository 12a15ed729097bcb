"""The folder for ``docker build``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.archive import make_entry
from bridge.dev.packaging.image import check_replaceable, is_image_folder, write_image_folder
from bridge.dev.packaging.target import Target
from tests.dev.cli.packages import write_files

if TYPE_CHECKING:
    from pathlib import Path


def test_the_image_for_musl_is_alpine_with_the_bridges_runtime(tmp_path: Path) -> None:
    target = Target.from_options("3.12", "x86_64", "musllinux_1_2")
    write_image_folder(tmp_path / "image", target, {"code": [make_entry("shop/app.py", b"x")], "requirements": []})
    dockerfile = (tmp_path / "image" / "Dockerfile").read_text()
    assert "--platform linux/amd64" in dockerfile
    assert "FROM python:3.12-alpine\n" in dockerfile
    assert 'ENTRYPOINT ["python", "-m", "bridge.runtime"]' in dockerfile
    assert (tmp_path / "image" / "code" / "shop" / "app.py").read_bytes() == b"x"
    assert {path.stat().st_mtime for path in (tmp_path / "image").rglob("*")} == {315_532_800.0}
    assert is_image_folder(tmp_path / "image")


def test_only_empty_folders_and_earlier_images_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_image_folder(tmp_path / "image", Target.from_options(), {})
    for name in ("empty", "image", "missing"):
        check_replaceable(tmp_path / name)
    write_files(tmp_path, {"mine/Dockerfile": "FROM scratch\n", "file": ""})
    for name in ("mine", "file"):
        with pytest.raises(PackagingError, match=f"{name} exists and was not made by"):
            check_replaceable(tmp_path / name)
