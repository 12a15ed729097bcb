"""The files of installed requirements that go into an artifact."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

import bridge
from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.bridge_wheel import build_wheel
from bridge.dev.packaging.installed_files import collect_installed_files
from bridge.dev.packaging.target import Target
from tests.dev.cli.packages import write_files

TARGET = Target("3.12", "arm64", "manylinux_2_34")


def test_of_the_bridge_everything_outside_its_dev_folder_is_included(tmp_path: Path) -> None:
    with ZipFile(build_wheel(tmp_path / "wheel")) as wheel:
        wheel.extractall(tmp_path / "installed")
    collected = collect_installed_files(tmp_path / "installed", TARGET, tmp_path)
    package = Path(bridge.__file__).parent
    sources = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    deployed = {path for path in sources if not path.startswith("bridge/dev/") and "__pycache__" not in path}
    assert {"bridge/__init__.py", "bridge/runtime/bootstrap"} < deployed
    assert {path for path in collected.files if path.startswith("bridge/")} == deployed


@pytest.mark.parametrize(
    ("tag", "runs"),
    [
        ("py3-none-any", True),
        ("cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64", True),
        ("cp312-cp312-linux_aarch64", True),
        ("cp38-abi3-manylinux_2_28_aarch64", True),
        ("cp311-cp311-manylinux_2_17_aarch64", False),
        ("cp312-cp312-manylinux_2_17_x86_64", False),
    ],
)
def test_a_wheel_for_another_target_is_an_error(tag: str, runs: bool, tmp_path: Path) -> None:
    root = write_files(tmp_path / "installed", {"tea-1.dist-info/WHEEL": f"Tag: {tag}\n", "tea.py": ""})
    if runs:
        assert set(collect_installed_files(root, TARGET, tmp_path).files) == {"tea-1.dist-info/WHEEL", "tea.py"}
        return
    with pytest.raises(PackagingError, match=r"no wheel for Python 3\.12 on arm64 .*\n  tea: built for cp"):
        collect_installed_files(root, TARGET, tmp_path)


@pytest.mark.parametrize("space", ["", " "])
def test_an_editable_installation_is_an_error(space: str, tmp_path: Path) -> None:
    url = f'{{"dir_info":{space}{{"editable":{space}true}},{space}"url":{space}"file:///home/me/tea"}}'
    root = write_files(tmp_path / "installed", {"tea-1.dist-info/direct_url.json": url})
    with pytest.raises(PackagingError, match="tea was installed as a link"):
        collect_installed_files(root, TARGET, tmp_path)
