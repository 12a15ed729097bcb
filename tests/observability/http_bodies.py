"""Bodies of requests to the servers of these tests."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler


def read_body(request: BaseHTTPRequestHandler) -> bytes:
    """Return the body of a request, without chunks and compression."""
    if request.headers.get("Transfer-Encoding") == "chunked":
        body = b""
        while size := int(request.rfile.readline(), 16):
            body += request.rfile.read(size)
            request.rfile.readline()
        while request.rfile.readline().strip():  # trailers
            pass
    else:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if encoding == "deflate" else body
