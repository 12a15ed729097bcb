"""The last deployment of each project, so that ``bridge url`` and the others need no options.

The file is ``serverless-bridge/deployments.json`` in the folder of ``XDG_STATE_HOME``, or in ``~/.local/state``.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.dev.deploying.aws import AwsTarget


@dataclass(frozen=True)
class LastDeployment:
    """The name and the target of a stage's last deployment.

    Attributes:
        name: the name of the project.
        target: the account and region, as the command line named them.
    """

    name: str
    target: AwsTarget


def recall_deployment(project: Path, stage: str) -> LastDeployment | None:
    """Return the last deployment of a stage; None if this machine has deployed none."""
    entry = _read().get(str(project.resolve()), {}).get(stage)
    try:
        return LastDeployment(str(entry["name"]), AwsTarget(**entry["target"])) if entry else None
    except (KeyError, TypeError):  # another version of the bridge has written it
        return None


def remember_deployment(project: Path, stage: str, deployment: LastDeployment | None) -> None:
    """Store the last deployment of a stage; None to forget it. A file that cannot be written is ignored."""
    entries = _read()
    stages = entries.setdefault(str(project.resolve()), {})
    if deployment is None:
        stages.pop(stage, None)
    else:
        stages[stage] = asdict(deployment)
    file = _file()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        partial.write_text(json.dumps(entries, indent=2))
        partial.replace(file)


def _file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "serverless-bridge" / "deployments.json"


def _read() -> dict[str, dict[str, dict[str, Any]]]:
    try:
        content = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
