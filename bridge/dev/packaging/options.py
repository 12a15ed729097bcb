"""What is wanted of a build, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.dev.packaging.listed import Listed
    from bridge.dev.packaging.report import Size
    from bridge.dev.packaging.target import Target


@dataclass(frozen=True)
class Order:
    """What is wanted.

    Attributes:
        app: the application, as everywhere; None if the artifact serves none.
        folder: the project.
        output: the artifact: a zip file, or the folder of an image.
        target: what it is for.
        patterns: what the user leaves out or, with ``!``, takes in.
        listed: the project's files, if another tool has chosen them.
        requirements: the files that the user names.
        pip_args: the user's options for the installer.
        text_types: media types that are text, too.
        bytecode: whether it carries bytecode.
        fetch_python: whether uv may download an interpreter for that.
        slim: whether it leaves out what a function does without.
        layer: whether the requirements are a file of their own.
        image: whether it is the folder of an image.
    """

    app: str | None
    folder: Path
    output: Path
    target: Target
    patterns: Sequence[str] = ()
    listed: Listed | None = None
    requirements: Sequence[Path] = ()
    pip_args: Sequence[str] = ()
    text_types: Sequence[str] = ()
    bytecode: bool = True
    fetch_python: bool = False
    slim: bool = False
    layer: bool = False
    image: bool = False

    @property
    def layer_file(self) -> Path:
        """Where the requirements go if they are apart."""
        return self.output.with_name(f"{self.output.stem}-layer.zip")


@dataclass
class Artifact:
    """What was made.

    Attributes:
        files: the artifact, and its layer if it has one.
        sizes: what each package takes.
        notes: what the user should know, a line each.
    """

    files: list[Path]
    sizes: list[Size]
    notes: list[str] = field(default_factory=list)
