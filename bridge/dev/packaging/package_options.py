"""The options of ``bridge package``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.dev.packaging.archive import BEST, FAST
from bridge.dev.packaging.project_requirements import NOTHING_SELECTED, RequirementSelection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.dev.packaging.project_files import FileList
    from bridge.dev.packaging.target import Target


@dataclass(frozen=True)
class PackageOptions:
    """The options of one artifact.

    Attributes:
        app: the application, as :func:`bridge.loading.find_application` takes it; None for an artifact without one.
        project: the project's folder.
        output: the zip file, or the folder of an image. For ``--add-to`` the existing zip file.
        target: the environment that the artifact is for.
        patterns: the patterns of ``--exclude``, and with ``!`` before them those of ``--include``, in order.
        file_list: the project's files if another tool has chosen them.
        requirements: the files of ``--requirements``.
        selection: the groups and extras to install.
        build: packages to build from their sources if they have no wheel for the target.
        pip_args: options for ``pip install``.
        text_types: media types that are text in addition to the default ones.
        bytecode: whether the artifact contains bytecode.
        fetch_python: whether uv may download the Python that compiles it.
        best_compression: whether to compress as much as possible, which takes many times as long.
        slim: whether to leave out what a function does not need.
        layer: whether the requirements are written into a zip of their own.
        image: whether the artifact is a folder for ``docker build``.
        import_time: whether to measure what the imports of the application take.
        explain: whether to report what decided each version, and why each file is in or out.
    """

    app: str | None
    project: Path
    output: Path
    target: Target
    patterns: Sequence[str] = ()
    file_list: FileList | None = None
    requirements: Sequence[Path] = ()
    selection: RequirementSelection = NOTHING_SELECTED
    build: Sequence[str] = ()
    pip_args: Sequence[str] = ()
    text_types: Sequence[str] = ()
    bytecode: bool = True
    fetch_python: bool = False
    best_compression: bool = False
    slim: bool = False
    layer: bool = False
    image: bool = False
    import_time: bool = False
    explain: bool = False

    @property
    def compression_level(self) -> int:
        """The level with which entries are compressed."""
        return BEST if self.best_compression else FAST

    @property
    def layer_file(self) -> Path:
        """The zip file of the requirements with ``layer``: ``function-layer.zip`` beside ``function.zip``."""
        return self.output.with_name(f"{self.output.stem}-layer.zip")

    @property
    def import_time_file(self) -> Path:
        """The page about the imports: ``function-imports.html`` beside ``function.zip``."""
        return self.output.with_name(f"{self.output.stem}-imports.html")
