"""The process of a Lambda function: python -m bridge.runtime [APP].

APP is an application or handler, written like BRIDGE_APP. Without it the process uses a _HANDLER that wraps
bridge.entrypoint.handler, then BRIDGE_APP, then _HANDLER, then a .serverless-wsgi file beside the code.
AWS_LAMBDA_RUNTIME_API must be set, as it is in a Lambda function. On your own machine, use: bridge serve --runtime APP
"""

from __future__ import annotations

import io
import os
import signal
import sys

from bridge.errors import SettingError
from bridge.loading import find_deployed
from bridge.logs import logger
from bridge.runtime.api_messages import ErrorReport
from bridge.runtime.client import ApiError, RuntimeApi, run
from bridge.runtime.logs import set_up_logging
from bridge.runtime.runtime import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

# Handlers that stand for the application that is named elsewhere: the bridge's, and that of serverless-wsgi's plugin,
# which was once called wsgi.handler.
_ENTRY_POINTS = ("bridge.entrypoint.handler", "wsgi_handler.handler", "wsgi.handler")


def main(arguments: list[str], set_up_logging: Callable[[Mapping[str, str]], None] = set_up_logging) -> int:
    """Run the function until Lambda ends the process, and return the exit status."""
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if not address or len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print(__doc__, file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a frozen process writes no buffers
    set_up_logging(os.environ)
    _extend_path()
    api = RuntimeApi(address)
    try:
        runtime = _make_runtime(arguments, address)
        runtime.start()
    except BaseException as error:
        report_init_error(api, error)
        return 1
    try:
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            from bridge.runtime.snapstart import take_snapshot

            status = take_snapshot(api, runtime.run_awaitable)
            if status:
                return status
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runtime.stop())
        return runtime.run()
    except ApiError as error:
        logger.critical("This process ends: %s", error)
        return 1
    finally:
        runtime.close()


def _make_runtime(arguments: list[str], address: str) -> Runtime:
    concurrency = os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY") or "1"
    if not concurrency.isdigit() or int(concurrency) < 1:
        raise SettingError(f"AWS_LAMBDA_MAX_CONCURRENCY is {concurrency!r}; it must be a number, at least 1.")
    mode = os.environ.get("BRIDGE_RESPONSE_MODE") or "buffer"
    if mode not in ("buffer", "stream"):
        raise SettingError(f"The environment variable BRIDGE_RESPONSE_MODE is {mode!r}; allowed is stream or buffer.")
    handler = _find_handler(arguments[0] if arguments else _name_in_environment())
    if concurrency == "1":
        return Runtime(handler, address, stream=mode == "stream")
    from bridge.runtime.concurrent_runtime import ConcurrentRuntime

    return ConcurrentRuntime(handler, address, stream=mode == "stream", concurrency=int(concurrency))


def _name_in_environment() -> str:
    """Return the name of the application or handler, or that of an entry point; ``""`` where a file names it."""
    app, handler = os.environ.get("BRIDGE_APP", ""), os.environ.get("_HANDLER", "")
    if not app or handler in ("", app) or _is_entry_point(handler):
        return handler or app
    for variable, value in os.environ.items():
        if value in _ENTRY_POINTS and variable != "_HANDLER":  # the handler wraps what this variable names
            return handler
    logger.warning(
        "BRIDGE_APP is %s, so the handler %s is not called. If it is the wrapper of a telemetry library, let it wrap "
        "bridge.entrypoint.handler.",
        app,
        handler,
    )
    return app


def _find_handler(name: str) -> Any:
    """Return what :func:`bridge.handlers.find_handler` returns, without importing that module for a plain function."""
    target, interface, options = find_deployed("" if _is_entry_point(name) else name)
    if not interface:
        return target
    from bridge.handlers import make_handler
    from bridge.settings import Settings

    return make_handler(target, interface, Settings(file=options))


def report_init_error(api: RuntimeApi, error: BaseException) -> None:
    """Log the exception that ends the init phase, and post it to Lambda."""
    logger.critical("The function cannot start.", exc_info=error)
    try:
        run(api.fail_phase("init", ErrorReport.of_init(error)))
    except ApiError as api_error:
        logger.critical("%s", api_error)


def _is_entry_point(name: str) -> bool:
    if name != "wsgi.handler":
        return name in _ENTRY_POINTS
    from importlib.util import find_spec

    return find_spec("wsgi") is None  # many applications have a module of this name


def _extend_path() -> None:
    """Add the folders of the code and of layers to the import path, as Lambda's managed runtimes do."""
    root = os.environ.get("LAMBDA_TASK_ROOT") or os.getcwd()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (f"/opt/python/lib/{version}/site-packages", "/opt/python"):
        if os.path.isdir(path) and path not in sys.path:
            sys.path.append(path)
    if root not in sys.path:
        sys.path.insert(0, root)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
