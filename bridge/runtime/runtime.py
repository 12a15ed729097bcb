"""The life of the process: init, as many pollers as Lambda asks for, the end."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal

from bridge.asgi.loop import create_task
from bridge.errors import ApplicationNotFoundError
from bridge.logs import logger
from bridge.runtime.api import ApiError, RuntimeApi
from bridge.runtime.error_report import Fault
from bridge.runtime.snapshot import take_snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.runtime.function import Function
    from bridge.runtime.invocation import Invocation

# The exit statuses: the API is gone, or the application does not start up.
_FAILED = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Runtime:
    """One process of the function.

    Args:
        function: what answers.
        address: the Runtime API's ``host:port``.
        concurrency: how many invocations are in flight at most.

    Attributes:
        has_started: whether the application has started up.
    """

    def __init__(self, function: Function, address: str, concurrency: int) -> None:
        self._function = function
        self._address = address
        self._concurrency = concurrency
        self._waiting: set[asyncio.Task[Any]] = set()
        self._turns: dict[RuntimeApi, asyncio.Task[None]] = {}  # asyncio itself holds them only weakly
        self._is_stopping = False
        self._status = 0
        self.has_started = False

    async def run(self) -> int:
        """Answer invocations until SIGTERM, or until there can be no more.

        Returns:
            The exit status of the process.
        """
        loop = asyncio.get_running_loop()
        if self._function.hosted is not None:
            loop.set_task_factory(create_task)  # to know what its requests leave behind
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.stop)
        api = RuntimeApi(self._address)
        try:
            await self._function.startup()
        except Exception as error:
            await fail_init(api, error)
            return _FAILED
        self.has_started = True
        try:
            self._status = await take_snapshot(api)
            if self._status:
                return self._status
            # One poller goes on with the connection that is there.
            apis = [api, *(RuntimeApi(self._address) for _ in range(self._concurrency - 1))]
            await asyncio.gather(*(self._poll(each) for each in apis))
        except ApiError as error:
            logger.critical("%s This process ends.", error)
            self._status = _FAILED
        finally:
            await self._function.close()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        return self._status

    def stop(self, status: int = 0) -> None:
        """Ask for no more invocations; those in flight come to their end."""
        self._is_stopping = True
        self._status = self._status or status
        for waiting in list(self._waiting):
            waiting.cancel()

    async def _poll(self, api: RuntimeApi) -> None:
        """Answer one invocation after the other, each in a task and a context of its own.

        Each task waits for the invocation of the one after it, and ends: a task that stays and waits for the others
        would cost every invocation a round of the loop.

        Raises:
            ApiError: the Runtime API is gone.
        """
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        over = loop.create_future()

        async def turn(invocation: Invocation | None) -> None:
            try:
                if invocation is not None:
                    await self._answer(invocation, api)
                following = await self._next(api)
                if following is not None:
                    go_on(following)
                elif not over.done():
                    over.set_result(None)
            except BaseException as error:
                if not over.done():  # the process may be ending
                    over.set_exception(error)

        def go_on(invocation: Invocation | None) -> None:
            self._turns[api] = loop.create_task(turn(invocation), context=context.copy())

        go_on(None)
        try:
            await over
        finally:
            del self._turns[api]
            api.close()

    async def _next(self, api: RuntimeApi) -> Invocation | None:
        """The next invocation; None if there is to be none."""
        if self._is_stopping:
            return None
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            return await api.next()
        except asyncio.CancelledError:
            return None
        finally:
            self._waiting.discard(task)

    async def _answer(self, invocation: Invocation, api: RuntimeApi) -> None:
        if self._concurrency == 1:  # X-Ray's SDK looks there; with several in flight it would be another's
            os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
        try:
            await self._function.answer(invocation, api)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
            logger.critical("The function called sys.exit(%r): this process ends.", error.code)
            self.stop(code or _FAILED)
        except ApiError:
            raise
        except Exception:
            logger.exception("An invocation could not be answered.")


async def fail_init(api: RuntimeApi, error: BaseException) -> None:
    """Tell Lambda, and the log, why the function cannot be used."""
    logger.critical("The function cannot start.", exc_info=error)
    try:
        await api.fail_init(Fault.of(error, _kind_of(error)))
    except ApiError as lost:
        logger.critical("%s", lost)


def _kind_of(error: BaseException) -> str:
    """The type of an init error, as AWS's own runtime client calls it."""
    if isinstance(error, ApplicationNotFoundError) and not isinstance(error.__cause__, ImportError):
        return "Runtime.HandlerNotFound"
    if isinstance(error, ImportError):
        return "Runtime.ImportModuleError"
    return "Runtime.UserCodeSyntaxError" if isinstance(error, SyntaxError) else type(error).__name__
