"""The files of a tool, filled in from ``templates``.

``@WORD@`` is one of the plan's words. Lines between ``@@buffered`` or ``@@streaming`` and ``@@end`` are there if that
function is.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from bridge.dev.deploying.policy import policy

if TYPE_CHECKING:
    from bridge.dev.deploying.plan import Plan

_TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".in"  # for what they are is no Python, YAML or Dockerfile yet
_HIDDEN = {"gitignore": ".gitignore", "dockerignore": ".dockerignore"}
# What the framework wants beside the code, not in a folder of its own.
_BESIDE_THE_CODE = ("serverless.yml",)


def texts(plan: Plan) -> dict[str, str]:
    """The files that deploy, by their path in the project."""
    found = {}
    for template in sorted((_TEMPLATES / plan.kind).iterdir()):
        name = template.name.removesuffix(_SUFFIX)
        place = name if name in _BESIDE_THE_CODE else f"{plan.folder}/{_HIDDEN.get(name, name)}"
        found[place] = filled(template.read_text(encoding="utf-8"), plan)
    found[f"{plan.folder}/policy.json"] = policy(plan)
    return found


def commands(plan: Plan) -> tuple[list[str], str]:
    """What is run once, and what deploys."""
    return [_worded(command, plan.words) for command in plan.tool.once], _worded(plan.tool.deploy, plan.words)


def filled(template: str, plan: Plan) -> str:
    """A file of a template."""
    once, deploy = commands(plan)
    words = plan.words | {"ONCE": indent("\n".join(once), " " * 4), "DEPLOY": indent(deploy, " " * 4)}
    lines, is_wanted = [], True
    for line in template.splitlines():
        if line.startswith("@@"):
            is_wanted = line == "@@end" or getattr(plan, line.removeprefix("@@"))
        elif is_wanted:
            lines.append(line)
    # Where a part is left out, the empty lines before and after it come together.
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).rstrip("\n") + "\n"
    return _worded(text, words)


def _worded(text: str, words: dict[str, str]) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: words[match[1]], text)
