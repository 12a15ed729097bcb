"""``python -m bridge.runtime [APP]``: the process of a Lambda function.

APP is an application or handler as ``BRIDGE_APP`` names it; without it ``BRIDGE_APP`` counts, then ``_HANDLER``, then a
``.serverless-wsgi`` file beside the code.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from bridge.errors import SettingError
from bridge.handlers import Handler, find_handler, make_threaded_handler
from bridge.runtime import logs
from bridge.runtime.api import RuntimeApi
from bridge.runtime.function import Function
from bridge.runtime.runtime import Runtime, fail_init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Handlers that stand for the application that is named elsewhere; the second is what serverless-wsgi's plugin sets.
_STAND_INS = ("bridge.entrypoint.handler", "wsgi_handler.handler", "wsgi.handler")
_SPARE_THREADS = 32
_MODES = ("buffer", "stream")


def main(arguments: list[str]) -> int:
    """Run the function until Lambda ends it.

    Args:
        arguments: those of the command line.

    Returns:
        The exit status.
    """
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if not address or len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print(__doc__, file=sys.stderr)
        if not address:
            print(
                "AWS_LAMBDA_RUNTIME_API is not set: this process runs inside Lambda. On your own machine, "
                "bridge serve --runtime APP starts it.",
                file=sys.stderr,
            )
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what is in a buffer when Lambda freezes the process is not seen
    logs.set_up()
    _extend_path()
    try:
        concurrency = _concurrency()
        stream = _is_streaming()
        function = Function(_target(arguments, concurrency, stream=stream), concurrency, stream=stream)
    except BaseException as error:
        asyncio.run(fail_init(RuntimeApi(address), error))
        return 1
    runtime = Runtime(function, address, concurrency)
    try:
        return asyncio.run(_run(runtime))
    except SystemExit as error:  # a task's, which ends the loop
        if runtime.has_started:
            raise
        asyncio.run(fail_init(RuntimeApi(address), error))
        return 1


async def _run(runtime: Runtime) -> int:
    # What asyncio.get_event_loop() gives a plain handler, as it does where no loop runs: one that it can run.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return await runtime.run()
    finally:
        loop.close()


def _target(arguments: list[str], concurrency: int, *, stream: bool) -> Any:
    named = arguments[0] if arguments else os.environ.get("BRIDGE_APP") or os.environ.get("_HANDLER", "")
    # Lambda takes slashes in a handler's name for dots; here a folder may be meant, which is tried as such.
    handler = find_handler("" if _is_stand_in(named) else named)
    if stream and isinstance(handler, Handler) and handler.asgi is None:
        # Some more than there are requests at once: a thread that goes on after its time keeps its place.
        threads = ThreadPoolExecutor(concurrency + _SPARE_THREADS, "bridge function")
        return make_threaded_handler(handler.app, handler.settings, threads)
    return handler


def _is_stand_in(name: str) -> bool:
    from importlib.util import find_spec

    # What serverless-wsgi once called its module, many call theirs.
    return name in _STAND_INS and (name != "wsgi.handler" or find_spec("wsgi") is None)


def _is_streaming() -> bool:
    mode = os.environ.get("BRIDGE_RESPONSE_MODE") or _MODES[0]
    if mode not in _MODES:
        raise SettingError(f"The environment variable BRIDGE_RESPONSE_MODE is {mode!r}; allowed is stream or buffer.")
    return mode == "stream"


def _concurrency() -> int:
    told = os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY") or "1"
    if not told.isdigit() or int(told) < 1:
        raise SettingError(f"AWS_LAMBDA_MAX_CONCURRENCY is {told!r}; it must be a number, at least 1.")
    return int(told)


def _extend_path() -> None:
    """Find the code and the layers' packages, as AWS's own runtime does."""
    root = os.environ.get("LAMBDA_TASK_ROOT") or os.getcwd()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for place in (f"/opt/python/lib/{version}/site-packages", "/opt/python"):
        if os.path.isdir(place) and place not in sys.path:
            sys.path.append(place)
    if root not in sys.path:
        sys.path.insert(0, root)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
