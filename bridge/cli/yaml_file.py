"""Reading YAML of which only part is known here: references to a cloud's resources are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.cli import CommandError

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, names: tuple[str, ...]) -> dict[str, Any] | None:
    """The content of the first file that is there; None without one.

    Raises:
        CommandError: it is not YAML, or PyYAML is not installed.
    """
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        import yaml
    except ImportError:
        raise CommandError(f"To read {path.name}: pip install 'serverless-bridge[serve]' (it lacks PyYAML).") from None

    class Loader(yaml.SafeLoader):
        """Knows CloudFormation's short forms, ``!Ref`` and the like, as values that are not known here."""

    Loader.add_multi_constructor("!", lambda _loader, suffix, _node: {f"Fn::{suffix}": None})
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path.name} cannot be read: {error}") from None
    return content if isinstance(content, dict) else None


def mapping(value: Any) -> dict[str, Any]:
    """*value* if it is a mapping, else an empty one: what else may stand there says nothing here."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """*value* if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def variables(value: Any) -> dict[str, str]:
    """Environment variables whose value is known here: CloudFormation's functions and open references are not."""
    known = {}
    for name, text in mapping(value).items():
        if isinstance(text, bool):
            text = "true" if text else "false"
        if isinstance(text, (str, int, float)) and "${" not in str(text):
            known[str(name)] = str(text)
    return known


def seconds(value: Any) -> float | None:
    """A timeout, if it is a number."""
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def is_python(runtime: Any) -> bool:
    """Whether a function's runtime is Python, or not said."""
    return not isinstance(runtime, str) or runtime.startswith("python") or "${" in runtime
