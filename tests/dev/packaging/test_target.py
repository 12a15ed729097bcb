"""The target of an artifact, read from the options."""

from __future__ import annotations

import sys

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.target import Target


def test_the_default_c_library_is_that_of_lambdas_runtime() -> None:
    assert Target.from_options("3.11").platform == "manylinux_2_17"
    assert Target.from_options("3.12").platform == "manylinux_2_34"
    assert Target.from_options("python3.13", "arm64").uv_platform == "aarch64-manylinux_2_34"


def test_the_default_python_is_the_running_one() -> None:
    assert Target.from_options().python == f"3.{sys.version_info.minor}"
    assert Target.from_options().arch == "x86_64"


@pytest.mark.parametrize(
    ("platform", "uv_platform"),
    [
        ("manylinux_2_28", "aarch64-manylinux_2_28"),
        ("manylinux2014", "aarch64-manylinux_2_17"),
        ("manylinux_2_28_aarch64", "aarch64-manylinux_2_28"),
        ("musllinux_1_2", "aarch64-unknown-linux-musl"),
    ],
)
def test_a_platform_is_written_as_in_the_names_of_wheels(platform: str, uv_platform: str) -> None:
    assert Target.from_options("3.12", "arm64", platform).uv_platform == uv_platform


def test_wheels_for_older_c_libraries_are_accepted() -> None:
    tags = Target.from_options("3.12", "x86_64", "manylinux_2_28").wheel_platforms
    assert tags[0] == "manylinux_2_28_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64"} < set(tags)
    assert "manylinux_2_29_x86_64" not in tags
    assert Target.from_options("3.12", "arm64", "musllinux_1_1").wheel_platforms == [
        "musllinux_1_1_aarch64",
        "musllinux_1_0_aarch64",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [(("3",), "--python 3:"), (("2.7",), "--python 2.7:"), (("3.15",), r"3\.11, 3\.12, 3\.13, 3\.14\."),
     (("python3.9",), "--python 3.9:"), (("3.12", "mips"), "--arch mips:"),
     (("3.12", "arm64", "win_amd64"), "--platform win_amd64:"),
     (("3.12", "arm64", "manylinux_2_28_x86_64"), "--platform")],
)  # fmt: skip
def test_a_malformed_option_is_refused(options: tuple[str, ...], message: str) -> None:
    with pytest.raises(PackagingError, match=message):
        Target.from_options(*options)
