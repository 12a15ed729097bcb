"""An ASGI application, with its event loop and its lifespan."""

from __future__ import annotations

import asyncio
import threading
from traceback import StackSummary

from bridge.asgi.lifespan import SHUTDOWN_SECONDS, Lifespan
from bridge.asgi.loop import LOCK_SECONDS, BackgroundTasks, LoopRunner, await_chain, is_loop_running, request_tasks
from bridge.asgi.request_cycle import RequestCycle, connection_scope
from bridge.deadline import watcher
from bridge.errors import InterfaceError, RunningLoopError
from bridge.logs import logger
from bridge.request import current
from bridge.shutdown import shutdown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from bridge.request import Scope
    from bridge.response import Response
    from bridge.settings import Settings

# Seconds that an application has to react to its cancellation at the deadline.
_CANCEL_SECONDS = 0.02


class AsgiApplication:
    """An ASGI 3 application, called on one event loop and with one lifespan for the life of the process.

    The loop is the application's own, run by the thread that calls :meth:`respond`; or it is that of a server, whose
    first call of :meth:`serve` or :meth:`startup_here` chooses it.

    Args:
        app: the application.
        settings: ``lifespan`` and ``background_seconds`` of these are used.

    Attributes:
        app: the application.
        background: waits for the tasks that requests leave behind.
        find_loop: returns an event loop to use in place of a new one, or None; the loop is not closed.
        host_cancels: whether the server that calls :meth:`serve` may cancel requests. A server sets it to False while
            it cancels none; then a cancelled request has cancelled itself, and is answered 500.
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self.app = app
        self.background = BackgroundTasks(settings.background_seconds)
        self.find_loop: Callable[[], asyncio.AbstractEventLoop | None] | None = None
        self.host_cancels = True
        self._lifespan_mode = settings.lifespan
        self._lifespan: Lifespan | None = None
        self._startup_task: asyncio.Task[None] | None = None
        self._is_started = False
        self._lock = threading.Lock()
        self._runner: LoopRunner | None = None
        self._server_loop: asyncio.AbstractEventLoop | None = None
        self._cycles: dict[Scope, RequestCycle] = {}

    @property
    def has_own_loop(self) -> bool:
        """Whether the application was started on its own loop, as opposed to that of a server."""
        return self._runner is not None

    def check_thread(self) -> None:
        """Raise RunningLoopError if the application must not be called synchronously in the calling thread."""
        if self._server_loop is not None:
            raise RunningLoopError(
                "This handler serves the event loop of a server. Use there: await handler.answer(event, context)"
            )
        if is_loop_running():
            raise RunningLoopError(
                "A synchronous call of an ASGI handler runs the application's event loop, which is impossible inside a "
                "running event loop. Use: await handler.answer(event, context)"
            )

    def check_loop(self) -> None:
        """Raise RunningLoopError if the application was started on another loop of a server."""
        if self._is_started and self._runner is None and asyncio.get_running_loop() is not self._server_loop:
            raise RunningLoopError(
                "The application was started on another event loop. Call the handler there, or make a new handler."
            )

    def startup(self) -> None:
        """Start the application on its own loop; a second call does nothing.

        Raises:
            LifespanError: the startup failed; another call tries again.
            RunningLoopError: see :meth:`check_thread`.
        """
        if not self._is_started:
            self.check_thread()
            try:
                self.run(self._start_once())
            finally:
                shutdown.request_answered()

    async def startup_here(self) -> None:
        """Start the application on the running loop; exceptions are those of :meth:`startup`."""
        if self._runner is not None:  # the application was started on its own loop
            await asyncio.to_thread(self.startup)
        else:
            self.check_loop()
            self._server_loop = asyncio.get_running_loop()
            await self._start_once()

    def respond(self, scope: Scope, cycle: RequestCycle | None = None) -> Response:
        """Answer one request on the application's own loop, in a thread that :meth:`check_thread` accepts.

        Args:
            scope: the request.
            cycle: handles the application's messages, unless the scope makes its own; a new one if None.

        Raises:
            LifespanError: the startup failed.
            InterfaceError: the application violated ASGI.
            BaseException: the application's own, raised before its response was complete.
        """
        cycle = self._cycle_of(scope, cycle)
        try:
            return self.run(self._answer(scope, cycle))  # type: ignore[no-any-return]
        except TimeoutError:
            if not cycle.is_timed_out:
                raise
            return cycle.result_at_deadline()
        finally:
            cycle.task = None  # it refers to its exception, whose traceback refers to the cycle
            shutdown.request_answered()

    async def serve(self, scope: Scope, cycle: RequestCycle | None = None) -> Response:
        """Answer one request in the calling task; its loop becomes the application's.

        Context variables that the application sets are set in the calling task: a task should serve one request.
        Arguments, result and exceptions are those of :meth:`respond`.
        """
        if self._runner is not None:  # the application was started on its own loop, and *cycle* is this loop's
            return await asyncio.to_thread(self.respond, scope)
        if not self._is_started:
            self._server_loop = asyncio.get_running_loop()
        return await self._answer(scope, self._cycle_of(scope, cycle))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the application's own loop, see :meth:`LoopRunner.run`."""
        runner = self._runner
        if runner is None or (runner.is_adopted and runner.loop.is_closed()):
            runner = self._make_runner(runner)
        return runner.run(coroutine)

    async def close_here(self) -> None:
        """Shut the application down on the running loop, on which it was started."""
        self._is_started = False
        tasks = [task for cycle in self._cycles.values() if (task := cycle.task) is not None and not task.cancelling()]
        if tasks:
            await asyncio.wait(tasks, timeout=SHUTDOWN_SECONDS)
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.shutdown()

    def close(self) -> None:
        """Shut the application down and close its own loop; a second call does nothing."""
        runner = self._runner
        is_open = runner is not None and not runner.is_closed
        if is_open and is_loop_running():
            raise RunningLoopError(
                "A handler cannot be closed inside a running event loop. Use: await asyncio.to_thread(handler.close)"
            )
        shutdown.remove(self.close)
        if runner is not None and is_open:
            try:
                runner.run(self.close_here(), LOCK_SECONDS)
            finally:
                runner.close()

    def _make_runner(self, lost: LoopRunner | None) -> LoopRunner:
        """Return a new runner in the place of *lost*, unless another thread has made it meanwhile."""
        with self._lock:
            if self._runner is None or self._runner is lost:
                self._lifespan, self._is_started = None, False
                self._runner = LoopRunner(self.find_loop() if self.find_loop is not None else None)
                shutdown.add(self.close, self._runner.is_running, self.background.stop)
            return self._runner

    def _cycle_of(self, scope: Scope, cycle: RequestCycle | None) -> RequestCycle:
        return scope.new_cycle(self) if scope.new_cycle else cycle or RequestCycle(scope.body)

    async def _start_once(self) -> None:
        """Start the application, unless it is started; requests that arrive at the same time share the attempt."""
        if not self._is_started:
            if self._startup_task is None or self._startup_task.done():
                self._startup_task = asyncio.create_task(self._start())
            await asyncio.shield(self._startup_task)

    async def _start(self) -> None:
        # The lifespan belongs to no request, neither the first one nor that of an application that calls this one.
        request_tasks.set(None)
        current.set(None)
        if self._lifespan_mode != "off":
            lifespan = self._lifespan = Lifespan(self.app, required=self._lifespan_mode == "on")
            try:
                await lifespan.startup()
            finally:
                if lifespan.state is None:
                    self._lifespan = None
        self._is_started = True
        self._startup_task = None  # its context is that of the first request

    async def _answer(self, scope: Scope, cycle: RequestCycle) -> Response:
        """Call the application in the current task, then wait for the tasks that it leaves behind."""
        self._cycles[scope] = cycle
        watcher.begin(scope, self._on_deadline)
        token = request_tasks.set(cycle.tasks)
        try:
            try:
                if not self._is_started:
                    await self._start_once()
                cycle.task = asyncio.current_task()
                state = self._lifespan.state if self._lifespan is not None else None
                try:
                    await cycle.run(self.app, connection_scope(scope, state))
                except Exception:
                    cycle.log_late_exception(scope)
                except asyncio.CancelledError as error:
                    self._take_back_cancellation(cycle)
                    if not cycle.is_complete:
                        message = "The application cancelled its own task, or raised CancelledError."
                        raise InterfaceError(message) from error
                response = cycle.result()
            except Exception:
                if not cycle.is_timed_out:
                    cycle.disconnect()
                    await self._settle(scope, cycle)
                raise
            await self._settle(scope, cycle)
            return response
        except (Exception, asyncio.CancelledError):
            if not cycle.is_timed_out:
                raise
            return cycle.result_at_deadline()
        finally:
            request_tasks.reset(token)
            watcher.end(scope)
            del self._cycles[scope]
            cycle.disconnect()
            if cycle.is_timed_out and cycle.task is not None:
                cycle.task.uncancel()
            cycle.task = None

    async def _settle(self, scope: Scope, cycle: RequestCycle) -> None:
        try:
            # Runs scheduled callbacks, and lets asyncio start the tasks that close abandoned asynchronous generators.
            await asyncio.sleep(0)
            if cycle.tasks and not cycle.leaves_tasks:
                await self.background.wait(scope, cycle.tasks)
        except asyncio.CancelledError:
            self._take_back_cancellation(cycle)
            await self._settle(scope, cycle)

    def _take_back_cancellation(self, cycle: RequestCycle) -> None:
        """Let a task continue that the application has cancelled; otherwise raise what is being handled.

        On the application's own loop only the deadline cancels, and the application itself.
        """
        if cycle.is_timed_out or cycle.task is None or (self._runner is None and self.host_cancels):
            raise
        while cycle.task.cancelling():
            cycle.task.uncancel()

    def _on_deadline(self, scope: Scope) -> None:
        """Cancel a request, or the startup that it waits for. Called in the deadline watcher's thread."""
        loop = self._server_loop or (self._runner.loop if self._runner is not None else None)
        cycle = self._cycles.get(scope)
        if loop is None or cycle is None:
            return
        task, name = cycle.task, "application"
        if task is None and self._lifespan is not None:
            task, name = self._lifespan.task, "application's startup"
        if task is not None:  # task.print_stack() prints the outermost frame only
            stack = StackSummary.extract((frame, frame.f_lineno) for frame in await_chain(task)).format()
            logger.error("The %s waits here:\n%s", name, "".join(stack).rstrip() or "  nowhere: its task has ended")
        loop.call_soon_threadsafe(self._cancel, cycle)

    def _cancel(self, cycle: RequestCycle) -> None:
        cycle.is_timed_out = True
        if cycle.task is not None:
            cycle.task.cancel()
            asyncio.get_running_loop().call_later(_CANCEL_SECONDS, self._abandon, cycle)
        elif self._lifespan is not None:
            self._lifespan.cancel_startup()

    def _abandon(self, cycle: RequestCycle) -> None:
        """Answer a request although the application does not react to its cancellation."""
        if self._runner is not None:
            self._runner.abandon(cycle.task)
        else:
            cycle.abandon()
