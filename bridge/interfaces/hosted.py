"""An ASGI application and all that lives as long as the process: its loop and its lifespan."""

from __future__ import annotations

import asyncio
from time import monotonic

from bridge.errors import logger
from bridge.interfaces import interrupt
from bridge.interfaces.asgi import Exchange, asgi_scope_of
from bridge.interfaces.ending import at_the_end, ended, forget
from bridge.interfaces.lifespan import Lifespan
from bridge.interfaces.loop import Loop, Turn, spawned
from bridge.response import Response
from bridge.watch import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.scope import Scope
    from bridge.settings import Settings

# How long the answer waits for tasks that the request started and left behind. After it Lambda freezes them, and
# they would go on in the middle of a later request.
_SETTLE_SECONDS = 2.0
# How long an application that was cancelled at the deadline may take to notice.
_CANCEL_SECONDS = 0.02


class HostedApplication:
    """An ASGI 3 application with its event loop and lifespan.

    Args:
        app: the application.
        settings: whose ``lifespan`` says whether the lifespan is run.
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app = app
        self._mode = settings.lifespan
        self._loop = Loop()
        self._lifespan: Lifespan | None = None
        self._started = False
        self._turns: set[Turn] = set()

    def startup(self) -> None:
        """Start the application up, once; a second call does nothing.

        Raises:
            LifespanError: it does not start; another call tries again.
        """
        if self._started:
            return
        if self._mode != "off":
            lifespan = Lifespan(self._app, required=self._mode == "on")
            turn = Turn()

            async def start() -> None:
                try:
                    await lifespan.startup()
                    turn.finish(None)
                except BaseException as error:
                    turn.fail(error)

            self._loop.take(turn, start())
            self._lifespan = lifespan
            if lifespan.state is not None:
                at_the_end(self.close, self._is_busy)
        self._started = True

    def respond(self, scope: Scope) -> Response:
        """Answer one request.

        Raises:
            LifespanError: the application does not start up.
            InterfaceError: it broke ASGI.
            BaseException: whatever it raises before its response is complete.
        """
        if not self._started:
            self.startup()
        turn = Turn()
        exchange = Exchange(scope.body)
        coroutine = self._serve(scope, exchange, turn)
        watched = watch.begin(scope, lambda: self._out_of_time(exchange, turn))
        self._turns.add(turn)
        try:
            if watched is not None:
                interrupt.arm()
            response: Response = self._loop.take(turn, coroutine)
        except interrupt.BlockedError:
            response = _gateway_timeout()
        finally:
            self._turns.discard(turn)
            if watched is not None:
                watch.end(watched)
            ended()
        return response

    def close(self) -> None:
        """Shut the application down and close the loop; a second call does nothing."""
        if self._loop.is_closed():
            return
        forget(self.close)
        lifespan, self._lifespan = self._lifespan, None
        self._loop.finish(lifespan.shutdown if lifespan is not None else _nothing)

    async def _serve(self, scope: Scope, exchange: Exchange, turn: Turn) -> None:
        exchange.task = asyncio.current_task()
        tasks: set[asyncio.Task[Any]] = set()
        spawned.set(tasks)
        state = self._lifespan.state if self._lifespan is not None else None
        try:
            response = await exchange.run(self._app, asgi_scope_of(scope, state))
            if tasks:
                await _settle(tasks)
            turn.finish(response)
        except BaseException as error:
            if exchange.out_of_time and exchange.complete and exchange.response is not None:
                turn.finish(exchange.response)
            elif exchange.out_of_time:
                turn.finish(_gateway_timeout())
            else:
                turn.fail(error)

    def _is_busy(self) -> bool:
        return bool(self._turns)

    def _out_of_time(self, exchange: Exchange, turn: Turn) -> None:
        """Called by the watch, in its thread, after it has logged the threads' stacks."""
        if exchange.task is not None:
            logger().error("The application waits here:\n%s", _await_chain(exchange.task))

        def give_up() -> None:
            exchange.out_of_time = True
            if exchange.task is not None:
                exchange.task.cancel()
            self._loop.call_later(_CANCEL_SECONDS, lambda: turn.finish(_gateway_timeout()))

        self._loop.call_soon_threadsafe(give_up)
        interrupt.unless(lambda: exchange.out_of_time or turn.over)


def _gateway_timeout() -> Response:
    return Response.plain(504, "Gateway Timeout")


async def _settle(tasks: set[asyncio.Task[Any]]) -> None:
    """Wait, for a while, for what the request left behind."""
    until = monotonic() + _SETTLE_SECONDS
    while tasks and (left := until - monotonic()) > 0:
        await asyncio.wait(list(tasks), timeout=left)
    if tasks:
        logger().warning(
            "The request's answer waited %.0f s for %d background tasks that still run (%s). Lambda freezes them now; "
            "they go on during later requests. Tasks that live on belong in the lifespan.",
            _SETTLE_SECONDS,
            len(tasks),
            ", ".join(task.get_name() for task in list(tasks)[:5]),
        )


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


async def _nothing() -> None:
    """Nothing to shut down."""
