"""Releases that have no wheel for the target."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging.target import Target
from bridge.dev.packaging.wheels import fits, missing_wheel_message
from tests.dev.cli.packages import PLAIN, build_zip, run_package, write_files, zip_names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dev.packaging.indexes import Index

THIS = f"3.{sys.version_info.minor}"
OTHER_TAG = f"cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-win_amd64"


@pytest.mark.parametrize(
    ("tags", "is_fitting"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64", True),
        ("cp312-cp312-manylinux_2_34_aarch64", True),
        ("cp312-cp312-manylinux_2_35_aarch64", False),
        ("cp312-cp312-manylinux_2_17_x86_64", False),
        ("cp313-cp313-manylinux_2_17_aarch64", False),
        ("cp38-abi3-manylinux_2_28_aarch64", True),
        ("cp313-abi3-manylinux_2_28_aarch64", False),
        ("py3-none-manylinux_2_17_aarch64", True),
        ("cp312-none-win_amd64", False),
    ],
)
def test_the_tags_of_a_wheel_decide_whether_it_fits(tags: str, is_fitting: bool) -> None:
    assert fits(f"tea-1.0-{tags}.whl", Target("3.12", "arm64", "manylinux_2_34")) == is_fitting


def test_the_message_names_other_wheels_releases_and_targets() -> None:
    wheels = [
        f"pandas-3.0-cp{each}-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl" for each in ("311-cp311", "312-cp312")
    ]
    target = Target.from_options("3.11")
    assert missing_wheel_message("pandas", "3.0", wheels, ["pandas==2.3.3"], target).splitlines() == [
        "pandas 3.0 has no wheel for Python 3.11 on x86_64 (manylinux_2_17). It has wheels for "
        "cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64, "
        "cp312-cp312-manylinux_2_24_x86_64.manylinux_2_28_x86_64.",
        "These releases have a wheel for this target: pandas==2.3.3",
        "This release has a wheel for another target: --python 3.12",
        "To build the release from its sources, which may take minutes and needs a compiler: --build pandas",
    ]


def add_release(index: Index, folder: Path, version: str, tag: str | None) -> None:
    """Add a release of pure Python with its sources and, for one platform, a wheel."""
    setup = f"from setuptools import setup\nsetup(name='tea-leaves', version='{version}', py_modules=['tea_leaves'])\n"
    file = folder / f"tea_leaves-{version}.tar.gz"
    metadata = f"Metadata-Version: 2.1\nName: tea-leaves\nVersion: {version}\n"
    with tarfile.open(file, "w:gz") as archive:
        for name, text in {"setup.py": setup, "tea_leaves.py": "", "PKG-INFO": metadata}.items():
            member = tarfile.TarInfo(f"tea_leaves-{version}/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    index.add_file("tea-leaves", file)
    if tag is not None:
        index.add("tea-leaves", version, tag=tag)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["requirements.txt", "uv.lock", "--pip-args"])
def test_a_release_with_wheels_for_other_targets_is_built_only_on_request(
    kind: str, index: Index, cache: Path, tmp_path: Path
) -> None:
    add_release(index, tmp_path, "1.0", "py3-none-any")
    add_release(index, tmp_path, "2.0", OTHER_TAG)
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN})
    arguments = ["--python", THIS]
    if kind == "uv.lock":
        toml = (
            '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["tea-leaves==2.0"]\n'
        )
        write_files(shop, {"pyproject.toml": f'{toml}[[tool.uv.index]]\nurl = "{index.url()}"\n'})
        subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=shop, check=True)
    elif kind == "requirements.txt":
        write_files(shop, {"requirements.txt": f"--extra-index-url {index.url()}\ntea-leaves==2.0\n"})
    else:
        write_files(shop, {"requirements.txt": "tea-leaves==2.0\n"})
        arguments.append(f"--pip-args=--extra-index-url {index.url()}")
    status, out, err = run_package(shop, cache, "app:app", *arguments)
    assert (status, out) == (1, "")
    assert f"bridge: tea-leaves 2.0 has no wheel for Python {THIS} on x86_64" in err
    assert f"It has wheels for {OTHER_TAG}." in err
    assert "These releases have a wheel for this target: tea-leaves==1.0" in err
    status, _, err = run_package(shop, cache, "app:app", *arguments, "--build", "tea-leaves")
    assert (status, err) == (0, "Building tea-leaves==2.0\nBuilt tea-leaves==2.0\n")
    assert "tea_leaves-2.0.dist-info/METADATA" in zip_names(shop / "build/function.zip")


@pytest.mark.slow
def test_a_release_without_any_wheel_is_built(index: Index, cache: Path, tmp_path: Path) -> None:
    add_release(index, tmp_path, "1.0", None)
    requirements = f"--extra-index-url {index.url()}\ntea-leaves==1.0\n"
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements.txt": requirements})
    assert "tea_leaves.py" in zip_names(build_zip(shop, cache, "app:app"))
