"""SnapStart: the hooks around the snapshot.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

import os
from functools import partial
from inspect import isawaitable

from bridge.logs import logger
from bridge.runtime.call import call_outside
from bridge.runtime.error_report import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.runtime.api import RuntimeApi

# Types and exit statuses are those of AWS's own runtime client.
_BEFORE, _AFTER = ("Runtime.BeforeSnapshotError", 64), ("Runtime.AfterRestoreError", 65)


async def take_snapshot(api: RuntimeApi) -> int:
    """Where Lambda makes a snapshot, run the hooks around it; returns in the restored sandbox.

    Hooks may be async. Those before the snapshot run in reverse order.

    Returns:
        0 if the function may go on; else the exit status of the process, and Lambda was told why.

    Raises:
        ApiError: the Runtime API is gone.
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return 0
    try:
        import snapshot_restore_py as registry
    except ImportError:  # no hooks then
        before, after = [], []
    else:
        before, after = registry.get_before_snapshot(), registry.get_after_restore()
    try:
        while before:
            await _run(*before.pop())
    except Exception as error:
        logger.critical("A hook before the snapshot failed.", exc_info=error)
        kind, status = _BEFORE
        await api.fail_init(Fault.of(error, kind))
        return status
    await api.restore()
    try:
        for hook in after:
            await _run(*hook)
    except Exception as error:
        logger.critical("A hook after the restore failed.", exc_info=error)
        kind, status = _AFTER
        await api.fail_restore(Fault.of(error, kind))
        return status
    return 0


async def _run(hook: Callable[..., Any], args: tuple[object, ...], options: dict[str, object]) -> None:
    result = call_outside(partial(hook, *args, **options))
    if isawaitable(result):
        await result
