"""The Lambda Runtime API: the next invocation, and what came of it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
from base64 import b64encode

from bridge.errors import BridgeError
from bridge.logs import logger
from bridge.runtime.connection import Connection
from bridge.runtime.error_report import Fault
from bridge.runtime.invocation import Invocation
from bridge.runtime.protocol import LostError, Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Headers = Iterable[tuple[str, str]]

_BASE = "/2018-06-01/runtime"
# It is on this machine: a connection that is refused or broken this often, a moment apart, is no accident.
_TRIES = 5
_PAUSE_SECONDS = 0.05  # then twice as long each time
_STREAM_TYPE = "application/vnd.awslambda.http-integration-response"
# Lambda's side is written in Go, whose HTTP server takes no trailers of more than 4096 bytes, names included; the body
# is in base64 there, which makes four of three.
_LONGEST_TRAILER, _LONGEST_TYPE = 2_800, 100
_ERROR_TYPE, _ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"


class ApiError(BridgeError):
    """The Runtime API cannot be reached, or is at its end: the process is to end, too."""


class RuntimeApi:
    """One poller's way to the Runtime API: a connection, made again when it breaks.

    Args:
        address: ``host:port``, as ``AWS_LAMBDA_RUNTIME_API`` has it.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        host, _, port = address.rpartition(":")
        self._host, self._port = (host, int(port)) if host and port.isdigit() else (address, 80)
        self._connection: Connection | None = None

    async def next(self) -> Invocation:
        """Wait for the next invocation.

        Raises:
            ApiError: the API cannot be reached, or refuses.
        """
        # To ask again is allowed: an invocation that was handed to a connection that broke is Lambda's to retry.
        reply = await self._ask("GET", "/invocation/next", tries=_TRIES)
        if reply.status != 200:
            raise ApiError(f"The Runtime API answered {reply.status} when asked for work: {_text(reply)}")
        return Invocation(reply)

    async def respond(self, invocation: Invocation, payload: bytes, content_type: str = "application/json") -> None:
        """Post the payload of an invocation; what the API refuses is posted as an error instead."""
        headers = [("Content-Type", content_type), *_echo(invocation)]
        # A second try after a broken connection may come after a first one that was taken; then it is refused.
        reply = await self._ask("POST", f"/invocation/{invocation.request_id}/response", headers, payload, tries=2)
        if reply.status == 413:
            fault = Fault("Function.ResponseSizeTooLarge", f"The payload of {len(payload)} bytes is larger than taken.")
            logger.error("%s", fault.message)
            await self.fail(invocation, fault)
        else:
            _check(reply, invocation)

    async def fail(self, invocation: Invocation, fault: Fault) -> None:
        """Post the error of an invocation."""
        headers = [("Content-Type", "application/json"), (_ERROR_TYPE, _category(fault)), *_echo(invocation)]
        if cause := fault.to_xray():
            headers.append(("Lambda-Runtime-Function-XRay-Error-Cause", cause))
        path = f"/invocation/{invocation.request_id}/error"
        _check(await self._ask("POST", path, headers, fault.to_json(), tries=2), invocation)

    async def stream(self, invocation: Invocation, on_lost: Callable[[], None]) -> Stream:
        """Begin to answer an invocation while the answer is being made.

        Args:
            invocation: the invocation.
            on_lost: called when nobody listens any more.

        Raises:
            ApiError: the API cannot be reached.
        """
        connection = await self._connect(_TRIES)
        headers = [
            ("Content-Type", _STREAM_TYPE),
            ("Lambda-Runtime-Function-Response-Mode", "streaming"),
            ("Trailer", f"{_ERROR_TYPE}, {_ERROR_BODY}"),
            *_echo(invocation),
        ]
        connection.on_lost = on_lost
        connection.begin(f"{_BASE}/invocation/{invocation.request_id}/response", headers)
        return Stream(connection, invocation)

    async def fail_init(self, fault: Fault) -> None:
        """Post the error that ended the init."""
        headers = [("Content-Type", "application/json"), (_ERROR_TYPE, _category(fault))]
        await self._ask("POST", "/init/error", headers, fault.to_json(), tries=2)

    async def restore(self) -> None:
        """SnapStart: returns in a sandbox that was restored from the snapshot that is made meanwhile."""
        reply = await self._ask("GET", "/restore/next", tries=_TRIES)
        if reply.status != 200:
            raise ApiError(f"The Runtime API answered {reply.status} when asked for the restore: {_text(reply)}")
        self.close()  # it belongs to the sandbox that the snapshot was made of

    async def fail_restore(self, fault: Fault) -> None:
        """Post the error of a hook that ran after the restore."""
        headers = [("Content-Type", "application/json"), (_ERROR_TYPE, _category(fault))]
        await self._ask("POST", "/restore/error", headers, fault.to_json(), tries=2)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _ask(self, method: str, path: str, headers: Headers = (), body: bytes = b"", *, tries: int) -> Reply:
        pause = _PAUSE_SECONDS
        while True:
            connection = await self._connect(tries)
            try:
                return await connection.ask(method, _BASE + path, headers, body)
            except LostError as error:
                tries -= 1
                if tries <= 0:
                    raise ApiError(f"The Runtime API at {self._address} is gone: {error}") from None
            await asyncio.sleep(pause)
            pause *= 2

    async def _connect(self, tries: int) -> Connection:
        pause = _PAUSE_SECONDS
        while self._connection is None or self._connection.is_lost:
            self._connection = None
            try:
                self._connection = await Connection.open(self._host, self._port)
            except OSError as error:
                tries -= 1
                if tries <= 0:
                    raise ApiError(
                        f"The Runtime API at {self._address} cannot be reached: {error}. This process runs as a Lambda "
                        "function; on your own machine, bridge serve --runtime starts it."
                    ) from None
                await asyncio.sleep(pause)
                pause *= 2
        return self._connection


class Stream:
    """An answer that is sent while it is made."""

    def __init__(self, connection: Connection, invocation: Invocation) -> None:
        self._connection = connection
        self._invocation = invocation
        self._is_over = False

    async def send(self, chunk: bytes) -> None:
        """Send a part of it; returns when the API takes as fast as it is given.

        Raises:
            LostError: nobody listens.
        """
        await self._connection.send(chunk)

    async def end(self, fault: Fault | None = None) -> None:
        """Send its end: the error trailers if there is a *fault*. A second call does nothing."""
        if self._is_over:
            return
        self._is_over = True
        trailers = []
        if fault is not None:
            body = b64encode(fault.to_json(_LONGEST_TRAILER)).decode()
            trailers = [(_ERROR_TYPE, _category(fault)), (_ERROR_BODY, body)]
        try:
            reply = await self._connection.end(trailers)
        except LostError as error:
            logger.warning("The client went away before the response was whole: %s", error)
            self._connection.close()
            return
        finally:
            self._connection.on_lost = None
        _check(reply, self._invocation)
        if not reply.is_last and reply.status >= 400:
            self._connection.close()  # where the API stopped reading is not known


def _echo(invocation: Invocation) -> Headers:
    return [("Lambda-Runtime-Invocation-Id", invocation.id)] if invocation.id else []


def _check(reply: Reply, invocation: Invocation) -> None:
    """Log what the API does not take; it may be the second try of what was taken, or come too late."""
    if reply.status >= 500:
        raise ApiError(f"The Runtime API answered {reply.status}: {_text(reply)}")
    if reply.status >= 300:
        logger.warning(
            "The Runtime API answered %d to the response of %s: %s", reply.status, invocation.request_id, _text(reply)
        )


def _text(reply: Reply) -> str:
    return reply.body[:500].decode("utf-8", "replace")


def _category(fault: Fault) -> str:
    """A fault's type as a header has it: with whose it is, or AWS takes it for an unknown one of the runtime's."""
    kind = "".join(character if " " <= character <= "~" else "?" for character in fault.kind[:_LONGEST_TYPE])
    return kind if kind.startswith(("Function.", "Runtime.")) else f"Function.{kind}"
