"""The Lambda Runtime API for one process of a function.

- https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
- streams: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming

Statuses and error types that these pages do not name are those of AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from bridge.dev.gateway.event_parts import new_trace_root
from bridge.dev.gateway.invocation import FunctionError, ReceivedStream
from bridge.dev.gateway.lambda_service.http_server import RuntimeConnection, RuntimeRequest
from bridge.limits import LAMBDA_PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.dev.gateway.invocation import PendingInvocation

_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"
_BASE_PATH = "/2018-06-01/runtime/"
_ACCEPTED = {"status": "OK"}
# Bytes of a stream that the kernel buffers, kept small so that a slow client soon slows the application down.
_RECEIVE_BUFFER = 256 * 1024


class RuntimeObserver(Protocol):
    """Callbacks for what the process does."""

    def on_ready(self) -> None:
        """The process requests the next invocation."""

    def on_complete(self, invocation: PendingInvocation) -> None:
        """The process has answered *invocation*, to the end of the stream if it streams."""

    def on_init_error(self, error: FunctionError) -> None:
        """The process reports that it cannot start."""


class RuntimeApiServer:
    """The Runtime API of one process. Each process has a separate port, which identifies it.

    Args:
        observer: the callbacks.
        with_invocation_id: whether to send ``Lambda-Runtime-Invocation-Id``, as to processes that answer several
            invocations at once.

    Attributes:
        invocations: the invocations that were sent and are not answered, by request ID.
        waiting: the requests for a next invocation that are not answered.
        unread: the invocations that were sent on connections which the process has reset without reading them.
    """

    def __init__(self, observer: RuntimeObserver, *, with_invocation_id: bool = False) -> None:
        self.invocations: dict[str, PendingInvocation] = {}
        self.waiting: list[RuntimeRequest] = []
        self.unread: set[PendingInvocation] = set()
        self._observer = observer
        self._with_invocation_id = with_invocation_id
        self._server: asyncio.Server | None = None
        self._connections: set[RuntimeConnection] = set()

    async def start(self) -> str:
        """Listen on a free port, and return the value of ``AWS_LAMBDA_RUNTIME_API``."""
        # asyncio sets TCP_NODELAY only on sockets with this protocol number. Without it small chunks are delayed.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        listener.bind(("127.0.0.1", 0))
        protocol = partial(RuntimeConnection, self._on_request, self._connections)
        self._server = await asyncio.get_running_loop().create_server(protocol, sock=listener)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening, and close all connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def send(self, invocation: PendingInvocation) -> None:
        """Answer one of the waiting requests with *invocation*."""
        context = invocation.context
        deadline = int(time.time() * 1000) + context.get_remaining_time_in_millis()
        headers = [
            ("Content-Type", invocation.content_type),
            ("Lambda-Runtime-Aws-Request-Id", context.aws_request_id),
            ("Lambda-Runtime-Deadline-Ms", str(deadline)),
            ("Lambda-Runtime-Invoked-Function-Arn", context.invoked_function_arn),
            ("Lambda-Runtime-Trace-Id", f"{new_trace_root()};Parent={secrets.token_hex(8)};Sampled=0"),
        ]
        if self._with_invocation_id:
            headers.append(("Lambda-Runtime-Invocation-Id", secrets.token_hex(16)))
        self.invocations[context.aws_request_id] = invocation
        request = self.waiting.pop()
        request.on_unread = lambda: self.unread.add(invocation)
        request.reply(200, invocation.event, headers)

    def _on_request(self, request: RuntimeRequest) -> None:
        """Set the callbacks of a request whose head has come."""
        name = request.path.removeprefix(_BASE_PATH) if request.path.startswith(_BASE_PATH) else ""
        match (request.method, *name.split("/")):
            case ("GET", "invocation", "next"):
                request.on_end = lambda _: self._next(request)
            case ("POST", "invocation", request_id, "response"):
                self._response(request, request_id)
            case ("POST", "invocation", request_id, "error"):
                _read_body(request, lambda body, _size: self._invocation_error(request, request_id, body))
            case ("POST", "init" | "restore", "error"):
                _read_body(request, lambda body, _size: self._init_error(request, body))
            case ("GET", "restore", "next"):  # the snapshot is restored as soon as it is made
                request.on_end = lambda _: request.reply(200, {})
            case _:
                message = f"The Runtime API has no {request.method} {request.path}"
                request.on_end = lambda _: _refuse(request, 404, "NotFound", message)

    def _next(self, request: RuntimeRequest) -> None:
        request.on_lost = lambda: self.waiting.remove(request)
        self.waiting.append(request)
        self._observer.on_ready()

    def _response(self, request: RuntimeRequest, request_id: str) -> None:
        mode = request.headers.get("lambda-runtime-function-response-mode", "buffered").lower()
        if mode == "buffered":
            _read_body(request, partial(self._buffered_response, request, request_id))
        elif mode != "streaming":
            _refuse(request, 400, "InvalidFunctionResponseMode", f"Invalid function response mode: {mode}")
        elif (invocation := self._find(request, request_id)) is not None:
            self._streamed_response(request, invocation)

    def _buffered_response(self, request: RuntimeRequest, request_id: str, body: bytes, size: int) -> None:
        invocation = self._find(request, request_id)
        if invocation is None:
            return
        if size > LAMBDA_PAYLOAD_LIMIT:
            # The invocation is not complete: some runtimes post an error next.
            message = (
                f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({LAMBDA_PAYLOAD_LIMIT} "
                "bytes)."
            )
            invocation.set_answer(FunctionError("Function.ResponseSizeTooLarge", message))
            message = f"Exceeded maximum allowed payload size ({LAMBDA_PAYLOAD_LIMIT} bytes)."
            _refuse(request, 413, "RequestEntityTooLarge", message)
        else:
            invocation.set_answer(body)
            self._complete(invocation)
            request.reply(202, _ACCEPTED)

    def _streamed_response(self, request: RuntimeRequest, invocation: PendingInvocation) -> None:
        def disconnect() -> None:
            request.disconnect()
            self._complete(invocation)

        def on_end(trailers: dict[str, str]) -> None:
            stream.finish(_error_from_trailers(trailers))
            self._complete(invocation)
            request.reply(202, _ACCEPTED)

        def on_lost() -> None:
            message = "The function's process closed the connection before the response was complete."
            stream.finish(FunctionError("Runtime.TruncatedResponse", message))
            self._complete(invocation)

        content_type = request.headers.get("content-type", "application/octet-stream")
        stream = ReceivedStream(content_type, request.pause, disconnect)
        request.on_data, request.on_end, request.on_lost = stream.feed, on_end, on_lost
        invocation.set_answer(stream)

    def _invocation_error(self, request: RuntimeRequest, request_id: str, body: bytes) -> None:
        invocation = self._find(request, request_id)
        if invocation is not None:
            invocation.set_answer(_parse_error(body, request.headers))
            self._complete(invocation)
            request.reply(202, _ACCEPTED)

    def _init_error(self, request: RuntimeRequest, body: bytes) -> None:
        request.reply(202, _ACCEPTED)
        self._observer.on_init_error(_parse_error(body, request.headers))

    def _find(self, request: RuntimeRequest, request_id: str) -> PendingInvocation | None:
        """Return the invocation. Refuse the request if there is none, or if its response streams already."""
        invocation = self.invocations.get(request_id)
        is_streaming = (
            invocation is not None and invocation.is_answered and isinstance(invocation.answer.result(), ReceivedStream)
        )
        if invocation is None or is_streaming:
            _refuse(request, 400, "InvalidRequestID", f"Invalid request ID: {request_id[:100]}")
            return None
        return invocation

    def _complete(self, invocation: PendingInvocation) -> None:
        if self.invocations.pop(invocation.context.aws_request_id, None) is not None:
            self._observer.on_complete(invocation)


def _read_body(request: RuntimeRequest, on_body: Callable[[bytes, int], None]) -> None:
    """Call *on_body* with the whole body and its size. A body over the payload limit is not kept whole."""
    chunks: list[bytes] = []
    size = 0

    def on_data(chunk: bytes) -> None:
        nonlocal size
        size += len(chunk)
        if size <= LAMBDA_PAYLOAD_LIMIT:
            chunks.append(chunk)

    request.on_data = on_data
    request.on_end = lambda _: on_body(b"".join(chunks), size)


def _refuse(request: RuntimeRequest, status: int, kind: str, message: str) -> None:
    request.reply(status, {"errorMessage": message, "errorType": kind})


def _parse_error(body: bytes, headers: Mapping[str, str]) -> FunctionError:
    """Return the error that a runtime posts: JSON if the runtime is well-behaved, and a type in the headers."""
    try:
        error: Any = json.loads(body)
    except ValueError:
        error = {"errorMessage": body[:1000].decode("utf-8", "replace")}
    error = error if isinstance(error, dict) else {}
    stack = error.get("stackTrace") or error.get("trace")  # Node.js calls it trace
    lines = [str(line) for line in stack] if isinstance(stack, list) else []
    kind = str(error.get("errorType") or headers.get(_ERROR_TYPE) or "Unknown")
    return FunctionError(kind, str(error.get("errorMessage") or ""), lines)


def _error_from_trailers(trailers: Mapping[str, str]) -> FunctionError | None:
    """Return the error that ends a stream; None if the stream is complete."""
    if _ERROR_TYPE not in trailers and _ERROR_BODY not in trailers:
        return None
    try:
        body = base64.b64decode(trailers.get(_ERROR_BODY, ""), validate=True)
    except binascii.Error:
        body = trailers[_ERROR_BODY].encode()
    return _parse_error(body, trailers)
