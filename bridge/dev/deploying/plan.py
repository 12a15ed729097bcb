"""What is known of a deployment before its files are written."""

from __future__ import annotations

import re
import shlex
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

from bridge.dev.errors import UsageError

# Of Lambda's runtimes those that the bridge runs on:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# The part of a name that tools make longer ones of, of up to 64 characters: `NAME-dev-ap-southeast-1-lambdaRole`.
_LONGEST_NAME = 32
# CloudFormation's rule for stacks, within the one for functions, roles and repositories of images.
_NAME = re.compile(rf"[a-z](-?[a-z0-9]){{0,{_LONGEST_NAME - 1}}}")
_FOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Tool:
    """How one of the tools is used.

    Attributes:
        what: a few words on it.
        once: the commands that come first, once.
        deploy: the one command that deploys.
    """

    what: str
    once: tuple[str, ...]
    deploy: str


_PACKAGE = "bridge package @APP@ --python @PYTHON@ --arch @ARCH@ --exclude /@FOLDER@/"
TOOLS = {
    "serverless": Tool(
        "the Serverless Framework, with the plugin serverless-bridge",
        ('npm install --save-dev osls "$(bridge plugin)"',),
        "npx osls deploy",
    ),
    "sam": Tool(
        "AWS SAM",
        (),
        f"{_PACKAGE} &&\n  sam deploy --template-file @FOLDER@/template.yaml --stack-name @NAME@ --resolve-s3 "
        "--capabilities CAPABILITY_IAM",
    ),
    "cdk": Tool(
        "the AWS CDK, in Python",
        ("pip install -r @FOLDER@/requirements.txt", "(cd @FOLDER@ && npx aws-cdk@2 bootstrap)"),
        f"{_PACKAGE} &&\n  (cd @FOLDER@ && npx aws-cdk@2 deploy)",
    ),
    "terraform": Tool(
        "Terraform, or OpenTofu",
        ("terraform -chdir=@FOLDER@ init",),
        f"{_PACKAGE} &&\n  terraform -chdir=@FOLDER@ apply",
    ),
    "image": Tool(
        "a container image, deployed by SAM",
        (),
        f"{_PACKAGE} -o @FOLDER@/function.zip &&\n  (cd @FOLDER@ && sam build &&\n    sam deploy --stack-name "
        "@NAME@-image --resolve-s3 --resolve-image-repos --capabilities CAPABILITY_IAM)",
    ),
}


@dataclass(frozen=True)
class Plan:
    """A deployment.

    Attributes:
        kind: the tool.
        app: the application, as the project's folder sees it.
        name: the name of the stack, or what stands in its place.
        python: the function's Python.
        arch: its processor.
        folder: where the files go, in the project.
        buffered: whether there is a function behind an HTTP API.
        streaming: whether there is one that streams behind a Function URL.
    """

    kind: str
    app: str
    name: str
    python: str
    arch: str
    folder: str
    buffered: bool = True
    streaming: bool = True

    @property
    def tool(self) -> Tool:
        """How its tool is used."""
        return TOOLS[self.kind]

    @property
    def description(self) -> str:
        """What is deployed."""
        if not self.streaming:
            return "One application behind an HTTP API."
        if not self.buffered:
            return "One application, streaming behind a Function URL."
        return "One application, buffered behind an HTTP API and streaming behind a Function URL."

    @property
    def words(self) -> dict[str, str]:
        """What stands in the files for each of the words between ``@`` and ``@``."""
        is_plain = re.fullmatch(r"[\w./:()-]+", self.app, re.ASCII)
        return {
            "APP": shlex.quote(self.app),
            # In YAML what is quoted as JSON is quoted.
            "YAML_APP": self.app if is_plain else f'"{self.app.translate({34: chr(92) + chr(34), 92: chr(92) * 2})}"',
            "NAME": self.name,
            "DESCRIPTION": self.description,
            "PYTHON": self.python,
            "PYTHON_NAME": self.python.replace(".", "_"),
            "ARCH": self.arch,
            "CDK_ARCH": {"x86_64": "X86_64", "arm64": "ARM_64"}[self.arch],
            "DOCKER_ARCH": {"x86_64": "amd64"}.get(self.arch, self.arch),
            "FOLDER": self.folder,
            "UP": "/".join(".." for _ in PurePosixPath(self.folder).parts),
            "A_TARGET": "streaming" if self.streaming else "buffered",
        }


def name_of(text: str) -> str:
    """A name made of *text*, a project's folder, say: what some tool does not take in a name is left out."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", letters).lstrip("-0123456789")[:_LONGEST_NAME].strip("-")
    return name or "app"


def checked_name(name: str) -> str:
    """A name that the user gives.

    Raises:
        UsageError: some tool would not take it.
    """
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise UsageError(
            f"--name {name}: write up to {_LONGEST_NAME} small letters, digits and single dashes, a letter first, as "
            f"in {name_of(name)}."
        )
    return name


def checked_folder(folder: str) -> str:
    """A folder that the user gives, in the project.

    Raises:
        UsageError: it is none, or would have to be quoted everywhere.
    """
    folder = folder.strip("/") if not folder.startswith("/") else folder
    if not _FOLDER.fullmatch(folder):
        raise UsageError(f"--folder {folder}: name one in the project by letters, digits, _, - and dots: deploy/aws.")
    return folder


def checked_python(version: str) -> str:
    """The Python of a function.

    Raises:
        UsageError: Lambda, or the bridge, has no such one.
    """
    version = version.removeprefix("python")
    if version not in PYTHONS:
        raise UsageError(f"--python {version}: Lambda's runtimes for the bridge are {', '.join(PYTHONS)}.")
    return version
