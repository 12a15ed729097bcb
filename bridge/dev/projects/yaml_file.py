"""Reading YAML and JSON files, with CloudFormation's own tags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the content of the first of the files *names* in *folder*; None if there is none, or it is no mapping.

    Raises:
        CommandError: the file cannot be read, or PyYAML is not installed.
    """
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    content = None if path is None else read_content(path)
    return content if isinstance(content, dict) else None


def read_content(path: Path) -> Any:
    """Return the content of a YAML file, or of a JSON file if its name ends in ``.json``.

    Raises:
        CommandError: the file cannot be read, or PyYAML is not installed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
    except (OSError, ValueError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise CommandError(f"{path.name} cannot be read: {error}") from None
    try:
        import yaml
    except ImportError:
        raise CommandError(
            f"To read {path.name}, install PyYAML, which comes with: pip install 'serverless-bridge[serve]'"
        ) from None

    class Loader(yaml.SafeLoader):
        """Loads CloudFormation's short forms, such as ``!Sub``, as their long forms."""

    def short_form(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            argument = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            argument = loader.construct_sequence(node, deep=True)
        else:
            argument = loader.construct_mapping(node, deep=True)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": argument}

    Loader.add_multi_constructor("!", short_form)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise CommandError(f"{path.name} cannot be read: {error}") from None
