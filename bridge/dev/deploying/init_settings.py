"""The settings of ``bridge init``, and the tools that deploy the files that it writes."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

from bridge.dev.deploying.function_settings import (
    DEFAULT_MEMORY,
    DEFAULT_STREAMING_TIMEOUT,
    DEFAULT_TIMEOUT,
    HANDLER,
    STREAMING_VARIABLES,
)
from bridge.dev.deploying.stack_settings import DEFAULT_RETENTION
from bridge.dev.errors import UsageError

# A path in the project that needs no quotes in any of the templates.
_FOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class DeploymentTool:
    """A tool that deploys.

    Attributes:
        description: what the tool is, in a few words.
        setup: the commands to run once, before the first deployment.
        deploy: the command that deploys. ``@NAME@`` and the like are filled in as in the templates.
    """

    description: str
    setup: tuple[str, ...]
    deploy: str


_PACKAGE = "bridge package @APP@ --python @PYTHON@ --arch @ARCH@ --exclude /@FOLDER@/"
TOOLS = {
    "serverless": DeploymentTool(
        "the Serverless Framework, with the plugin serverless-bridge",
        ("npm install --save-dev osls", "bridge plugin --vendor"),
        "npx osls deploy",
    ),
    "sam": DeploymentTool(
        "AWS SAM",
        (),
        f"{_PACKAGE} &&\n  (cd @FOLDER@ && sam deploy)",
    ),
    "cdk": DeploymentTool(
        "the AWS CDK, in Python",
        ("pip install -r @FOLDER@/requirements.txt", "(cd @FOLDER@ && npx aws-cdk@2 bootstrap)"),
        f"{_PACKAGE} &&\n  (cd @FOLDER@ && npx aws-cdk@2 deploy)",
    ),
    "terraform": DeploymentTool(
        "Terraform, or OpenTofu",
        ("terraform -chdir=@FOLDER@ init",),
        f"{_PACKAGE} &&\n  terraform -chdir=@FOLDER@ apply",
    ),
    "image": DeploymentTool(
        "a container image, deployed by AWS SAM",
        (),
        f"{_PACKAGE} -o @FOLDER@/function.zip &&\n  (cd @FOLDER@ && sam build && sam deploy)",
    ),
}


@dataclass(frozen=True)
class InitSettings:
    """The function, or functions, that ``bridge init`` writes files for.

    Attributes:
        kind: the tool, a key of :data:`TOOLS`.
        app: the application, relative to the project.
        name: the name of the stack, and the beginning of all other names.
        python: the Python version of the functions, ``3.13``.
        arch: the processor of the functions, as Lambda calls it.
        folder: the folder for the files, relative to the project.
        buffered: whether to deploy a function behind an HTTP API.
        streaming: whether to deploy a function that streams behind a Function URL.
        memory: the memory of the functions in MB.
        timeout: the timeout of the functions in seconds; None for the default of each.
        websocket: whether to deploy a function behind a WebSocket API, with a table for its connections.
    """

    kind: str
    app: str
    name: str
    python: str
    arch: str
    folder: str
    buffered: bool = True
    streaming: bool = False
    memory: int = DEFAULT_MEMORY
    timeout: int | None = None
    websocket: bool = False

    @property
    def tool(self) -> DeploymentTool:
        """The tool that deploys."""
        return TOOLS[self.kind]

    @property
    def description(self) -> str:
        """A sentence about the deployed functions."""
        if not self.streaming and not self.websocket:
            return "One application behind an HTTP API."
        places = {
            "buffered behind an HTTP API": self.buffered,
            "streaming behind a Function URL": self.streaming,
            "behind a WebSocket API": self.websocket,
        }
        *others, last = [place for place, is_used in places.items() if is_used]
        return f"One application, {', '.join(others)}{' and ' if others else ''}{last}."

    @property
    def buffered_beside_websocket(self) -> bool:
        """Whether the function behind the HTTP API may send to the connections of the WebSocket API."""
        return self.buffered and self.websocket

    @property
    def has_api(self) -> bool:
        """Whether there is an API of API Gateway."""
        return self.buffered or self.websocket

    @property
    def placeholders(self) -> dict[str, str]:
        """The values of the placeholders in templates and commands, by their names."""
        needs_quotes = re.fullmatch(r"[\w./:()-]+", self.app, re.ASCII) is None
        return {
            "APP": shlex.quote(self.app),
            # A JSON string is a YAML string, except that YAML needs no escapes for characters outside of ASCII.
            "YAML_APP": json.dumps(self.app, ensure_ascii=False) if needs_quotes else self.app,
            "NAME": self.name,
            "DESCRIPTION": self.description,
            "PYTHON": self.python,
            "PYTHON_NAME": self.python.replace(".", "_"),
            "ARCH": self.arch,
            "HANDLER": HANDLER,
            "MEMORY": str(self.memory),
            "TIMEOUT": str(min(self.timeout or DEFAULT_TIMEOUT, DEFAULT_TIMEOUT)),
            "STREAMING_TIMEOUT": str(self.timeout or DEFAULT_STREAMING_TIMEOUT),
            "WRAPPER": STREAMING_VARIABLES["AWS_LAMBDA_EXEC_WRAPPER"],
            "CDK_ARCH": {"x86_64": "X86_64", "arm64": "ARM_64"}[self.arch],
            "DOCKER_ARCH": {"x86_64": "amd64"}.get(self.arch, self.arch),
            "FOLDER": self.folder,
            "UP": "/".join(".." for _ in PurePosixPath(self.folder).parts),
            "A_TARGET": "streaming" if self.streaming else "api" if self.buffered else "websocket",
            "RETENTION": str(DEFAULT_RETENTION),
        }


def check_folder(folder: str) -> str:
    """Return a folder in the project without slashes at its end.

    Raises:
        UsageError: the folder is outside of the project, or its name would need quotes in a template.
    """
    folder = folder if folder.startswith("/") else folder.strip("/")
    if not _FOLDER.fullmatch(folder):
        raise UsageError(
            f"--folder {folder}: write a folder in the project, with letters, digits, _, - and dots in its name, as in "
            "deploy/aws."
        )
    return folder
