"""Reading YAML of which only part is known here: references to a cloud's resources are not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, names: tuple[str, ...]) -> dict[str, Any] | None:
    """The content of the first file that is there; None without one.

    Raises:
        CommandError: it is not YAML, or PyYAML is not installed.
    """
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    content = None if path is None else read_content(path)
    return content if isinstance(content, dict) else None


def read_content(path: Path) -> Any:
    """The content of a file of YAML or JSON.

    Raises:
        CommandError: it is neither, or PyYAML is not installed.
    """
    if path.suffix == ".json":
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{path.name} cannot be read: {error}") from None
    try:
        import yaml
    except ImportError:
        raise CommandError(f"To read {path.name}: pip install 'serverless-bridge[serve]' (it lacks PyYAML).") from None

    class Loader(yaml.SafeLoader):
        """Knows CloudFormation's short forms, ``!Sub`` and the like, as values that are not known here."""

    Loader.add_multi_constructor("!", lambda _loader, suffix, _node: {f"Fn::{suffix}": None})
    Loader.add_constructor("!Ref", lambda _loader, node: {"Ref": node.value})
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path.name} cannot be read: {error}") from None


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


def unknown(*values: Any) -> list[str]:
    """The names of the variables whose value only a deployment knows; later *values* count before earlier ones."""
    said = {str(name): text for value in values for name, text in mapping(value).items()}
    return [name for name, text in said.items() if isinstance(text, dict) or (isinstance(text, str) and "${" in text)]


def seconds(value: Any, place: str) -> float | None:
    """A timeout; None if there is none, or only a deployment knows it.

    Raises:
        UsageError: it is no number above 0; the message names its *place*.
    """
    if value is None or isinstance(value, dict) or (isinstance(value, str) and "${" in value):
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d+(\.\d+)?", str(value)) or not float(value) > 0:
        raise UsageError(f"{place} is {value!r}; it must be a number of seconds above 0.")
    return float(value)


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY")


def route_method(value: Any, place: str) -> str:
    """The method of a route in upper case; ``*`` and API Gateway's own word for it are ANY.

    Raises:
        UsageError: it is none; the message names its *place*.
    """
    method = str(value).upper()
    if method in ("*", "X-AMAZON-APIGATEWAY-ANY-METHOD"):
        return "ANY"
    if method not in _METHODS:
        raise UsageError(f"{place} has the method {value!r}; it must be one of {', '.join(_METHODS)}.")
    return method


def is_python(runtime: Any) -> bool:
    """Whether a function's runtime is Python, or not said."""
    return not isinstance(runtime, str) or runtime.startswith("python") or "${" in runtime
