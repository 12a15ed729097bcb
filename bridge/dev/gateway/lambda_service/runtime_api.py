"""The Lambda Runtime API, as one process of a function finds it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html; for streams
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming. Statuses and error
types that these do not tell are those of AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from bridge.dev.gateway.events import random_hex, trace_root
from bridge.dev.gateway.invocation import FunctionError, ReceivedStream
from bridge.dev.gateway.lambda_service.http_server import Call, Connection
from bridge.dev.gateway.payloads import LAMBDA_PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.dev.gateway.invocation import Invocation

_TYPE, _BODY = "lambda-runtime-function-error-type", "lambda-runtime-function-error-body"
_BASE = "/2018-06-01/runtime/"
_TAKEN = {"status": "OK"}
# The kernel keeps no more of a stream that nobody reads, so that the application notices soon.
_RECEIVE_BUFFER = 256 * 1024


class Owner(Protocol):
    """Who is told what the process does."""

    def ready(self) -> None:
        """It asks for the next invocation."""

    def over(self, invocation: Invocation) -> None:
        """It has answered one, to the end."""

    def failed(self, error: FunctionError) -> None:
        """It cannot answer any."""


class RuntimeApi:
    """The Runtime API of one process, on a port of its own: who asks is known.

    Args:
        owner: who is told.
        with_id: whether each invocation has an id to be echoed, as where one process has many in flight.

    Attributes:
        invocations: those handed out and not answered, by request id.
        waiting: the requests for a next invocation that are not answered.
    """

    def __init__(self, owner: Owner, *, with_id: bool = False) -> None:
        self.invocations: dict[str, Invocation] = {}
        self.waiting: list[Call] = []
        self._owner = owner
        self._with_id = with_id
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    async def open(self) -> str:
        """Listen; gives what ``AWS_LAMBDA_RUNTIME_API`` is to be."""
        # Its protocol is named so that asyncio turns Nagle's algorithm off: that would hold small chunks back.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        listener.bind(("127.0.0.1", 0))
        make = partial(Connection, self._begin, self._connections)
        self._server = await asyncio.get_running_loop().create_server(make, sock=listener)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def close(self) -> None:
        """Listen no more, and drop all connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def hand_out(self, invocation: Invocation) -> None:
        """Answer a waiting request with *invocation*."""
        context = invocation.context
        deadline = int(time.time() * 1000) + context.get_remaining_time_in_millis()
        headers = [
            ("Content-Type", invocation.content_type),
            ("Lambda-Runtime-Aws-Request-Id", context.aws_request_id),
            ("Lambda-Runtime-Deadline-Ms", str(deadline)),
            ("Lambda-Runtime-Invoked-Function-Arn", context.invoked_function_arn),
            ("Lambda-Runtime-Trace-Id", _trace_id()),
        ]
        if self._with_id:
            headers.append(("Lambda-Runtime-Invocation-Id", random_hex(32)))
        self.invocations[context.aws_request_id] = invocation
        self.waiting.pop().reply(200, invocation.event, headers)

    def _begin(self, call: Call) -> None:
        """A request has come; only its head, so far."""
        name = call.path.removeprefix(_BASE) if call.path.startswith(_BASE) else ""
        match (call.method, *name.split("/")):
            case ("GET", "invocation", "next"):
                call.on_end = lambda _: self._next(call)
            case ("POST", "invocation", request_id, "response"):
                self._begin_response(call, request_id)
            case ("POST", "invocation", request_id, "error"):
                _gather(call, lambda body, _size: self._error(call, request_id, body))
            case ("POST", "init" | "restore", "error"):
                _gather(call, lambda body, _size: self._failed(call, body))
            case ("GET", "restore", "next"):  # the snapshot is made and restored at once
                call.on_end = lambda _: call.reply(200, {})
            case _:
                call.on_end = lambda _: _refuse(call, 404, "NotFound", f"There is no {call.method} {call.path}")

    def _next(self, call: Call) -> None:
        def leave() -> None:
            self.waiting.remove(call)

        call.on_lost = leave
        self.waiting.append(call)
        self._owner.ready()

    def _begin_response(self, call: Call, request_id: str) -> None:
        mode = call.headers.get("lambda-runtime-function-response-mode", "buffered").lower()
        if mode == "buffered":
            _gather(call, partial(self._respond, call, request_id))
        elif mode != "streaming":
            _refuse(call, 400, "InvalidFunctionResponseMode", f"Invalid function response mode: {mode}")
        elif (invocation := self._find(call, request_id)) is not None:
            self._stream(call, invocation)

    def _respond(self, call: Call, request_id: str, body: bytes, size: int) -> None:
        invocation = self._find(call, request_id)
        if invocation is None:
            return
        if size > LAMBDA_PAYLOAD_LIMIT:
            # It is not over: a runtime may post an error yet. Others end, or do not care.
            message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size (6291556 bytes)."
            invocation.take(FunctionError("Function.ResponseSizeTooLarge", message))
            _refuse(call, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).")
        else:
            invocation.take(body)
            self._over(invocation)
            call.reply(202, _TAKEN)

    def _stream(self, call: Call, invocation: Invocation) -> None:
        def hang_up() -> None:
            call.hang_up()
            self._over(invocation)

        def end(trailers: dict[str, str]) -> None:
            stream.finish(error_in(trailers))
            self._over(invocation)
            call.reply(202, _TAKEN)

        def lost() -> None:
            why = "The function's process closed the connection before the response was whole."
            stream.finish(FunctionError("Runtime.TruncatedResponse", why))
            self._over(invocation)

        stream = ReceivedStream(call.headers.get("content-type", "application/octet-stream"), call.hold, hang_up)
        call.on_data, call.on_end, call.on_lost = stream.feed, end, lost
        invocation.take(stream)

    def _error(self, call: Call, request_id: str, body: bytes) -> None:
        invocation = self._find(call, request_id)
        if invocation is not None:
            invocation.take(error_of(body, call.headers))
            self._over(invocation)
            call.reply(202, _TAKEN)

    def _failed(self, call: Call, body: bytes) -> None:
        call.reply(202, _TAKEN)
        self._owner.failed(error_of(body, call.headers))

    def _find(self, call: Call, request_id: str) -> Invocation | None:
        """The invocation; without one, or if its answer streams already, the call is refused."""
        invocation = self.invocations.get(request_id)
        is_streaming = (
            invocation is not None and invocation.is_answered and isinstance(invocation.answer.result(), ReceivedStream)
        )
        if invocation is None or is_streaming:
            _refuse(call, 400, "InvalidRequestID", f"Invalid request ID: {request_id[:100]}")
            return None
        return invocation

    def _over(self, invocation: Invocation) -> None:
        if self.invocations.pop(invocation.context.aws_request_id, None) is not None:
            self._owner.over(invocation)


def _gather(call: Call, take: Callable[[bytes, int], None]) -> None:
    """Have *take* called with the whole body and its size; of one that is too large only the beginning is kept."""
    chunks: list[bytes] = []
    size = 0

    def on_data(chunk: bytes) -> None:
        nonlocal size
        size += len(chunk)
        if size <= LAMBDA_PAYLOAD_LIMIT:
            chunks.append(chunk)

    call.on_data = on_data
    call.on_end = lambda _: take(b"".join(chunks), size)


def _refuse(call: Call, status: int, kind: str, message: str) -> None:
    call.reply(status, {"errorMessage": message, "errorType": kind})


def _trace_id() -> str:
    return f"{trace_root()};Parent={random_hex(16)};Sampled=0"


def error_of(body: bytes, headers: Mapping[str, str]) -> FunctionError:
    """An error as a runtime posts it: an object, more or less, and a type in the headers."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = {"errorMessage": body[:1000].decode("utf-8", "replace")}
    told = told if isinstance(told, dict) else {}
    stack = told.get("stackTrace") or told.get("trace")  # Node's name for it
    lines = [str(line) for line in stack] if isinstance(stack, list) else []
    kind = str(told.get("errorType") or headers.get(_TYPE) or "Unknown")
    return FunctionError(kind, str(told.get("errorMessage") or ""), lines)


def error_in(trailers: Mapping[str, str]) -> FunctionError | None:
    """The error that ends a stream; None if it ended as it should."""
    if _TYPE not in trailers and _BODY not in trailers:
        return None
    try:
        body = base64.b64decode(trailers.get(_BODY, ""), validate=True)
    except binascii.Error:
        body = trailers[_BODY].encode()
    return error_of(body, trailers)
