"""The ASGI lifespan of an application: one for each event loop, so one for the life of the process.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio

import bridge
from bridge import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from asgiref.typing import ASGI3Application

# How long a lifespan may take to shut down, and to end after it has answered. Lambda ends a sandbox 2 s after SIGTERM
# in any case; elsewhere it keeps a process from hanging when it exits.
PATIENCE_SECONDS = 5.0


class Lifespan:
    """An application's lifespan.

    Args:
        app: the application.
        required: whether an application without lifespan is an error (mode ``"on"``).

    Attributes:
        state: what the application keeps for its requests; None if it has no lifespan.
        task: the task in which the application's lifespan runs.
    """

    def __init__(self, app: ASGI3Application, *, required: bool) -> None:
        self._app: Any = app
        self._required = required
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._asked = ""
        self._is_last = False
        self._is_cancelled = False
        self._answer: asyncio.Future[dict[str, Any] | BaseException | None]
        self._reason: Exception | None = None  # what was raised after a startup was answered to have failed
        self.task: asyncio.Task[None]
        self.state: dict[str, Any] | None = None

    async def startup(self) -> None:
        """Start the application up.

        Raises:
            LifespanError: it answered ``lifespan.startup.failed``, or was given up; or, if a lifespan is required, it
                raised or ended before it answered.
            BaseException: what it raised that is no ``Exception``.
        """
        state: dict[str, Any] = {}
        answered = self._ask("lifespan.startup")
        self.task = asyncio.get_running_loop().create_task(self._run(state))
        answer = await answered
        if isinstance(answer, dict):
            if answer["type"] == "lifespan.startup.complete":
                self.state = state
                return
            await self._let_end()
            reason = str(answer.get("message") or "no reason given").strip()
            # Starlette sends the whole traceback and raises, too.
            cause = None if reason.startswith("Traceback") else self._reason
            raise bridge.LifespanError(f"The application's lifespan failed to start up: {reason}") from cause
        if self._is_last and isinstance(answer, Exception):  # it was given up
            raise answer
        _pass_on(answer)
        if self._required:
            raise bridge.LifespanError(
                "The application has no lifespan, or its startup broke: it "
                + ("ended without an answer." if answer is None else f"raised {answer!r}.")
                + ' With lifespan="auto" this is passed over.'
            ) from answer
        if answer is not None and self._messages.empty():
            # It took the message, so it knows of lifespans. The specification has the server go on without one.
            logger().warning("The application's startup broke; it is served without a lifespan.", exc_info=answer)

    def give_up(self) -> None:
        """End a startup that takes too long."""
        if not self._answer.done():
            self._answer.set_result(
                bridge.LifespanError("The application's startup has not ended before Lambda's deadline.")
            )
            self._is_last = True
            self.task.cancel()

    async def shutdown(self) -> None:
        """Shut the application down, if it started up and has not ended by itself; what goes wrong is logged."""
        if self.state is None:
            return
        self.state = None
        if self.task.done():
            return
        answered = self._ask("lifespan.shutdown")
        await asyncio.wait([answered], timeout=PATIENCE_SECONDS)
        answer = answered.result() if answered.done() else {"type": "", "message": f"no answer in {PATIENCE_SECONDS} s"}
        await self._let_end()
        _pass_on(answer)
        if isinstance(answer, BaseException):
            logger().error("The application's lifespan broke while shutting down.", exc_info=answer)
        elif answer is not None and answer["type"] != "lifespan.shutdown.complete":
            logger().error("The application's lifespan does not shut down: %s", answer.get("message", ""))

    def _ask(self, message: str) -> asyncio.Future[dict[str, Any] | BaseException | None]:
        self._asked = message
        self._answer = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": message})
        return self._answer

    async def _let_end(self) -> None:
        """Let the application come to its end: what surrounds its lifespan may have to let go of something."""
        if not self.task.done() and self._answer.done():
            await asyncio.wait([self.task], timeout=PATIENCE_SECONDS)
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
                    self._reason = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
                else:
                    logger().error("The application's lifespan broke while it ran.", exc_info=error)
            else:
                raise
        else:
            if not self._answer.done():
                self._answer.set_result(None)

    async def _receive(self) -> dict[str, str]:
        if self._is_last:  # an application that listens on
            raise asyncio.CancelledError("The lifespan is over.")
        try:
            return await self._messages.get()
        except asyncio.CancelledError:
            self._is_cancelled = True
            raise

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if self._is_cancelled and self._answer.done():
            return  # Starlette answers its cancellation, too, as if it had been asked to shut down; nobody waits for it
        if self._answer.done() or kind not in (f"{self._asked}.complete", f"{self._asked}.failed"):
            raise bridge.InterfaceError(f"The application's lifespan sent {kind!r}; it was asked for {self._asked!r}.")
        self._is_last = kind != "lifespan.startup.complete"
        self._answer.set_result(message)


def _pass_on(answer: object) -> None:
    """Raise what the application raised to end the process."""
    if isinstance(answer, BaseException) and not isinstance(answer, (Exception, asyncio.CancelledError)):
        raise answer
