"""What an artifact is for."""

from __future__ import annotations

import sys

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.target import Target


def test_the_c_library_is_that_of_lambdas_runtime() -> None:
    assert Target.of("3.11").platform == "manylinux_2_17"
    assert Target.of("3.12").platform == "manylinux_2_34"
    assert Target.of("python3.13", "arm64").uv_platform == "aarch64-manylinux_2_34"


def test_the_default_is_the_python_that_runs() -> None:
    assert Target.of().python == f"3.{sys.version_info.minor}"
    assert Target.of().arch == "x86_64"


@pytest.mark.parametrize(
    ("platform", "uv"),
    [
        ("manylinux_2_28", "aarch64-manylinux_2_28"),
        ("manylinux2014", "aarch64-manylinux_2_17"),
        ("manylinux_2_28_aarch64", "aarch64-manylinux_2_28"),
        ("musllinux_1_2", "aarch64-unknown-linux-musl"),
    ],
)
def test_a_platform_is_written_as_in_the_names_of_wheels(platform: str, uv: str) -> None:
    assert Target.of("3.12", "arm64", platform).uv_platform == uv


def test_pip_is_told_every_older_c_library_too() -> None:
    tags = Target.of("3.12", "x86_64", "manylinux_2_28").wheel_platforms
    assert tags[0] == "manylinux_2_28_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64"} < set(tags)
    assert "manylinux_2_29_x86_64" not in tags
    assert Target.of("3.12", "arm64", "musllinux_1_1").wheel_platforms == [
        "musllinux_1_1_aarch64",
        "musllinux_1_0_aarch64",
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [(("3",), "--python 3:"), (("2.7",), "--python 2.7:"), (("3.12", "mips"), "--arch mips:"),
     (("3.12", "arm64", "win_amd64"), "--platform win_amd64:"),
     (("3.12", "arm64", "manylinux_2_28_x86_64"), "--platform")],
)  # fmt: skip
def test_what_is_no_target_is_refused(options: tuple[str, ...], says: str) -> None:
    with pytest.raises(PackagingError, match=says):
        Target.of(*options)
