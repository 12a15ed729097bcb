"""SnapStart: the hooks around a snapshot.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

from bridge.logs import logger
from bridge.runtime.api_messages import ErrorReport
from bridge.runtime.client import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.runtime.client import RuntimeApi


def take_snapshot(api: RuntimeApi, run_awaitable: Callable[[Any], Any]) -> int:
    """Run the hooks before a snapshot, wait while it is made, and run the hooks after the restore.

    Returns in the restored sandbox: 0, or the exit status if a hook has failed, which is reported. Async hooks are
    passed to *run_awaitable*.
    """
    try:
        import snapshot_restore_py as registry
    except ImportError:  # then there are no hooks
        before, after = [], []
    else:
        before, after = registry.get_before_snapshot()[::-1], registry.get_after_restore()

    def has_failed(hooks: Any, phase: str, kind: str) -> bool:
        for function, args, options in hooks:
            try:
                result = function(*args, **options)
                if hasattr(result, "__await__"):
                    run_awaitable(result)
            except Exception as error:
                logger.critical("A SnapStart hook failed in the phase %s.", phase, exc_info=error)
                run(api.fail_phase(phase, ErrorReport.of(error, kind)))
                return True
        return False

    # The error types and exit statuses are those of AWS's own client.
    if has_failed(before, "init", "Runtime.BeforeSnapshotError"):
        return 64
    run(api.restore())
    return 65 if has_failed(after, "restore", "Runtime.AfterRestoreError") else 0
