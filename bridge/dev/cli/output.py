"""Messages of commands, which are printed beside their result."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import CommandError
from bridge.dev.terminal_logs import CONTROL_CHARACTERS

if TYPE_CHECKING:
    from bridge.dev.projects.project import Project


def print_message(text: str) -> None:
    """Print *text* to standard error, for the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


def print_warnings(project: Project, *, sources: bool = False) -> None:
    """Print which application was found in the code, and the parts of the project's files that are ignored.

    Args:
        project: the project.
        sources: whether to print the events that the project's front door does not serve, too.
    """
    detection = [project.detection] if project.detection else []
    for text in detection + project.warnings + (project.source_warnings if sources else []):
        print_message(text)


def to_json(value: Any) -> str:
    """Return *value* as indented JSON, in which characters that control a terminal are escaped.

    Letters beyond ASCII are escaped only if standard output cannot encode them.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    text = CONTROL_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=2)
    return text


def missing_package(command: str, package: str, extra: str) -> CommandError:
    """Return the error of a command that needs a package of an extra that is not installed.

    Args:
        command: the command as the user types it, such as ``"bridge serve"``.
        package: the missing package.
        extra: the extra of this distribution that has the package.
    """
    install = f"pip install 'serverless-bridge[{extra}]'"
    return CommandError(f"{command} needs the package {package}, which is not installed. Install it: {install}")
