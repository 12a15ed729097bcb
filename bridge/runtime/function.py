"""The function: what answers an invocation, and how its answer gets to the Runtime API."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from inspect import isawaitable

from bridge.handlers import Handler, server_error
from bridge.logs import logger
from bridge.request import CurrentRequest, current
from bridge.runtime.api import ApiError
from bridge.runtime.call import call, call_outside, give_loop, is_async
from bridge.runtime.context import Context
from bridge.runtime.error_report import Fault
from bridge.runtime.payload import written
from bridge.runtime.response_stream import Posted, Streamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.asgi.application import AsgiApplication
    from bridge.runtime.api import RuntimeApi
    from bridge.runtime.invocation import Invocation


class Function:
    """What is run: an application behind its handler, or any handler of ``(event, context)``.

    Args:
        handler: what is called.
        concurrency: how many invocations are answered at once.
        stream: whether the responses that a source lets be streamed are.
    """

    def __init__(self, handler: Callable[[Any, Any], Any], concurrency: int = 1, *, stream: bool = False) -> None:
        self._handler = handler
        self._stream = stream
        # One at a time, a plain handler is called here: the loop has nothing else to do, and no thread is in between.
        needs_threads = concurrency > 1 and not is_async(handler) and self.hosted is None
        self._threads = (
            ThreadPoolExecutor(concurrency, "bridge function", initializer=give_loop) if needs_threads else None
        )
        self._is_plain = not is_async(handler) and not needs_threads

    @property
    def hosted(self) -> AsgiApplication | None:
        """The ASGI application, if it is one."""
        return self._handler.asgi if isinstance(self._handler, Handler) else None

    async def startup(self) -> None:
        """Start the application up.

        Raises:
            LifespanError: it does not start up.
        """
        if self.hosted is not None:
            await self.hosted.startup_here()

    async def close(self) -> None:
        """Shut the application down. Threads that still answer are not waited for."""
        if self.hosted is not None:
            await self.hosted.close_here()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer(self, invocation: Invocation, api: RuntimeApi) -> None:
        """Answer one invocation, and come to the end of what it started.

        Raises:
            ApiError: the Runtime API is gone.
            SystemExit: the function wants to exit; it was answered for.
        """
        context = Context(invocation)
        exchange: Posted | None = None
        try:
            event = invocation.event()
            current.set(CurrentRequest(event, context))
            handler, hosted = self._handler, self.hosted
            if isinstance(handler, Handler) and hosted is not None:
                source = handler.source_of(event, context)
                if source is not None:
                    scope = handler.read(source, event, context)
                    is_streamed = self._stream and getattr(source, "STREAMED", None) == scope.source
                    exchange = (Streamed if is_streamed else Posted)(handler, source, scope, invocation, api)
                    await exchange.answer(hosted)
                    return
                payload = call_outside(handler.answer_non_http, event, context)
                if isawaitable(payload):
                    payload = await payload
            else:
                payload = (
                    call_outside(handler, event, context)
                    if self._is_plain
                    else await call(handler, event, context, self._threads)
                )
            body, content_type = written(payload)
        except ApiError:
            raise
        except SystemExit as error:
            if exchange is None:
                await self._fail_exiting(error, event, context, invocation, api)
            raise
        except BaseException as error:  # whatever it is, it is one invocation's
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # this process is ending
            logger.exception("The invocation failed.")
            await api.fail(invocation, Fault.of(error))
        else:
            await api.respond(invocation, body, content_type)

    async def _fail_exiting(
        self, error: SystemExit, event: Any, context: Context, invocation: Invocation, api: RuntimeApi
    ) -> None:
        """Answer for a function that ends its process: a request with a 500, another event with an error."""
        handler = self._handler
        source = handler.source_of(event, context) if isinstance(handler, Handler) else None
        if source is None or not isinstance(handler, Handler):
            logger.critical("The function exits.", exc_info=error)
            await api.fail(invocation, Fault("Runtime.ExitError", f"The function called sys.exit({error.code!r})."))
            return
        scope = handler.read(source, event, context)
        await api.respond(invocation, *written(handler.write(source, scope, server_error(scope))))
