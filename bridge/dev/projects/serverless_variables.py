"""The variables of the Serverless Framework, ``${kind:name, default}``, as far as their values are on this machine.

https://www.serverless.com/framework/docs/guides/variables
"""

from __future__ import annotations

import os
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from bridge.dev.projects.config_values import mapping
from bridge.dev.projects.env_file import read_env_file
from bridge.dev.projects.yaml_file import read_content

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_INNERMOST = re.compile(r"\$\{([^${}]+)\}")
# The first default follows the first comma that is not in quotes.
_PARTS = re.compile(r"""((?:'[^']*'|"[^"]*"|[^,'"])*),?(.*)""", re.DOTALL)
_FILE = re.compile(r"file\(([^()]+)\)(?::(.+))?", re.DOTALL)
_READABLE_SUFFIXES = (".yml", ".yaml", ".json")  # the framework runs files in JavaScript and TypeScript
_REMOTE = re.compile(r"(opt|file|ssm|cf|s3|aws|param|output|terraform|vault|git|strToBool)\b.*[:(]", re.DOTALL)
_TO_BOOL = re.compile(r"strToBool\(\s*['\"]?(.*?)['\"]?\s*\)", re.DOTALL)
_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_MAX_DEPTH = 8  # ends references that refer to themselves


class VariableResolver:
    """Replaces variables by their values.

    Args:
        config: the content of serverless.yml, to which ``${self:…}`` refers.
        folder: the folder of serverless.yml.
        options: the options of the framework's command line, to which ``${opt:…}`` refers, such as stage and region.
        environment: variables to which ``${env:…}`` refers, before those of this process.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        folder: Path,
        options: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._provider = mapping(config.get("provider"))
        self._folder = folder
        self._options = options
        self._environment = {**os.environ, **(environment or {})}
        self._is_reading_dotenv = False
        self._read = lru_cache(maxsize=None)(read_content)

    def resolve(self, value: Any, depth: int = 0) -> Any:
        """Return *value* with its variables replaced; a variable without a value on this machine stays."""
        if depth > _MAX_DEPTH:
            return value
        if isinstance(value, dict):
            return {key: self.resolve(item, depth) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, depth) for item in value]
        if not isinstance(value, str):
            return value
        if whole := _INNERMOST.fullmatch(value):
            replacement = self._look_up(whole[1].strip())
            return value if replacement is None else self.resolve(replacement, depth + 1)
        replaced = _INNERMOST.sub(self._replacement, value)
        return value if replaced == value else self.resolve(replaced, depth + 1)

    def _replacement(self, match: re.Match[str]) -> str:
        """Return the value of a variable within a string."""
        replacement = self._look_up(match[1].strip())
        return match[0] if replacement is None or isinstance(replacement, (dict, list)) else str(replacement)

    def _look_up(self, reference: str) -> Any:
        """Return the value of a reference, or of its defaults; None without a value on this machine."""
        parts = _PARTS.fullmatch(reference)
        assert parts is not None
        value, default = self._value(parts[1].strip()), parts[2].strip()
        return self._look_up(default) if value is None and default else value

    def _value(self, reference: str) -> Any:
        """Return the value of a reference without defaults; that of a literal is the literal."""
        kind, _, name = reference.partition(":")
        if kind == "env":
            return self._environment.get(name, self._dotenv.get(name))
        if kind == "param":
            return self._parameter(name)
        if kind == "opt":
            return self._options.get(name)
        if reference == "sls:stage":
            return self._stage
        if reference == "self:provider.stage":
            return self._provider.get("stage") or self._options.get("stage") or "dev"
        if reference == "aws:region":
            return self._region()
        if to_bool := _TO_BOOL.fullmatch(reference):
            return _BOOLS.get(to_bool[1].lower())
        if kind == "self":
            return _at_path(self._config, name)
        if file := _FILE.fullmatch(reference):
            return self._from_file(file[1].strip(), (file[2] or "").strip())
        if kind == "sls" or _REMOTE.match(reference):
            return None
        return reference.strip("'\"") if reference[:1] in ("'", '"') else reference

    def _from_file(self, name: str, key: str) -> Any:
        path = self._folder / name
        if path.suffix not in _READABLE_SUFFIXES or not path.is_file():
            return None
        content = self._read(path)
        return _at_path(content, key) if key else content

    @property
    def _stage(self) -> Any:
        return self._options.get("stage") or self._provider.get("stage") or "dev"

    def _parameter(self, name: str) -> Any:
        """Return a parameter: that of the option ``--param``, of the stage, or of all stages.

        https://www.serverless.com/framework/docs/guides/parameters
        """
        option, equals, value = self._options.get("param", "").partition("=")
        if equals and option == name:
            return value
        parameters, stages = mapping(self._config.get("params")), mapping(self._config.get("stages"))
        for stage in (self.resolve(self._stage), "default"):
            for table in (mapping(parameters.get(stage)), mapping(mapping(stages.get(stage)).get("params"))):
                if table.get(name) is not None:
                    return table[name]
        return None

    @cached_property
    def _dotenv(self) -> dict[str, str]:
        """The variables in ``.env.STAGE``, or in ``.env`` without that file, if the service has ``useDotenv``.

        https://www.serverless.com/framework/docs/environment-variables
        """
        if self._config.get("useDotenv") is not True or self._is_reading_dotenv:
            return {}
        self._is_reading_dotenv = True  # the name of the stage may be in a variable
        stage = self.resolve(self._stage)
        self._is_reading_dotenv = False
        files = [self._folder / f".env.{stage}", self._folder / ".env"]
        file = next((file for file in files if file.is_file()), None)
        return {} if file is None else read_env_file(file, expand=self._environment)

    def _region(self) -> Any:
        """Return the framework's region, else that of AWS's tools on this machine, else the framework's default."""
        machine = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return self._options.get("region") or self._provider.get("region") or machine


def _at_path(content: Any, path: str) -> Any:
    """Return the value at ``a.b.c``, in which a number is an index of a list; None if there is none."""
    value = content
    for word in path.split("."):
        if isinstance(value, list) and word.isdecimal():
            value = value[int(word)] if int(word) < len(value) else None
        else:
            value = mapping(value).get(word)
    return value
