"""One request to an ASGI 3 application: its connection scope, ``receive`` and ``send``.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio

from bridge.bodies import as_bytes
from bridge.errors import InterfaceError
from bridge.logs import logger
from bridge.response import Response
from bridge.sources.parse import encode_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection
    from typing import Any

    from bridge.request import Scope

# From 2.4 on, send() raises OSError once the client has disconnected. Frameworks then need no listener of their own
# (Starlette: one task less for each streaming response).
_ASGI = {"version": "3.0", "spec_version": "2.5"}


class RequestCycle:
    """One request, with this body, and its response: the application's ``receive`` and ``send``.

    Attributes:
        response: the response so far; None before ``http.response.start``.
        is_complete: whether the last part of the body was sent.
        task: the task in which the application runs.
        tasks: the tasks that it has started and that are not done.
        is_timed_out: whether it was cancelled because Lambda's deadline is near.
        leaves_tasks: whether the response does not wait for the tasks.
    """

    leaves_tasks = False

    def __init__(self, body: bytes) -> None:
        self._request_body: bytes | None = body
        self._chunks: list[bytes] = []
        self._is_disconnected = False
        self._disconnected: asyncio.Future[None] | None = None
        self.response: Response | None = None
        self.is_complete = False
        self.task: asyncio.Task[Any] | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.is_timed_out = False

    def run(self, app: Any, connection: dict[str, Any]) -> Awaitable[None]:
        """Call the application with its connection scope, and return the awaitable of that."""
        return app(connection, self.receive, self.send)  # type: ignore[no-any-return]

    async def receive(self) -> dict[str, Any]:
        """The whole request; then, once the response is complete, ``http.disconnect``."""
        body = self._request_body
        if body is not None:
            self._request_body = None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._is_disconnected:
            if self._disconnected is None:
                self._disconnected = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._disconnected)
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take one message of the response.

        Raises:
            InterfaceError: ASGI does not allow the message at this point.
        """
        kind = message["type"]
        if kind == "http.response.body" and self.response is not None and not self.is_complete:
            chunk = message.get("body", b"")
            if chunk:
                self._chunks.append(chunk if type(chunk) is bytes else as_bytes(chunk))
            if not message.get("more_body", False):
                self.response.body = b"".join(self._chunks)
                self.is_complete = True
                self.disconnect()
        elif kind == "http.response.start" and self.response is None:
            status = message["status"]
            if not isinstance(status, int) or not 100 <= status <= 999:
                raise InterfaceError(f"The application's status is {status!r}; ASGI requires an integer such as 200.")
            self.response = Response(int(status), texts_of(message.get("headers", ())), b"")
        else:
            when = "while the body is being sent" if self.response is not None else "before http.response.start"
            when = "after the response was complete" if self.is_complete else when
            raise InterfaceError(f"The application sent {kind!r} {when}.")

    def disconnect(self) -> None:
        """Let ``receive`` return ``http.disconnect`` from now on."""
        self._is_disconnected = True
        if self._disconnected is not None and not self._disconnected.done():
            self._disconnected.set_result(None)

    def abandon(self) -> None:
        """Called on the loop when the application does not react to its cancellation at the deadline."""

    def result(self) -> Response:
        """The response of an application that has returned.

        Raises:
            InterfaceError: the response is not complete.
        """
        if self.response is None:
            raise InterfaceError("The application returned without a response.")
        if not self.is_complete:
            raise InterfaceError("The application returned before it had sent the last part of its response.")
        return self.response

    def result_at_deadline(self) -> Response:
        """The response if it is complete, else a 504."""
        return self.response if self.is_complete and self.response is not None else gateway_timeout()

    def log_late_exception(self, scope: Scope) -> None:
        """Log the exception that is being handled, if the response is complete; otherwise raise it."""
        if not self.is_complete:
            raise
        status = self.response and self.response.status
        logger.exception(
            "The application failed at %s, after its response was complete; the response, %d, stands.", scope, status
        )


def gateway_timeout() -> Response:
    """The response in place of the application's, shortly before Lambda ends the function."""
    return Response.plain(504, "Gateway Timeout")


def texts_of(headers: Any) -> list[tuple[str, str]]:
    """Header pairs of bytes as native strings."""
    return [(str(name, "latin-1"), str(value, "latin-1")) for name, value in headers]


def connection_scope(scope: Scope, state: dict[str, Any] | None) -> dict[str, Any]:
    """The ASGI connection scope of a Scope, with a copy of the lifespan's *state*, if there is one.

    Beside the specification's keys it has ``aws.event``, ``aws.context`` and ``bridge.scope``.
    """
    connection: dict[str, Any] = {
        "type": "http",
        "asgi": _ASGI.copy(),
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": text_of(scope.root_path + scope.path),
        # Frameworks such as Sanic require it, also where the source has decoded the path.
        "raw_path": (encode_path(scope.root_path + scope.path) if scope.raw_path is None else scope.raw_path).encode(
            "latin-1"
        ),
        "query_string": scope.query.encode("latin-1"),
        "root_path": text_of(scope.root_path),
        "headers": _headers(scope),
        "client": (scope.client, 0) if scope.client else None,
        "server": (scope.server_name, int(scope.server_port)),
        "aws.event": scope.event,
        "aws.context": scope.context,
        "bridge.scope": scope,
    }
    if state is not None:
        connection["state"] = state.copy()
    return connection


def text_of(native: str) -> str:
    """A native string as ASGI's text; bytes that are not UTF-8 are replaced, as by other ASGI servers."""
    return native if native.isascii() else native.encode("latin-1").decode("utf-8", "replace")


def _headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The headers with the length of the body.

    The whole body is here, so its length is known also where a front door omits the header (Django reads no upload
    without it), and no transfer coding is left.
    """
    try:
        pairs = [(_names[name], value.encode("latin-1")) for name, value in scope.headers]
    except KeyError:  # the name is not in the cache
        pairs = _other_headers(scope.headers)
    if scope.body or len(pairs) < len(scope.headers):
        pairs.append((b"content-length", b"%d" % len(scope.body)))
    return pairs


# Header names as ASGI spells them, but for those that _other_headers() leaves out. Clients choose names, so their
# number and length are limited.
_names: dict[str, bytes] = {}
_MOST_NAMES = 1024
_LONGEST_NAME = 64


def _other_headers(headers: Collection[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """The headers without length and transfer coding."""
    pairs = []
    for name, value in headers:
        key = name.encode("utf-8", "surrogatepass").lower()
        if key not in (b"content-length", b"transfer-encoding"):
            pairs.append((key, value.encode("latin-1")))
            if len(name) <= _LONGEST_NAME:
                if len(_names) >= _MOST_NAMES:
                    _names.clear()
                _names[name] = key
    return pairs
