"""Small WSGI applications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
PLAIN = [("Content-Type", "text/plain")]


class Body:
    """An iterable of chunks, of which exceptions are raised.

    Attributes:
        close_count: how often it was closed.
    """

    def __init__(self, *chunks: bytes | BaseException, close_error: BaseException | None = None) -> None:
        self._chunks = iter(chunks)
        self._close_error = close_error
        self.close_count = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def close(self) -> None:
        self.close_count += 1
        if self._close_error is not None:
            raise self._close_error


def returning(result: Any, status: Any = "200 OK", headers: Any = PLAIN) -> App:
    """An application that starts a response and returns *result*."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, headers)
        return result  # type: ignore[no-any-return]

    return app
