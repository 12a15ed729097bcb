"""Files of environment variables, in the format of python-dotenv."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def read_env_file(path: Path, *, expand: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables in a file of ``NAME=value`` lines.

    Lines may have ``export``, quotes, escapes and comments, as python-dotenv parses them:
    https://github.com/theskumar/python-dotenv#file-format.

    Args:
        path: the file.
        expand: the variables to which references such as ``${NAME}`` and ``$NAME`` refer, besides those above them in
            the file; None to leave references as they are.

    Raises:
        UsageError: the file cannot be read, or a line is invalid.
        CommandError: python-dotenv is not installed.
    """
    try:
        from dotenv.parser import parse_stream
    except ImportError:
        raise CommandError(
            f"To read {path}, install python-dotenv, which comes with: pip install 'serverless-bridge[serve]'"
        ) from None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise UsageError(f"--env-file {path} cannot be read: {reason}.") from None
    variables = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            source = binding.original.string
            blank_lines = source[: len(source) - len(source.lstrip())].count("\n")
            line = source.strip().splitlines()[0]
            raise UsageError(f"{path}, line {binding.original.line + blank_lines}: {_describe_error(line)}")
        if binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
            if expand is not None:
                variables[binding.key] = _expand(binding.value, {**variables, **expand})
    return variables


def _expand(value: str, variables: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: variables.get(match[1] or match[2], ""), value)


def _describe_error(line: str) -> str:
    if line.partition("=")[2].strip().startswith(("'", '"')):
        return f"in {line!r}, the closing quote is missing, or text follows it."
    return f"{line!r} is not NAME=value."
