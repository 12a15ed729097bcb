"""``--env-file``: variables, written as python-dotenv reads them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def read_env_file(path: Path) -> dict[str, str]:
    """``NAME=value`` lines, with ``export``, quotes, escapes and comments; nothing is filled in for ``${NAME}``.

    Raises:
        UsageError: it cannot be read, or has a line that is none.
        CommandError: python-dotenv is not installed.
    """
    try:
        from dotenv.parser import parse_stream
    except ImportError:
        missing = "pip install 'serverless-bridge[serve]' (it lacks python-dotenv)."
        raise CommandError(f"To read {path}: {missing}") from None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--env-file {path} cannot be read: {error}") from None
    variables = {}
    for found in parse_stream(io.StringIO(text)):
        written = found.original.string
        if found.error or (found.key is not None and found.value is None):
            before = len(written) - len(written.lstrip())
            line = found.original.line + written[:before].count("\n")
            raise UsageError(f"{path}, line {line}: {_reason(written.strip().splitlines()[0])}")
        if found.key is not None and found.value is not None:
            variables[found.key] = found.value
    return variables


def _reason(line: str) -> str:
    value = line.partition("=")[2].strip()
    if value[:1] in ("'", '"') and value:
        return f"the quotes of {line!r} do not end, or something comes after them."
    return f"{line!r} is not NAME=value."
