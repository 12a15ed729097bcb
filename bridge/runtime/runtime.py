"""The life of the process: init, as many pollers as Lambda asks for, the end."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal

from bridge.errors import logger
from bridge.interfaces.loop import new_task
from bridge.runtime.api import ApiError, RuntimeApi
from bridge.runtime.fault import Fault
from bridge.runtime.snapshot import take_snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bridge.runtime.function import Function
    from bridge.runtime.invocation import Invocation

# The exit statuses: the API is gone, or the application does not start up.
_FAILED = 1


class Runtime:
    """One process of the function.

    Args:
        function: what answers.
        address: the Runtime API's ``host:port``.
        concurrency: how many invocations are in flight at most.
    """

    def __init__(self, function: Function, address: str, concurrency: int) -> None:
        self._function = function
        self._address = address
        self._concurrency = concurrency
        self._idle: set[asyncio.Task[Invocation]] = set()
        self._is_stopping = False
        self._status = 0

    async def run(self) -> int:
        """Answer invocations until SIGTERM, or until there can be no more.

        Returns:
            The exit status of the process.
        """
        loop = asyncio.get_running_loop()
        loop.set_task_factory(new_task)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        api = RuntimeApi(self._address)
        try:
            await self._function.startup()
        except Exception as error:
            await fail_init(api, error)
            return _FAILED
        try:
            self._status = await take_snapshot(api)
            if self._status:
                return self._status
            # One poller goes on with the connection that is there.
            apis = [api, *(RuntimeApi(self._address) for _ in range(self._concurrency - 1))]
            await asyncio.gather(*(self._poll(each) for each in apis))
        except ApiError as error:
            logger().critical("%s This process ends.", error)
            self._status = _FAILED
        finally:
            await self._function.close()
        return self._status

    def stop(self, status: int = 0) -> None:
        """Ask for no more invocations; those in flight come to their end."""
        self._is_stopping = True
        self._status = self._status or status
        for waiting in self._idle:
            waiting.cancel()

    async def _poll(self, api: RuntimeApi) -> None:
        """Answer one invocation after the other.

        Raises:
            ApiError: the Runtime API is gone.
        """
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        while not self._is_stopping:
            waiting = loop.create_task(api.next())
            self._idle.add(waiting)
            try:
                invocation = await waiting
            except asyncio.CancelledError:
                break
            finally:
                self._idle.discard(waiting)
            if self._concurrency == 1:  # X-Ray's SDK looks there; with several in flight it would be another's
                os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
            # In a context of its own: what one request sets no other sees.
            await loop.create_task(self._answer(invocation, api), context=context.copy())
        api.close()

    async def _answer(self, invocation: Invocation, api: RuntimeApi) -> None:
        try:
            await self._function.answer(invocation, api)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
            logger().critical("The function called sys.exit(%r): this process ends.", error.code)
            self.stop(code or _FAILED)
        except ApiError:
            raise
        except Exception:
            logger().exception("An invocation could not be answered.")


async def fail_init(api: RuntimeApi, error: BaseException) -> None:
    """Tell Lambda, and the log, why the function cannot be used."""
    kinds = {ImportError: "Runtime.ImportModuleError", SyntaxError: "Runtime.UserCodeSyntaxError"}
    kind = next((name for base, name in kinds.items() if isinstance(error, base)), "")
    logger().critical("The function cannot start.", exc_info=error)
    try:
        await api.fail_init(Fault.of(error, kind))
    except ApiError as lost:
        logger().critical("%s", lost)
