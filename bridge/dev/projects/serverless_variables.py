"""The variables of the Serverless Framework, ``${kind:name, default}``, as far as a file and the environment tell.

https://www.serverless.com/framework/docs/guides/variables
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from bridge.dev.projects.yaml_file import read_content

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_INNERMOST = re.compile(r"\$\{([^${}]+)\}")
# The first default is after the first comma that is not in quotes.
_PARTS = re.compile(r"""((?:'[^']*'|"[^"]*"|[^,'"])*),?(.*)""", re.DOTALL)
# Another file, of YAML or JSON, and a key in it. What a file of code would give is not known here.
_FILE = re.compile(r"file\(([^()]+)\)(?::(.+))?", re.DOTALL)
_FILES = (".yml", ".yaml", ".json")
# What only a deployment knows.
_ELSEWHERE = re.compile(r"(opt|file|ssm|cf|s3|aws|param|output|terraform|vault|git|strToBool)\b.*[:(]", re.DOTALL)
_TO_BOOL = re.compile(r"strToBool\(\s*['\"]?(.*?)['\"]?\s*\)", re.DOTALL)
_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_DEEPEST = 8  # references within references: no endless ones


class VariableResolver:
    """Fills references in.

    Args:
        content: the file that ``${self:…}`` refers to.
        folder: where it lies.
        given: what ``${opt:…}`` refers to, the options of the framework's own command line; stage and region, say.
    """

    def __init__(self, content: Mapping[str, Any], folder: Path, given: Mapping[str, str]) -> None:
        self._content = content
        self._folder = folder
        self._given = given
        self._files: dict[Path, Any] = {}

    def resolve(self, value: Any, depth: int = 0) -> Any:
        """*value* with its references filled in; one that is not known stays."""
        if depth > _DEEPEST:
            return value
        if isinstance(value, dict):
            return {key: self.resolve(inner, depth) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner, depth) for inner in value]
        if not isinstance(value, str):
            return value
        whole = _INNERMOST.fullmatch(value)
        if whole:
            found = self._look_up(whole[1].strip())
            return value if found is None else self.resolve(found, depth + 1)
        replaced = _INNERMOST.sub(self._text, value)
        return value if replaced == value else self.resolve(replaced, depth + 1)

    def _text(self, match: re.Match[str]) -> str:
        found = self._look_up(match[1].strip())
        return match[0] if found is None or isinstance(found, (dict, list)) else str(found)

    def _look_up(self, reference: str) -> Any:
        parts = _PARTS.fullmatch(reference)
        assert parts is not None
        first, default = parts[1].strip(), parts[2].strip()
        found = self._named(first)
        if found is None and default:
            return self._look_up(default)
        return found

    def _named(self, first: str) -> Any:
        """What one reference without its defaults stands for; a literal is itself."""
        kind, _, name = first.partition(":")
        if kind == "env":
            return os.environ.get(name)
        if kind == "opt":
            return self._given.get(name)
        if first == "sls:stage":
            return self._given.get("stage") or self._provider("stage") or "dev"
        if first == "self:provider.stage":
            return self._provider("stage") or self._given.get("stage") or "dev"
        if first == "aws:region":
            return self._region()
        if found := _TO_BOOL.fullmatch(first):
            return _BOOLS.get(found[1].lower())
        if kind == "self":
            return _within(self._content, name)
        if file := _FILE.fullmatch(first):
            return self._in_file(file[1].strip(), (file[2] or "").strip())
        if kind == "sls" or _ELSEWHERE.match(first):
            return None
        return first.strip("'\"") if first[:1] in ("'", '"') else first

    def _in_file(self, name: str, key: str) -> Any:
        """What a file has, or a key in it; None if it is not there, or of code."""
        path = self._folder / name
        if path.suffix not in _FILES or not path.is_file():
            return None
        if path not in self._files:
            self._files[path] = read_content(path)
        return _within(self._files[path], key) if key else self._files[path]

    def _provider(self, key: str) -> Any:
        """What the file says of the provider."""
        provider = self._content.get("provider")
        return provider.get(key) if isinstance(provider, dict) else None

    def _region(self) -> Any:
        """The region: the framework's own, else that of AWS's tools on this machine, else the framework's default."""
        told = (os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
        return self._given.get("region") or self._provider("region") or next(filter(None, told), "us-east-1")


def _within(content: Any, name: str) -> Any:
    """What *content* has at ``a.b.c``, with numbers for the items of lists; None if there is nothing."""
    found = content
    for word in name.split("."):
        if isinstance(found, list) and word.isdecimal():
            found = dict(enumerate(found)).get(int(word))
        else:
            found = found.get(word) if isinstance(found, dict) else None
    return found
