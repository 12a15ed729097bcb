"""Calling an ASGI 3 application.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio

import bridge
from bridge import logger
from bridge.interfaces import as_bytes
from bridge.interfaces.turn import Turn
from bridge.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.request import Scope

# 2.4 and later promise that send() raises OSError once the client is gone; frameworks then need no listener of
# their own (Starlette: a task less for each streaming response).
_ASGI = {"version": "3.0", "spec_version": "2.5"}
_REMEMBER = 1024

_LENGTH = b"content-length"

_lower: dict[str, bytes] = {}


class Exchange(Turn):
    """One request and its answer: the application's ``receive`` and ``send``.

    Attributes:
        response: the answer as far as it has come; None before ``http.response.start``.
        complete: whether the last part of the body was sent.
        task: the task in which the application runs.
        tasks: those that it has started and that are not done.
        out_of_time: whether it was cancelled since Lambda's deadline is near.
    """

    __slots__ = ("_chunks", "_is_over", "_over", "_request", "complete", "out_of_time", "response", "task", "tasks")

    def __init__(self, body: bytes) -> None:
        self._request: bytes | None = body
        self._chunks: list[bytes] = []
        self._is_over = False
        self._over: asyncio.Future[None] | None = None
        self.response: Response | None = None
        self.complete = False
        self.task: asyncio.Task[Any] | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.out_of_time = False
        # As a Turn begins; not called, for half a microsecond.
        self.over = False
        self.wake = self._result = self._error = None

    async def receive(self) -> dict[str, Any]:
        """The request, whole; when the response is complete ``http.disconnect``, and not before."""
        body = self._request
        if body is not None:
            self._request = None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._is_over:
            if self._over is None:
                self._over = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._over)
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take one message of the response.

        Raises:
            InterfaceError: it is not what ASGI allows next.
        """
        kind = message["type"]
        if kind == "http.response.body" and self.response is not None and not self.complete:
            chunk = message.get("body", b"")
            if chunk:
                self._chunks.append(chunk if type(chunk) is bytes else as_bytes(chunk))
            if not message.get("more_body", False):
                chunks = self._chunks
                self.response.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                self.complete = True
                self.end()
        elif kind == "http.response.start" and self.response is None:
            status = message["status"]
            if not isinstance(status, int) or not 100 <= status <= 999:
                raise bridge.InterfaceError(
                    f"The application's status is {status!r}; ASGI wants an integer such as 200."
                )
            self.response = Response(int(status), texts_of(message.get("headers", ())), b"")
        else:
            when = (
                "after the response was complete"
                if self.complete
                else "before http.response.start"
                if self.response is None
                else "while the body is being sent"
            )
            raise bridge.InterfaceError(f"The application sent {kind!r} {when}.")

    def end(self) -> None:
        """There will be no more of a response; whoever waits to receive is told so."""
        self._is_over = True
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    async def leave(self, tasks: set[asyncio.Task[Any]]) -> None:
        """The application has come to its end and left *tasks* behind: the answer waits for them, for a while."""
        from bridge.interfaces.settle import settle  # few requests leave any

        await settle(tasks)

    def abandon(self) -> None:
        """The time is over, the application was cancelled and goes on all the same; nobody waits for it any more."""

    def late_response(self) -> Response:
        """What is answered when the time is over: the application's response if it is whole, else a 504."""
        return self.response if self.complete and self.response is not None else gateway_timeout()

    def failed(self, scope: Scope) -> None:
        """The application has raised what is being handled; it is logged if the response is complete.

        Raises:
            Exception: what is being handled.
        """
        if not self.complete:
            raise
        status = self.response.status if self.response is not None else 0
        logger().exception(
            "The application failed at %s, after its response was complete; the response, %d, stands.", scope, status
        )

    def answered(self) -> Response:
        """The answer of an application that has come to its end.

        Raises:
            InterfaceError: it is not complete.
        """
        if self.response is None or not self.complete:
            raise bridge.InterfaceError(
                "The application returned without a response."
                if self.response is None
                else "The application returned before it had sent the last part of its response."
            )
        return self.response


def texts_of(headers: Any) -> list[tuple[str, str]]:
    """Header pairs of bytes as native strings."""
    if type(headers) is list:
        try:
            # two thirds of the time of str()
            return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        except AttributeError:  # a memoryview
            pass
    return [(str(name, "latin-1"), str(value, "latin-1")) for name, value in headers]


def gateway_timeout() -> Response:
    """The answer in place of the application's, when Lambda is about to end the function."""
    return Response.plain(504, "Gateway Timeout")


def asgi_scope_of(scope: Scope, state: dict[str, Any] | None) -> dict[str, Any]:
    """The ASGI connection scope of a Scope.

    Beside the specification's keys: ``aws.event``, ``aws.context`` and ``bridge.request``.
    """
    root = scope.root_path
    path = root + scope.path
    asgi_scope: dict[str, Any] = {
        "type": "http",
        "asgi": _ASGI.copy(),
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": path if path.isascii() else text_of(path),
        "raw_path": None if scope.raw_path is None else scope.raw_path.encode("latin-1"),
        "query_string": scope.query.encode("latin-1"),
        "root_path": root if root.isascii() else text_of(root),
        "headers": _headers(scope),
        "client": (scope.client, 0) if scope.client else None,
        "server": (scope.server_name, int(scope.server_port)),
        "aws.event": scope.event,
        "aws.context": scope.context,
        "bridge.request": scope,
    }
    if state is not None:
        asgi_scope["state"] = state.copy()
    return asgi_scope


def text_of(native: str) -> str:
    """A native string as ASGI's text; what is no UTF-8 is replaced, as every ASGI server does (``raw_path`` has it)."""
    return native if native.isascii() else native.encode("latin-1").decode("utf-8", "replace")


def _headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The pairs, straight from the event's own map where nothing in it is unusual: half of what a scope takes.

    Usual is one value for each name, and a known name. A text's UTF-8 is what the bytes of its native string are, so
    nothing is to be looked at before.
    """
    sent, cookies, body, lower = scope.sent, scope.cookies, scope.body, _lower
    if sent is None or ("Cookie" in sent and (cookies or "cookie" in sent)):
        return _unusual_headers(scope)
    try:
        if cookies and "cookie" in sent:
            sent, cookies = {**sent, "cookie": "; ".join(cookies)}, None  # which keeps its place
        if body:
            sent = sent.copy()
            sent.pop("content-length", None)
            sent.pop("Content-Length", None)
        if scope.are_lists:
            pairs = [(lower[name], value.encode()) for name, (value,) in sent.items()]
        else:
            pairs = [(lower[name], value.encode()) for name, value in sent.items()]
        if cookies:
            pairs.append((b"cookie", "; ".join(cookies).encode()))
    except (AttributeError, KeyError, TypeError, ValueError):  # a null, a list, a number; a new name; no Unicode
        return _unusual_headers(scope)
    if body:
        pairs.append((_LENGTH, b"%d" % len(body)))
    return pairs


def _unusual_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The pairs, whatever they are.

    The body is here: its length is known, also where a front door leaves the header out (Django reads no upload
    without it), and it did not come in chunks.
    """
    given = [(_learn(name), value.encode("latin-1")) for name, value in scope.headers]
    kept = [pair for pair in given if pair[0] is not _LENGTH]
    pairs = _with_one_cookie(kept)
    if scope.body or len(kept) < len(given):
        pairs.append((_LENGTH, b"%d" % len(scope.body)))
    return pairs


def _learn(name: str) -> bytes:
    """The lower-case bytes of a header name, remembered; clients choose names, so only so many.

    Those that tell how long the body is, which is known better here, are all the same, and never usual.
    """
    lower = name.encode("utf-8", "surrogatepass").lower()
    if lower in (_LENGTH, b"transfer-encoding"):
        return _LENGTH
    if len(_lower) < _REMEMBER and (lower != b"cookie" or name in ("cookie", "Cookie")):
        _lower[name] = lower
    return lower


def _with_one_cookie(pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """All cookies in one header, also if the event spells its name in several odd ways (RFC 9113, 8.2.3)."""
    cookies = [value for name, value in pairs if name == b"cookie"]
    if len(cookies) < 2:
        return pairs
    return [*[pair for pair in pairs if pair[0] != b"cookie"], (b"cookie", b"; ".join(cookies))]
