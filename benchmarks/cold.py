"""Measures cold starts: the processor's time from the start of a process to its first response.

Each process is a Lambda function under AWS's own client or under the bridge's runtime. A Runtime API in this process
gives it one invocation and ends it after the response. The processes take turns; bytecode of all modules is there. A
figure is the lower quartile, because other processes can only add to the time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.runtime import ClientConnection, InvocationQueue
from benchmarks.table import table

ROOT = Path(__file__).parents[1]
PEER, ENTRYPOINT, RUNTIME = "AWS's client and peer", "AWS's client and bridge", "bridge.runtime"

_PLAIN = """
def handler(event, context):
    return {"statusCode": 200, "body": "hello"}
"""
_FLASK = """
from flask import Flask

app = Flask(__name__)


@app.get("/<path:path>")
def hello(path):
    return {"hello": path}
"""
_DJANGO = """
from django.conf import settings
from django.http import JsonResponse
from django.urls import re_path

settings.configure(
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
)

from django.core.wsgi import get_wsgi_application


def hello(request):
    return JsonResponse({"hello": request.path})


urlpatterns = [re_path("", hello)]
app = get_wsgi_application()
"""
_FASTAPI = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/{path:path}")
async def hello(path: str):
    return {"hello": path}
"""
_APIG_WSGI = "import apig_wsgi\nfrom {module} import app\nhandler = apig_wsgi.make_lambda_handler(app)\n"
_MANGUM = "import mangum\nfrom {module} import app\nhandler = mangum.Mangum(app)\n"
_AWS_CLIENT = ("-m", "awslambdaric")


class Function(NamedTuple):
    """A function to start: its name, its module's code, and that of the peer's handler for it; None for none."""

    name: str
    code: str
    peer: str | None


FUNCTIONS = (
    Function("plain", _PLAIN, None),
    Function("flask_shop", _FLASK, _APIG_WSGI),
    Function("django_shop", _DJANGO, _APIG_WSGI),
    Function("fastapi_shop", _FASTAPI, _MANGUM),
)

Times = dict[str, dict[str, float]]


def measure(rounds: int) -> Times:
    """Return milliseconds of processor time: ``{function: {client: time}}``."""
    with TemporaryDirectory() as folder:
        for function in FUNCTIONS:
            Path(folder, f"{function.name}.py").write_text(function.code, "utf-8")
            if function.peer is not None:
                Path(folder, f"{function.name}_peer.py").write_text(function.peer.format(module=function.name), "utf-8")
        commands = {
            (function.name, client): arguments
            for function in FUNCTIONS
            for client, arguments in _commands(function).items()
        }
        times: dict[tuple[str, str], list[float]] = {key: [] for key in commands}
        order = list(commands.items())
        for number in range(rounds + 1):
            order.append(order.pop(0))
            for key, (arguments, variables) in order:
                time = asyncio.run(_start(arguments, variables, folder))
                if number:  # the first round has written the bytecode
                    times[key].append(time)
    results: Times = {}
    for (name, client), each in times.items():
        results.setdefault(name.partition("_")[0], {})[client] = quantiles(each)[0]
    return results


def _commands(function: Function) -> dict[str, tuple[tuple[str, ...], dict[str, str]]]:
    """The interpreter's arguments and the environment for each client."""
    if function.peer is None:
        handler = f"{function.name}.handler"
        return {PEER: ((*_AWS_CLIENT, handler), {}), RUNTIME: (("-m", "bridge.runtime"), {"_HANDLER": handler})}
    app = {"BRIDGE_APP": f"{function.name}:app"}
    return {
        PEER: ((*_AWS_CLIENT, f"{function.name}_peer.handler"), {}),
        ENTRYPOINT: ((*_AWS_CLIENT, "bridge.entrypoint.handler"), app),
        RUNTIME: (("-m", "bridge.runtime"), app),
    }


async def _start(arguments: tuple[str, ...], variables: dict[str, str], folder: str) -> float:
    """Start a function, let it answer once, and return its processor time in milliseconds."""
    api = InvocationQueue()
    server = await asyncio.get_running_loop().create_server(lambda: ClientConnection(api), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    packages = [path for path in sys.path if path.endswith("site-packages")]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PYTHONPATH": os.pathsep.join([folder, str(ROOT), *packages]),
        "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
        "LAMBDA_TASK_ROOT": folder,
        **variables,
    }
    python = str(Path(sys.base_prefix, "bin", "python3"))
    # -S: the .pth files of this machine's interpreter are not Lambda's, and may import half of the standard library.
    process = subprocess.Popen([python, "-S", *arguments], env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        await api.run(1)
    finally:
        process.send_signal(signal.SIGKILL)
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
        server.close()
    return (usage.ru_utime + usage.ru_stime) * 1000


def report(results: Times) -> list[str]:
    """Return a table of times, and of ratios to AWS's client with the peer."""
    rows = []
    for name, times in results.items():
        ratios = [f"{times[client] / times[PEER]:.2f}" if client in times else "" for client in (ENTRYPOINT, RUNTIME)]
        rows.append([name, f"{times[PEER]:.0f}", *ratios])
    head = ["", f"{PEER}: ms", f"{ENTRYPOINT}: times", f"{RUNTIME}: times"]
    return ["### Cold start: processor time to the first response", table(head, rows)]
