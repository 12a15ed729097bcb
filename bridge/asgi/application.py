"""An ASGI application and all that lives as long as the process: its loop and its lifespan."""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import current_task
from contextvars import Context
from weakref import WeakSet, ref

import bridge
from bridge.asgi.cycle import Exchange, asgi_scope_of, gateway_timeout
from bridge.asgi.lifespan import PATIENCE_SECONDS, Lifespan
from bridge.asgi.loop import Loop, spawned
from bridge.deadline import watch
from bridge.interfaces import interrupt
from bridge.interfaces.turn import Turn, take_outside
from bridge.request import current
from bridge.shutdown import at_the_end, ended, forget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from bridge.request import Scope
    from bridge.response import Response
    from bridge.settings import Settings

_all: WeakSet[HostedApplication] = WeakSet()
_of_parents: list[object] = []  # kept, for to end them would end the parent's: they share what the system polls


class HostedApplication:
    """An ASGI 3 application with its event loop and lifespan.

    Args:
        app: the application.
        settings: whose ``lifespan`` says whether the lifespan is run.

    Attributes:
        app: as given.
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self.app = app
        self._mode = settings.lifespan
        self._own: Loop | None = None
        self._adopted: asyncio.AbstractEventLoop | None = None
        self._starts: Lifespan | None = None
        self._lifespan: Lifespan | None = None
        self._start: asyncio.Task[None] | None = None
        self._starting = threading.Lock()
        self._started = False
        self._exchanges: set[Exchange] = set()
        # A handler that nobody holds any more closes by itself, so what is to be done at the end does not hold it.
        weak = ref(self)

        def close() -> None:
            held = weak()
            if held is not None:
                held.close()

        def is_busy() -> bool:
            held = weak()
            return held is not None and bool(held._exchanges)

        self._at_end, self._is_busy = close, is_busy
        _all.add(self)

    def __del__(self) -> None:
        own = self._own
        # At the end of the process modules may be gone already.
        if own is not None and asyncio is not None and not own.is_ending and asyncio._get_running_loop() is not own:
            self.close()

    def startup(self) -> None:
        """Start the application up, once; a second call does nothing.

        Raises:
            LifespanError: it does not start; another call tries again.
            BridgeError: it was closed.
        """
        with self._starting:
            if not self._started:
                if self._own is not None and self._own.is_ending:
                    raise bridge.BridgeError("This handler was closed. Make a new one.")
                turn = Turn()
                self._take(turn, turn.run(self._start_up()))
                if self._adopted is None:
                    at_the_end(self._at_end, self._is_busy)

    def respond(self, scope: Scope) -> Response:
        """Answer one request, from any thread.

        Raises:
            LifespanError: the application does not start up.
            InterfaceError: it broke ASGI.
            BaseException: whatever it raises before its response is complete.
        """
        exchange = Exchange(scope.body)
        is_watched = watch.begin(scope, self._out_of_time, exchange)
        self._exchanges.add(exchange)
        try:
            if is_watched and not interrupt.is_armed:
                interrupt.arm()
            if not self._started:
                self.startup()
            response: Response = self._take(exchange, self._run(scope, exchange))
        except interrupt.BlockedError:
            response = gateway_timeout()
        except Exception as error:
            if not (exchange.out_of_time and isinstance(error, bridge.LifespanError)):
                raise
            response = gateway_timeout()
        finally:
            self._exchanges.discard(exchange)
            watch.end(scope, None)
            ended()
        return response

    async def serve(self, scope: Scope, exchange: Exchange | None = None) -> Response:
        """Answer one request in the task that calls, on its loop, which becomes the application's for good.

        What the application sets in context variables is the task's as well: a task serves one request.

        Args:
            scope: the request.
            exchange: what the application receives from and sends to; a new one if None.

        Raises:
            BaseException: as :meth:`respond`.
        """
        exchange = exchange or Exchange(scope.body)
        exchange.wake = exchange.abandon  # finished only by who gives the request up
        watch.begin(scope, self._out_of_time, exchange)
        self._exchanges.add(exchange)
        try:
            if not self._started:
                await self.startup_here()
            if asyncio.get_running_loop() is not self._adopted:  # the application lives on another loop
                return await asyncio.to_thread(self.respond, scope)
            interrupt.arm()
            token = spawned.set(exchange.tasks)
            try:
                response = await self._answer(scope, exchange)
            finally:
                spawned.reset(token)
        except interrupt.BlockedError:
            response = gateway_timeout()
        except BaseException as error:
            if not exchange.out_of_time:  # whoever called has given up, or the application failed
                raise
            response = gateway_timeout() if isinstance(error, bridge.LifespanError) else exchange.late_response()
        finally:
            self._exchanges.discard(exchange)
            watch.end(scope, None)
            if exchange.out_of_time and exchange.task is not None:
                exchange.task.uncancel()
            exchange.task = None  # which goes on, and nobody is to cancel it any more
        return response

    async def startup_here(self) -> None:
        """Start the application up on the loop that runs.

        Raises:
            LifespanError: it does not start; another call tries again.
        """
        if self._started:
            return
        self._adopted = asyncio.get_running_loop()
        if self._start is None:
            self._start = asyncio.create_task(self._start_up())
            self._start.add_done_callback(self._forget_start)
        await asyncio.shield(self._start)

    async def close_here(self) -> None:
        """Shut the application down, on the loop that it was started on and that runs."""
        forget(self._at_end)
        self._started = False
        # other threads may wait for answers
        left = [each.task for each in self._exchanges if each.task is not None and not each.task.cancelling()]
        if left:
            await asyncio.wait(left, timeout=PATIENCE_SECONDS)
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.shutdown()

    def close(self) -> None:
        """Shut the application down and close the loop; a second call does nothing."""
        forget(self._at_end)
        if self._own is not None and not self._own.is_ending:
            self._own.finish(self.close_here)

    def _take(self, turn: Turn, coroutine: Coroutine[Any, Any, None]) -> Any:
        if self._adopted is not None:
            if asyncio._get_running_loop() is self._adopted:
                coroutine.close()
                raise bridge.InterfaceError(
                    "This handler serves the event loop that runs here: await handler.answer(…)."
                )
            take_outside(self._adopted, turn, coroutine)
            return turn.result()
        if self._own is None:
            self._own = Context().run(Loop)  # else it would hold on to the request that it is made for
        return self._own.take(turn, coroutine)

    async def _start_up(self) -> None:
        # The lifespan is no request's: not of the first one, not of another application's that calls this one.
        spawned.set(None)
        current.set(None)
        if self._mode != "off":
            self._starts = lifespan = Lifespan(self.app, required=self._mode == "on")
            try:
                await lifespan.startup()
            finally:
                self._starts = None
            if lifespan.state is not None:
                self._lifespan = lifespan
                if self._own is not None:
                    self._own.guest = lifespan
        self._started = True

    def _forget_start(self, start: asyncio.Task[None]) -> None:
        self._start = None
        if not start.cancelled():
            start.exception()  # whoever waits has it

    async def _run(self, scope: Scope, exchange: Exchange) -> None:
        spawned.set(exchange.tasks)
        try:
            exchange.finish(await self._answer(scope, exchange))
        except BaseException as error:
            if exchange.out_of_time:
                exchange.finish(exchange.late_response())
            else:
                exchange.fail(error)

    async def _answer(self, scope: Scope, exchange: Exchange) -> Response:
        """Run the application in this task, and what it leaves behind for a while."""
        exchange.task = current_task(self._adopted or self._own)  # with the loop it asks the system for nothing
        state = self._lifespan.state if self._lifespan is not None else None
        tasks = exchange.tasks
        try:
            try:
                await self.app(asgi_scope_of(scope, state), exchange.receive, exchange.send)
            except Exception:
                exchange.failed(scope)
            response = exchange.answered()
        except BaseException as error:
            exchange.end()
            if isinstance(error, Exception) and tasks and not exchange.out_of_time:
                await exchange.leave(tasks)
            raise
        if tasks:
            await exchange.leave(tasks)
        return response

    def _out_of_time(self, exchange: Exchange) -> None:
        """Called by the watch, in its thread, after it has logged the threads' stacks."""
        from bridge.interfaces.deadline import give_up  # few requests come to this

        loop = self._adopted or self._own
        if loop is not None:
            is_shared = self._own is not None and self._own.is_shared

            def spares() -> bool:
                task = asyncio.current_task()
                others = [each for each in list(self._exchanges) if each is not exchange]
                return task is not None and any(each.task is task or task in each.tasks for each in others)

            give_up(loop, exchange, self._starts, spares, is_shared=is_shared)

    def _forget_parent(self) -> None:
        """In a process that was forked: loop and lifespan are the parent's, this one starts anew if it has to."""
        _of_parents.append((self._own, self._lifespan))
        self._own = self._adopted = self._lifespan = self._starts = self._start = None
        self._starting = threading.Lock()
        self._started = False
        self._exchanges.clear()


def _after_fork() -> None:
    for application in list(_all):
        application._forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
