"""What travels between a client and a front door, and how a front door is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Headers = list[tuple[str, str]]


@dataclass(slots=True)  # frozen ones take four times as long to make, and each request makes three of them
class Request:
    """An HTTP request as it is on the wire.

    Attributes:
        method: the method.
        path: the path, percent-encoded.
        query: the query string, percent-encoded, without ``?``.
        headers: name and value pairs; values are native strings (one character for each byte).
        body: the body.
        client: the client's address.
        scheme: ``"http"`` or ``"https"``.
        http_version: ``"1.1"`` …
        sent: how many bytes of body the client sent, if *body* is only the beginning of them; else -1.
    """

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    client: str = "127.0.0.1"
    scheme: str = "https"
    http_version: str = "1.1"
    sent: int = -1

    def __post_init__(self) -> None:
        if not self.path:
            self.path = "/"  # RFC 9112, 3.2.1: the client must send it so

    def header(self, name: str) -> str:
        """The last value of a header, ``""`` without one."""
        for key, value in reversed(self.headers):
            if key.lower() == name:
                return value
        return ""

    @property
    def size(self) -> int:
        """The bytes of the body, those that are not here included."""
        return max(self.sent, len(self.body))

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(slots=True)
class Answer:
    """An HTTP response as the client gets it.

    Attributes:
        status: the status code.
        headers: name and value pairs, native strings.
        body: the body.
        why: for the person who reads the log, why the front door itself gave this answer and what to do; ``""`` if it
            is the function's answer.
        note: for the same person, what the front door did to the function's answer that nobody would expect.
        length: what the function says in Content-Length. The client gets the front door's own count, but HEAD this:
            its answer has no body to count.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    why: str = ""
    note: str = ""
    length: int | None = None

    def header(self, name: str) -> str:
        """The last value of a header, ``""`` without one."""
        return next((value for key, value in reversed(self.headers) if key.lower() == name), "")


class RefusedError(Exception):
    """The front door answers by itself: the request never reaches the function, or its payload not the client."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.why)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Route:
    """The route that a request matched.

    Attributes:
        method: of the route: ``"GET"`` … or ``"ANY"``.
        template: its path, such as ``"/dogs/{id}"`` or ``"/{proxy+}"``.
        parameters: what its variables matched.
    """

    method: str
    template: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Door:
    """How a front door is set up.

    Attributes:
        stage: the stage that the client's URL begins with, as on API Gateway's own domain; ``""`` for a custom domain,
            whose URLs have none, and for ``$default``.
        base_path: a custom domain's base path, ``"/shop"``. Slashes around both do not count.
        binary_media_types: a REST API's ``binaryMediaTypes``, such as ``"image/png"``, ``"image/*"`` or ``"*/*"``.
        route: the route that matched; None for a catch-all.
        account, region: parts of ARNs.
    """

    stage: str = ""
    base_path: str = ""
    binary_media_types: tuple[str, ...] = ()
    route: Route | None = None
    account: str = "123456789012"
    region: str = "us-east-1"

    def __post_init__(self) -> None:
        stage, base_path = self.stage.strip("/"), self.base_path.strip("/")
        object.__setattr__(self, "stage", "" if stage == "$default" else stage)
        object.__setattr__(self, "base_path", f"/{base_path}" if base_path else "")

    @property
    def prefix(self) -> str:
        """What every path begins with: ``"/prod"``, ``"/shop"`` or ``""``; one with a stage has no base path."""
        return f"/{self.stage}" if self.stage else self.base_path
