"""Requests, answers, and the configuration and rules of a front door."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bridge.logs import logger, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Request:
    """An HTTP request as the client sends it.

    Attributes:
        method: the method.
        path: the path, percent-encoded. An empty path becomes ``"/"`` (RFC 9112, 3.2.1).
        query: the query string, percent-encoded, without ``?``.
        headers: name and value pairs; values are native strings (one character for each byte).
        body: the body.
        client: the client's IP address.
        scheme: ``"http"`` or ``"https"``.
        http_version: such as ``"1.1"``.
        sent: the number of bytes that the client sent, if *body* holds only the first of them; otherwise -1.
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
        self.path = self.path or "/"

    def header(self, name: str) -> str:
        """Return the last value of the header with the lower-case *name*, or ``""``."""
        return _last_value(self.headers, name)

    @property
    def size(self) -> int:
        """The number of bytes of the whole body, including those that *body* leaves out."""
        return max(self.sent, len(self.body))

    @property
    def target(self) -> str:
        """Path and query, as in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(slots=True)
class Answer:
    """An HTTP response as the front door sends it to the client.

    Attributes:
        status: the status code.
        headers: name and value pairs; values are native strings.
        body: the body.
        explanation: why the front door itself gave this answer, and how to avoid it; ``""`` for the function's answer.
        note: how the front door changed the function's answer, where that may surprise.
        declared_length: the Content-Length that the function set. A front door counts the body itself; only the answer
            to HEAD, which has no body, carries this number (RFC 9110, 8.6).
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    explanation: str = ""
    note: str = ""
    declared_length: int | None = None

    def header(self, name: str) -> str:
        """Return the last value of the header with the lower-case *name*, or ``""``."""
        return _last_value(self.headers, name)

    def has_body(self, method: str) -> bool:
        """Return whether the response to a request with *method* has a body (RFC 9110, 6.4.1)."""
        return method != "HEAD" and self.status not in (204, 304)

    def encode_headers(self, method: str, length: int | None) -> list[tuple[bytes, bytes]]:
        """Return the headers as bytes, with lower-case names and the Content-Length that the client gets.

        Args:
            method: the request's method.
            length: the number of bytes of the body; None if it is not known yet.
        """
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in self.headers]
        pairs = [pair for pair in pairs if pair[0] != b"content-length"]
        if method == "HEAD" and self.declared_length is not None:
            length = self.declared_length
        if length is not None and self.status not in (204, 304):
            pairs.append((b"content-length", b"%d" % length))
        return pairs

    def log(self, request: Request, source: str) -> None:
        """Log the explanation or the note, if there is one."""
        if self.explanation:
            message = "%s %s: %s answered %d by itself: %s"
            logger.warning(
                message, printable(request.method), printable(request.path), source, self.status, self.explanation
            )
        elif self.note:
            logger.warning("%s %s: %s %s", printable(request.method), printable(request.path), source, self.note)


class RefusedError(Exception):
    """The front door answers by itself: it does not pass the request to the function, or the payload to the client.

    Args:
        answer: the answer.
        explanation: the answer's explanation; None to keep the one that it has.

    Attributes:
        answer: the answer, with its explanation.
    """

    def __init__(self, answer: Answer, explanation: str | None = None) -> None:
        self.answer = answer if explanation is None else replace(answer, explanation=explanation)
        super().__init__(self.answer.explanation)


@dataclass(frozen=True, slots=True)
class Route:
    """The route that a request matched.

    Attributes:
        method: the route's method: ``"GET"`` … or ``"ANY"``.
        template: its path, such as ``"/dogs/{id}"`` or ``"/{proxy+}"``.
        parameters: the values of its path variables.
    """

    method: str
    template: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FrontDoorConfig:
    """The configuration of a front door.

    Attributes:
        stage: the stage that URLs begin with, as on API Gateway's own domain; ``""`` for a custom domain and for
            ``$default``, whose URLs have none.
        base_path: the base path of a custom domain, such as ``"/shop"``. Slashes around stage and base path are
            optional.
        binary_media_types: a REST API's ``binaryMediaTypes``, such as ``"image/png"``, ``"image/*"`` or ``"*/*"``.
        route: the route that the request matched; None for a catch-all.
        account: the account ID in ARNs.
        region: the region in ARNs.
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
        """The beginning of every path: ``"/prod"``, ``"/shop"`` or ``""``. A stage excludes a base path."""
        return f"/{self.stage}" if self.stage else self.base_path


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The rules of one front door.

    Attributes:
        compose: returns the event for a request; raises :class:`RefusedError`.
        interpret: returns the answer for a payload; raises :class:`RefusedError`.
        failed: the answer when the function fails.
        timed_out: the answer when the function does not answer in time.
        no_route: the answer when no route matches.
        timeout: how long the front door waits for the function, in seconds.
        interpret_prelude: returns the answer, still without a body, for the prelude of a streamed response; raises
            :class:`RefusedError`. None if the front door does not stream.
        prelude_is_optional: whether a streamed response may consist of a body alone.
    """

    compose: Callable[[Request, FrontDoorConfig], dict[str, Any]]
    interpret: Callable[[Any, Request, FrontDoorConfig], Answer]
    failed: Answer
    timed_out: Answer
    no_route: Answer
    timeout: float
    interpret_prelude: Callable[[dict[str, Any]], Answer] | None = None
    prelude_is_optional: bool = False

    @property
    def supports_streaming(self) -> bool:
        """Whether the front door sends a response to the client while the function still produces it."""
        return self.interpret_prelude is not None


def json_answer(status: int, content: Any, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Return a JSON answer of the front door's own."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return Answer(status, [("content-type", "application/json"), *headers], body)


def html_answer(status: int, phrase: str, *, server: str) -> Answer:
    """Return an error page of the front door's own."""
    page = f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n<center><h1>{status} {phrase}</h1>"
    body = f"{page}</center>\r\n</body>\r\n</html>\r\n"
    return Answer(status, [("content-type", "text/html"), ("server", server)], body.encode())


def _last_value(headers: Headers, name: str) -> str:
    return next((value for key, value in reversed(headers) if key.lower() == name), "")
