"""What an ASGI application is told, and its client, when Lambda is about to end the function."""

from __future__ import annotations

from time import sleep

from bridge import logger
from bridge.asgi.cycle import gateway_timeout
from bridge.interfaces import interrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from bridge.asgi.cycle import Exchange
    from bridge.asgi.lifespan import Lifespan

# How long an application that was cancelled may take to notice.
_NOTICE_SECONDS = 0.02


def give_up(
    loop: asyncio.AbstractEventLoop,
    exchange: Exchange,
    starting: Lifespan | None,
    spares: Callable[[], bool],
    *,
    is_shared: bool,
) -> None:
    """Cancel a request, or the startup that it waits for, and have it answered. Called in the watch's thread.

    Args:
        loop: where the application runs.
        exchange: the request.
        starting: the lifespan that starts up, if the request has not begun.
        spares: whether what runs on the loop when it is asked, there, is another request's.
        is_shared: whether a thread of its own drives the loop, so that who waits for the answer is not in it.
    """
    if exchange.task is not None:
        logger().error("The application waits here:\n%s", _await_chain(exchange.task))
    elif starting is not None:
        logger().error("The application's startup waits here:\n%s", _await_chain(starting.task))

    def on_loop() -> None:
        exchange.out_of_time = True
        if exchange.task is not None:
            exchange.task.cancel()
            loop.call_later(_NOTICE_SECONDS, lambda: exchange.finish(gateway_timeout()))
        elif starting is not None:
            starting.give_up()

    loop.call_soon_threadsafe(on_loop)
    if is_shared:
        sleep(_NOTICE_SECONDS)
        if not exchange.out_of_time:  # the loop is blocked
            exchange.finish(gateway_timeout())
    else:
        interrupt.unless(loop, lambda: exchange.out_of_time or exchange.over, spares)


def _await_chain(task: asyncio.Task[Any]) -> str:
    """Where a task is suspended: task.print_stack() shows the outermost frame only."""
    lines = []
    inner: Any = task.get_coro()
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None) or getattr(inner, "ag_frame", None)
        if frame is not None:
            code = frame.f_code
            lines.append(f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}')
        inner = (
            getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None) or getattr(inner, "ag_await", None)
        )
    return "\n".join(lines) or "  nowhere: it has not begun"
