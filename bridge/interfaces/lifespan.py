"""The ASGI lifespan of an application: one for each event loop, so one for the life of the process.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio

from bridge.errors import LifespanError, logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from asgiref.typing import ASGI3Application


class Lifespan:
    """An application's lifespan.

    Args:
        app: the application.
        required: whether an application without lifespan is an error (mode ``"on"``).

    Attributes:
        state: what the application keeps for its requests; None if it has no lifespan.
    """

    def __init__(self, app: ASGI3Application, *, required: bool) -> None:
        self._app: Any = app
        self._required = required
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any] | BaseException | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] | None = None

    async def startup(self) -> None:
        """Start the application up.

        Raises:
            LifespanError: it answered ``lifespan.startup.failed``; or, if a lifespan is required, it raised or ended
                before it answered.
        """
        state: dict[str, Any] = {}
        self._task = asyncio.get_running_loop().create_task(self._run(state))
        answer = await self._ask("lifespan.startup")
        if isinstance(answer, dict):
            if answer["type"] == "lifespan.startup.complete":
                self.state = state
                return
            await asyncio.wait([self._task])
            reason = str(answer.get("message") or "no reason given").strip()
            raise LifespanError(f"The application's lifespan failed to start up: {reason}")
        if self._required:
            raise LifespanError(
                "The application has no lifespan, or its startup broke: it "
                + ("ended without an answer." if answer is None else f"raised {answer!r}.")
                + ' With lifespan="auto" this is passed over.'
            ) from answer

    async def shutdown(self) -> None:
        """Shut the application down, if it started up; what goes wrong is logged."""
        if self.state is None or self._task is None:
            return
        answer = await self._ask("lifespan.shutdown")
        if isinstance(answer, dict) and answer["type"] == "lifespan.shutdown.failed":
            logger().error("The application's lifespan failed to shut down: %s", answer.get("message", ""))
        elif isinstance(answer, BaseException):
            logger().error("The application's lifespan broke while shutting down.", exc_info=answer)
        self.state = None

    async def _ask(self, message: str) -> dict[str, Any] | BaseException | None:
        await self._messages.put({"type": message})
        return await self._answers.get()

    async def _run(self, state: dict[str, Any]) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
        try:
            await self._app(scope, self._messages.get, self._send)
        except Exception as error:  # asyncio.CancelledError and the like go their way
            if self.state is not None and self._messages.empty():
                logger().error("The application's lifespan broke while it ran.", exc_info=error)
            self._answers.put_nowait(error)
        else:
            self._answers.put_nowait(None)

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] not in (
            "lifespan.startup.complete",
            "lifespan.startup.failed",
            "lifespan.shutdown.complete",
            "lifespan.shutdown.failed",
        ):
            raise ValueError(f"A lifespan cannot send {message['type']!r}.")
        self._answers.put_nowait(message)
