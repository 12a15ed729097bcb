"""Scope: one request as the bridge sees it, whoever sent it; and the one that is being answered, wherever one asks.

Every text in a Scope is a *native string* as PEP 3333 defines it: each character stands for one byte
(ISO-8859-1), so bytes that are no valid UTF-8 pass through unchanged. WSGI takes native strings as they are;
ASGI takes ``text.encode("latin-1")``.
"""

from __future__ import annotations

import os
from _contextvars import ContextVar  # what contextvars hands on, which costs a cold start as much again

from bridge.sources.text import pairs_of, pairs_of_many, with_cookies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings


class CurrentRequest:
    """The request (then it is its Scope), or other invocation, that the code that asks is answering.

    Attributes:
        event, context: what Lambda handed over.
    """

    __slots__ = ("context", "event")

    def __init__(self, event: Any, context: Any) -> None:
        self.event = event
        self.context = context

    @property
    def request_id(self) -> str:
        """Lambda's request id; ``""`` where there is no context."""
        return getattr(self.context, "aws_request_id", None) or ""

    @property
    def trace_id(self) -> str:
        """X-Ray's trace header of the invocation, such as ``"Root=1-…;Parent=…;Sampled=1"``; ``""`` without one."""
        told = getattr(self.context, "trace_id", None)  # the bridge's own runtime has it there
        # AWS's runtime client, which answers one at a time, has it in the environment.
        return told if isinstance(told, str) else os.environ.get("_X_AMZN_TRACE_ID", "")

    def __repr__(self) -> str:
        return f"<CurrentRequest {self.request_id}>"


class Scope(CurrentRequest):
    """One HTTP request, read from an event; it is the current request while it is answered.

    Attributes:
        event: what Lambda handed over, untouched.
        context: Lambda's context object, untouched; None where there is none.
        source: the name of the source that sent the event, such as ``"http-api"``.
        method: the request method, as sent.
        root_path: the part of the path before the application (stage or base path), decoded, ``""`` or
            ``"/prod"``: WSGI's ``SCRIPT_NAME``, ASGI's ``root_path``.
        path: what follows ``root_path``, percent-decoded exactly once. WSGI's ``PATH_INFO``; ASGI's ``path`` is
            ``root_path + path``.
        raw_path: the whole path as the client sent it, still percent-encoded; None where the source has already
            decoded it.
        query: the query string, percent-encoded, without ``?``.
        headers: name and value pairs in the order of the event; names as the event has them, whatever their case, the
            only texts here that are not native. ``cookie`` at most once. Made of *sent* when somebody asks.
        sent: the event's own map of headers, for those who make something else of it at once; None if *headers* were
            given. *are_lists*: whether it has a list of values for each name. *cookies*: those that the event has in
            a list beside it, in place of any in the map.
        body: the request body, decoded from base64 where the source encoded it.
        scheme: ``"http"`` or ``"https"``.
        server_name, server_port: the host that the client asked for; the port as decimal digits. An IPv6 address
            is without brackets.
        client: the client's address by the source's trust rule, or ``""`` where it is unknown.
        http_version: ``"1.1"``, ``"2"`` …
        authorizer: what the source's authorizer said, or None.
        user: the principal that the authorizer named, or ``""``.
        limit: the most bytes that the payload may have as JSON.
        refusal: an answer to give in the application's place, or None.
    """

    __slots__ = (
        "_headers",
        "are_lists",
        "authorizer",
        "body",
        "client",
        "cookies",
        "http_version",
        "limit",
        "method",
        "path",
        "query",
        "raw_path",
        "refusal",
        "root_path",
        "scheme",
        "sent",
        "server_name",
        "server_port",
        "source",
        "user",
    )

    source: str
    method: str
    root_path: str
    path: str
    raw_path: str | None
    query: str
    sent: dict[str, Any] | None
    are_lists: bool
    cookies: list[Any] | None
    body: bytes
    scheme: str
    server_name: str
    server_port: str
    client: str
    http_version: str
    authorizer: Any
    user: str
    limit: int
    refusal: Response | None

    def __init__(self, source: str, event: Any, context: Any, limit: int) -> None:
        self.source = source
        self.event = event
        self.context = context
        self.limit = limit
        self._headers: Collection[tuple[str, str]] | None = None
        self.sent = None
        self.are_lists = False
        self.cookies = None
        self.http_version = "1.1"
        self.authorizer = None
        self.user = ""
        self.refusal = None

    @property
    def headers(self) -> Collection[tuple[str, str]]:  # noqa: D102 - it is among the attributes
        if self._headers is None:
            sent = self.sent
            if sent is not None and self.cookies:
                sent = with_cookies(sent, self.cookies)
            self._headers = pairs_of_many(sent or {}) if self.are_lists else pairs_of(sent)
        return self._headers

    @headers.setter
    def headers(self, headers: Collection[tuple[str, str]]) -> None:
        self._headers = headers
        self.sent = None

    def set_path(self, root: str, path: str, settings: Settings, *, raw: bool = True) -> None:
        """Set root path, path and raw path.

        Args:
            root: the prefix that the source itself put before the path.
            path: the rest, as it arrived.
            settings: whose ``base_path`` may lengthen *root*.
            raw: *path* is still as the client encoded it.
        """
        whole = root + path if root else path
        # As nearly always. What is compared is the first character: that takes a third of startswith().
        if not settings.base_path and "/" <= path < "0" and "%" not in whole and whole.isascii():
            self.raw_path = whole if raw else None
            self.root_path = root
            self.path = path
        else:
            from bridge.sources.prefix import set_path

            set_path(self, root, path, settings, raw=raw)

    def __str__(self) -> str:
        # For logs: a client must not write lines of its own into them.
        text = f"{self.method} {self.root_path}{self.path}"
        return text if text.isprintable() else ascii(text)[1:-1]

    def __repr__(self) -> str:
        return f"<Scope {self.source}: {self}>"


current: ContextVar[CurrentRequest | None] = ContextVar("bridge.current", default=None)


def current_request() -> CurrentRequest | None:
    """The request that the calling task or thread is answering; None outside of one.

    A context variable: each of many requests in one process sees its own, and so do the tasks it starts and the
    threads it calls through ``asyncio.to_thread``, ``sync_to_async`` or anyio.
    """
    return current.get()
