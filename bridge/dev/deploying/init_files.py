"""The files that ``bridge init`` writes: a tool's templates, filled in.

A file of ``init_templates`` has placeholders, such as ``@NAME@``. The lines between ``@@buffered``, ``@@streaming`` or
``@@websocket`` and ``@@end`` are left out if that function is not deployed.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from bridge.dev.deploying.iam_policy import iam_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.dev.deploying.init_settings import InitSettings

_TEMPLATES = Path(__file__).parent / "init_templates"
_SUFFIX = ".in"  # keeps linters and editors from reading a template as Python or YAML
_HIDDEN = {"gitignore": ".gitignore", "dockerignore": ".dockerignore"}
_AT_THE_ROOT = ("serverless.yml",)  # the framework reads it from the project's folder only


def render_files(deployment: InitSettings) -> dict[str, str]:
    """Return the content of all files, by their paths in the project."""
    files = {}
    for template in sorted((_TEMPLATES / deployment.kind).iterdir()):
        name = template.name.removesuffix(_SUFFIX)
        path = name if name in _AT_THE_ROOT else f"{deployment.folder}/{_HIDDEN.get(name, name)}"
        files[path] = _render(template.read_text(encoding="utf-8"), deployment)
    files[f"{deployment.folder}/policy.json"] = iam_policy(deployment)
    return files


def render_commands(deployment: InitSettings) -> tuple[list[str], str]:
    """Return the commands to run once, and the command that deploys."""
    values = deployment.placeholders
    return [_fill(command, values) for command in deployment.tool.setup], _fill(deployment.tool.deploy, values)


def _render(template: str, deployment: InitSettings) -> str:
    setup, deploy = render_commands(deployment)
    commands = {"ONCE": indent("\n".join(setup), " " * 4), "DEPLOY": indent(deploy, " " * 4)}
    lines, is_included = [], True
    for line in template.splitlines():
        if line.startswith("@@"):
            is_included = line == "@@end" or getattr(deployment, line.removeprefix("@@"))
        elif is_included:
            lines.append(line)
    # The empty lines before and after a part that is left out are next to each other.
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).rstrip("\n") + "\n"
    return _fill(text, deployment.placeholders | commands)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)
