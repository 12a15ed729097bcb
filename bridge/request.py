"""Scope: one HTTP request, whichever source sent it; and the request that the calling code is answering.

Every text in a Scope is a *native string* as PEP 3333 defines it: each character stands for one byte (ISO-8859-1), so
bytes that are not valid UTF-8 pass through unchanged. WSGI takes native strings as they are; ASGI takes
``text.encode("latin-1")``.
"""

from __future__ import annotations

import os
from contextvars import ContextVar

from bridge.logs import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from bridge.response import Response


class CurrentRequest:
    """The current invocation; a :class:`Scope` if it is an HTTP request.

    Attributes:
        event: the event, as Lambda passed it.
        context: Lambda's context object; None where there is none.
    """

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
        # The bridge's runtime sets an attribute; AWS's client, which answers one invocation at a time, a variable.
        trace_id = getattr(self.context, "trace_id", None)
        return trace_id if isinstance(trace_id, str) else os.environ.get("_X_AMZN_TRACE_ID", "")

    def __repr__(self) -> str:
        return f"<CurrentRequest {self.request_id}>"


class Scope(CurrentRequest):
    """One HTTP request, read from an event; it is the current request while it is answered.

    Attributes:
        event: the event, unchanged.
        context: Lambda's context object, unchanged; None where there is none.
        source: the name of the source that sent the event, such as ``"http-api"``.
        limit: the largest payload that the source takes, in bytes of JSON.
        method: the request method, as sent.
        root_path: the part of the path before the application (stage or base path), decoded, ``""`` or ``"/prod"``:
            WSGI's ``SCRIPT_NAME``, ASGI's ``root_path``.
        path: what follows ``root_path``, percent-decoded exactly once: WSGI's ``PATH_INFO``. ASGI's ``path`` is
            ``root_path + path``.
        raw_path: the whole path as the client sent it, percent-encoded; None where the source has decoded it.
        query: the query string, percent-encoded, without ``?``.
        headers: name and value pairs in the order of the event. Names are spelled as in the event and may be any
            text. ``cookie`` occurs at most once.
        has_multi_value_headers: whether the event has a list of values for each header; a payload then has, too.
        body: the request body, decoded from base64 where the source encoded it.
        scheme: ``"http"`` or ``"https"``.
        server_name: the host that the client asked for; an IPv6 address is without brackets.
        server_port: the port, as decimal digits.
        client: the client's address by the source's rule of trust; ``""`` where it is unknown.
        http_version: ``"1.1"``, ``"2"`` …
        authorizer: the result of the source's authorizer; None without one.
        user: the principal that the authorizer or IAM named; ``""`` without one.
        refusal: a response to give without calling the application; None for most requests.
        new_cycle: makes the request cycle for an ASGI application; None for HTTP.
    """

    method: str
    root_path: str
    path: str
    raw_path: str | None
    query: str
    headers: Collection[tuple[str, str]]
    has_multi_value_headers = False
    body: bytes
    scheme: str
    server_name: str
    server_port: str
    client: str
    http_version = "1.1"
    authorizer: Any = None
    user = ""
    refusal: Response | None = None
    new_cycle: Callable[[Any], Any] | None = None

    def __init__(self, source: str, event: Any, context: Any, limit: int) -> None:
        self.source = source
        self.event = event
        self.context = context
        self.limit = limit

    def __str__(self) -> str:
        return printable(f"{self.method} {self.root_path}{self.path}")

    def __repr__(self) -> str:
        return f"<Scope {self.source}: {self}>"


current: ContextVar[CurrentRequest | None] = ContextVar("bridge.current", default=None)


def current_request() -> CurrentRequest | None:
    """The request that the calling task or thread is answering; None outside of one.

    A context variable holds it: each of many requests in one process sees its own, and so do the tasks that it starts
    and the threads that it calls through ``asyncio.to_thread``, ``sync_to_async`` or anyio.

    Example::

        request = bridge.current_request()
        print(request.request_id, request.event["requestContext"])
    """
    return current.get()
