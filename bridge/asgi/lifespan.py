"""The ASGI lifespan of an application; there is one for the life of the process.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio

from bridge.errors import InterfaceError, LifespanError
from bridge.logs import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from asgiref.typing import ASGI3Application

# Seconds that a lifespan has to shut down, and to return after its answer. Lambda ends a sandbox 2 s after SIGTERM;
# elsewhere the limit keeps a process from hanging at its exit.
SHUTDOWN_SECONDS = 5.0


class Lifespan:
    """An application's lifespan; *required* is the mode ``"on"``, in which an application without one is an error.

    Attributes:
        state: the dictionary that the application shares with its requests; None if it has no lifespan.
        task: the task that runs the application's lifespan.
    """

    def __init__(self, app: ASGI3Application, *, required: bool) -> None:
        self._app: Any = app
        self._required = required
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._phase = ""  # the message that the application has to answer
        self._is_last = False
        self._is_cancelled = False
        self._answer: asyncio.Future[dict[str, Any] | BaseException | None]
        self._startup_error: Exception | None = None  # raised after lifespan.startup.failed
        self.task: asyncio.Task[None]
        self.state: dict[str, Any] | None = None

    async def startup(self) -> None:
        """Start the application.

        Raises:
            LifespanError: the application sent ``lifespan.startup.failed``, or :meth:`cancel_startup` was called; or
                a lifespan is required, and the application raised or returned before it answered.
            BaseException: the application's own, if it is no ``Exception``.
        """
        state: dict[str, Any] = {}
        answered = self._request("lifespan.startup")
        self.task = asyncio.get_running_loop().create_task(self._run(state))
        answer = await answered
        if isinstance(answer, dict):
            if answer["type"] == "lifespan.startup.complete":
                self.state = state
                return
            await self._let_return()
            reason = str(answer.get("message") or "no reason given").strip()
            # Starlette sends the whole traceback and raises as well.
            cause = None if reason.startswith("Traceback") else self._startup_error
            raise LifespanError(f"The application's lifespan failed to start up: {reason}") from cause
        if self._is_last and isinstance(answer, Exception):  # cancelled
            raise answer
        _raise_exit(answer)
        if self._required:
            raise LifespanError(
                "The application has no lifespan, or its startup failed: it "
                + ("returned without an answer." if answer is None else f"raised {answer!r}.")
                + ' The option lifespan="auto" allows that.'
            ) from answer
        if answer is not None and self._messages.empty():
            # The application has received the message, so it supports lifespans. By the specification the server
            # continues without one.
            logger.warning("The application's startup failed; it is served without a lifespan.", exc_info=answer)

    def cancel_startup(self) -> None:
        """Cancel a startup that takes too long."""
        if not self._answer.done():
            self._answer.set_result(LifespanError("The application's startup has not ended before Lambda's deadline."))
            self._is_last = True
            self.task.cancel()

    async def shutdown(self) -> None:
        """Shut the application down, if it started and its lifespan has not returned; errors are logged."""
        if self.state is None or self.task.done():
            return
        answered = self._request("lifespan.shutdown")
        await asyncio.wait([answered], timeout=SHUTDOWN_SECONDS)
        answer = answered.result() if answered.done() else {"type": "", "message": f"no answer in {SHUTDOWN_SECONDS} s"}
        await self._let_return()
        _raise_exit(answer)
        if isinstance(answer, BaseException):
            logger.error("The application's lifespan failed while shutting down.", exc_info=answer)
        elif answer is not None and answer["type"] != "lifespan.shutdown.complete":
            logger.error("The application's lifespan failed to shut down: %s", answer.get("message", ""))

    def _request(self, message: str) -> asyncio.Future[dict[str, Any] | BaseException | None]:
        self._phase = message
        self._answer = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": message})
        return self._answer

    async def _let_return(self) -> None:
        """Let the application return: context managers around its lifespan may have resources to release."""
        if not self.task.done() and self._answer.done():
            await asyncio.wait([self.task], timeout=SHUTDOWN_SECONDS)
        self.task.cancel()

    async def _run(self, state: dict[str, Any]) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
        try:
            await self._app(scope, self._receive, self._send)
        except BaseException as error:
            if not self._answer.done():
                self._answer.set_result(error)
            elif isinstance(error, Exception):
                answer = self._answer.result()
                if isinstance(answer, dict) and answer["type"] == "lifespan.startup.failed":
                    self._startup_error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
                else:
                    logger.error("The application's lifespan failed while running.", exc_info=error)
            else:
                raise
        else:
            if not self._answer.done():
                self._answer.set_result(None)

    async def _receive(self) -> dict[str, str]:
        if self._is_last:  # an application that keeps receiving
            raise asyncio.CancelledError("The lifespan is over.")
        try:
            return await self._messages.get()
        except asyncio.CancelledError:
            self._is_cancelled = True
            raise

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if self._is_cancelled and self._answer.done():
            return  # Starlette answers its cancellation like a request to shut down
        if self._answer.done() or kind not in (f"{self._phase}.complete", f"{self._phase}.failed"):
            raise InterfaceError(f"The application's lifespan sent {kind!r} in answer to {self._phase!r}.")
        self._is_last = kind != "lifespan.startup.complete"
        self._answer.set_result(message)


def _raise_exit(answer: object) -> None:
    """Raise an exception by which the application ends the process."""
    if isinstance(answer, BaseException) and not isinstance(answer, (Exception, asyncio.CancelledError)):
        raise answer
