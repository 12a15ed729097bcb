"""What a function's processes run, and the environment that Lambda gives them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Program:
    """What a function's process runs, and how.

    Attributes:
        command: the command and its arguments: anything that speaks the Runtime API.
        name: the function's name.
        folder: its code, the current folder of its process.
        handler: its handler, as Lambda would have it.
        environment: its own variables, beside those that this process has; they have the last word.
        timeout: how long an invocation may take, in seconds.
        concurrency: how many one process answers at once.
    """

    command: Sequence[str]
    name: str = "function"
    folder: Path = field(default_factory=Path.cwd)
    handler: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3.0
    concurrency: int = 1

    def variables(self, api: str) -> dict[str, str]:
        """The whole environment of a process whose Runtime API is at *api*.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        own = {
            "AWS_LAMBDA_RUNTIME_API": api,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "LAMBDA_TASK_ROOT": str(self.folder),
            "_HANDLER": self.handler,
            "IS_OFFLINE": "True",
            "PYTHONUNBUFFERED": "1",  # what a function prints is seen at once, there as here
        }
        if self.concurrency > 1:
            own["AWS_LAMBDA_MAX_CONCURRENCY"] = str(self.concurrency)
        return {**os.environ, **own, **self.environment}
