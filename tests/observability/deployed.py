"""Functions made of the recipes of the page "Observability", under AWS's client and under ``bridge.runtime``."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bridge.dev.gateway import Request, compose
from tests.docs.pages import DOCS, ROOT, blocks
from tests.end_to_end.bridge_runtime import parse_stream
from tests.observability.lambda_service import LambdaService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAGE = DOCS / "guides" / "observability.md"
FUNCTIONS = Path(__file__).parent / "functions"
PARTIES = 3
# The parent in Lambda's trace header: the segment of the function.
PARENT = "53995c3f42cd8ad8"
_APPLICATIONS = {
    "flask": "from flask import Flask\n\napp = Flask(__name__)\n",
    "fastapi": "from fastapi import FastAPI\n\napp = FastAPI()\n",
}


class Way(NamedTuple):
    """A client, a framework, and a front door.

    Attributes:
        client: ``"aws"`` or ``"bridge"``.
        framework: ``"flask"`` or ``"fastapi"``.
        source: the front door. ``"http-api"`` accepts buffered responses only.
    """

    client: str
    framework: str
    source: str

    @property
    def is_streamed(self) -> bool:
        """Whether the response is streamed."""
        return self.client == "bridge" and self.source == "function-url"

    @property
    def unique(self) -> str:
        """A name that no other way has."""
        return "-".join(self)

    def __str__(self) -> str:
        client = "AWS's client" if self.client == "aws" else "bridge.runtime"
        return f"{self.framework}, {client}, {'streamed' if self.is_streamed else 'buffered'}"


WAYS = [
    Way(client, framework, source)
    for framework in ("flask", "fastapi")
    for client, source in (("aws", "http-api"), ("bridge", "http-api"), ("bridge", "function-url"))
]
each_way_with_flask = pytest.mark.parametrize("way", [way for way in WAYS if way.framework == "flask"], ids=str)
each_way = pytest.mark.parametrize("way", WAYS, ids=str)
# AWS's client takes several invocations at once in as many processes, each of which takes one at a time.
each_way_at_once = pytest.mark.parametrize("way", [way for way in WAYS if way.client == "bridge"], ids=str)
# Recipes that replace some files of another one.
_BASES = {
    "opentelemetry-lambda": "opentelemetry",
    "opentelemetry-layer": "opentelemetry",
    "newrelic-lambda": "newrelic",
    "xray": "opentelemetry",
}

_BYTECODE = ROOT / ".cache" / "compiled"
_TIMEOUT_SECONDS = 20.0


@functools.cache
def packages() -> Path:
    """Return a folder with the locked packages of the group ``observability``, installed first if necessary."""
    export = ["uv", "export", "-q", "--frozen", "--only-group", "observability", "--no-hashes"]
    requirements = subprocess.run(export, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(requirements.encode()).hexdigest()[:12]
    folder = ROOT / ".cache" / "observability" / f"{version}-{digest}"
    if not folder.exists():
        new = folder.with_name(f"new-{version}-{os.getpid()}")
        new.parent.mkdir(exist_ok=True, parents=True)
        for other in folder.parent.glob(f"{version}-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        install = ["uv", "pip", "install", "-q", "--python", sys.executable, "--target", str(new), "-r", "-"]
        subprocess.run(install, cwd=ROOT, check=True, input=requirements, text=True)
        try:
            new.rename(folder)
        except OSError:  # another process of the tests was faster
            shutil.rmtree(new)
    return folder


def recipe(tool: str) -> dict[str, str]:
    """Return the files of the recipe for a tool, the variables of the environment among them."""
    base = recipe(_BASES[tool]) if tool in _BASES else {}
    files = {
        block.argument.partition("/")[2]: block.text
        for block in blocks(PAGE)
        if block.kind == "recipe" and block.argument.startswith(f"{tool}/")
    }
    assert files, f"the page has no recipe for {tool}"
    return base | files


def recipe_environment(tool: str) -> dict[str, str]:
    """Return the environment variables of the recipe for a tool."""
    lines = recipe(tool).get("environment", "").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def make_folder(folder: Path, tool: str, framework: str) -> Path:
    """Fill *folder* with the recipe of a tool, and an application of a framework that uses it."""
    files = recipe(tool)
    files.pop("environment", None)
    app = files.pop(f"{framework}_app.py", _APPLICATIONS[framework])
    if "telemetry.py" in files and "import telemetry" not in app:
        app = f"import telemetry\n\n{app}"
    routes = f"import routes_{framework}\n\nroutes_{framework}.add_to(app)\n"
    # The recipe may end with a handler, which decorates bridge.handler(app).
    files["app.py"] = "\n".join([app, routes, files.pop("handler.py", "")])
    base = tool.removesuffix("-lambda").removesuffix("-layer")
    files["probe.py"] = (FUNCTIONS / "probes" / f"{base}.py").read_text(encoding="utf-8")
    for module in ("shared.py", f"routes_{framework}.py"):
        files[module] = (FUNCTIONS / module).read_text(encoding="utf-8")
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def command_of(way: Way, handler: str, python: str) -> list[str]:
    """Return the command of a function's process, as a managed runtime starts it."""
    return [python, "-m", "awslambdaric", handler] if way.client == "aws" else [python, "-m", "bridge.runtime"]


class Answer(NamedTuple):
    """What a client receives, and what identifies the request.

    Attributes:
        status, body: of the response.
        is_streamed: whether the function has streamed it.
        name: the last segment of the path.
        request_id: Lambda's.
        trace_id: the root of X-Ray's trace, as OpenTelemetry writes it.
    """

    status: int
    body: str
    is_streamed: bool
    name: str
    request_id: str
    trace_id: str


class Deployed:
    """A function that answers HTTP requests.

    Args:
        folder: a folder for code and log, which does not exist yet.
        tool: the tool, the first part of the names of its recipes.
        way: the runtime client and the framework.
        variables: environment variables.
        handler: the function's handler; ``""`` for ``bridge.entrypoint.handler``, which serves ``app:app``.
        concurrency: how many requests the function answers at once.
        wrap: returns the command of the process for the folder of the code and the interpreter, and may change files.
    """

    def __init__(
        self,
        folder: Path,
        tool: str,
        way: Way,
        variables: Mapping[str, str],
        handler: str = "",
        concurrency: int = 1,
        wrap: Callable[[Path, str], list[str]] | None = None,
    ) -> None:
        code = make_folder(folder / "code", tool, way.framework)
        environment = {
            "PYTHONPATH": f"{packages()}{os.pathsep}{ROOT}",
            "PYTHONPYCACHEPREFIX": str(_BYTECODE),
            "BRIDGE_RESPONSE_MODE": "stream",
            # AWS's client takes several invocations at once in as many processes.
            "PARTIES": str(concurrency if way.client == "bridge" else 1),
            "_HANDLER": handler or "bridge.entrypoint.handler",
            **({} if handler else {"BRIDGE_APP": "app:app"}),
            **recipe_environment(tool),
            **variables,
        }
        # Not the interpreter of the tests, whose other packages would be instrumented as well.
        python = getattr(sys, "_base_executable", sys.executable)
        command = wrap(code, python) if wrap else command_of(way, environment["_HANDLER"], python)
        self.service = LambdaService(command, code, folder / "log", environment, concurrency)

    @property
    def log(self) -> str:
        """The function's output so far."""
        return self.service.log

    def get(self, path: str, *, source: str = "http-api", headers: Sequence[tuple[str, str]] = ()) -> Answer:
        """Return the answer to a GET request through a front door, when the process has been frozen."""
        answer = self._get(path, source, headers)
        self.service.wait_until_frozen()
        return answer

    def get_together(self, *names: str, source: str = "http-api") -> list[Answer]:
        """Return the answers to requests that are answered at the same time."""
        with ThreadPoolExecutor(len(names)) as threads:
            answers = list(threads.map(lambda name: self._get(f"/together/{name}", source, ()), names))
        self.service.wait_until_frozen()
        return answers

    def wait_for(self, text: str) -> None:
        """Wait until *text* is in the log."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while text not in self.log:
            assert time.monotonic() < deadline, f"{text!r} is missing in the log:\n{self.log}"
            time.sleep(0.02)

    def _get(self, path: str, source: str, headers: Sequence[tuple[str, str]]) -> Answer:
        event = compose(Request(path=path, headers=[("Host", "shop.example"), *headers]), source)
        root = event["headers"]["x-amzn-trace-id"]
        invocation = self.service.invoke(event, f"{root};Parent={PARENT};Sampled=1")
        assert invocation.kind == "response", f"{invocation.payload.decode()}\n{self.log}"
        if invocation.is_streamed:
            stream = parse_stream(invocation.payload)
            status, body = stream.prelude["statusCode"], stream.body.decode()
        else:
            answer = json.loads(invocation.payload)
            status, body = answer["statusCode"], answer["body"]
        name = path.rpartition("/")[2]
        trace_id = root.removeprefix("Root=1-").replace("-", "")
        return Answer(status, body, invocation.is_streamed, name, invocation.request_id, trace_id)
