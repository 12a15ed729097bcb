"""A proxy before ministack that records the calls of AWS's APIs, and answers some of them with faults."""

from __future__ import annotations

import http.client
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

# The calls of S3 and of Lambda by method, and what the path and query match.
_S3_CALLS = [
    ("HEAD", r"/[^/]+/?", "HeadBucket"),
    ("HEAD", r"/[^/]+/.+", "HeadObject"),
    ("PUT", r"/[^/]+/?\?publicAccessBlock.*", "PutPublicAccessBlock"),
    ("PUT", r"/[^/]+/?\?encryption.*", "PutBucketEncryption"),
    ("PUT", r"/[^/]+/?\?lifecycle.*", "PutBucketLifecycleConfiguration"),
    ("GET", r"/[^/]+/?\?lifecycle.*", "GetBucketLifecycleConfiguration"),
    ("GET", r"/[^/]+/?\?.*uploads.*", "ListMultipartUploads"),
    ("GET", r"/[^/]+/?\?list-type.*", "ListObjectsV2"),
    ("POST", r"/[^/]+/?\?delete.*", "DeleteObjects"),
    ("POST", r"/[^/]+/.+\?uploads.*", "CreateMultipartUpload"),
    ("POST", r"/[^/]+/.+\?uploadId.*", "CompleteMultipartUpload"),
    ("GET", r"/[^/]+/.+\?.*uploadId.*", "ListParts"),
    ("PUT", r"/[^/]+/.+\?.*partNumber.*", "UploadPart"),
    ("PUT", r"/[^/]+/?", "CreateBucket"),
    ("PUT", r"/[^/]+/.+", "PutObject"),
]
_LAMBDA_CALLS = [
    ("GET", r".*/aliases/.*", "GetAlias"),
    ("PUT", r".*/aliases/.*", "UpdateAlias"),
    ("GET", r".*/versions.*", "ListVersionsByFunction"),
    ("GET", r".*/configuration", "GetFunctionConfiguration"),
    ("DELETE", r".*", "DeleteFunction"),
    ("POST", r".*/invocations.*", "Invoke"),
]
_QUERY_ERROR = "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
_S3_ERROR = "<Error><Code>{code}</Code><Message>{message}</Message></Error>"
_JSON_ERROR = '{{"__type": "{code}", "message": "{message}"}}'


@dataclass
class Fault:
    """A fault of a call.

    Attributes:
        call: the call, such as ``cloudformation:ExecuteChangeSet``.
        status: the HTTP status.
        code: the error's code; ``""`` to end the connection without an answer.
        message: the error's message.
        times: how many calls fail.
        after: how many calls succeed before.
        rewrite: changes the body of ministack's answer instead; None for an error.
        is_hanging: whether the call is not answered until the proxy releases it.
    """

    call: str
    status: int = 403
    code: str = "AccessDenied"
    message: str = ""
    times: int = 1_000_000
    after: int = 0
    rewrite: Callable[[bytes], bytes] | None = None
    is_hanging: bool = False


@dataclass
class FaultProxy:
    """The proxy.

    Args:
        target: the URL of ministack.

    Attributes:
        faults: the faults, of which the first that matches a call applies.
        calls: the calls so far.
        hanging: set while a call hangs.
    """

    target: str
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hanging, self._released = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy._answer(self)

            do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def clear(self) -> None:
        """Forget faults and calls, and answer hanging calls."""
        self._released.set()
        self._released, self.hanging = threading.Event(), threading.Event()
        self.faults, self.calls = [], []

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        call = _call_name(request, body)
        with self._lock:
            self.calls.append(call)
            fault = self._next_fault(call)
        if fault is not None and fault.is_hanging:
            self.hanging.set()
            self._released.wait()
            fault = None
        if fault is not None and fault.rewrite is None:
            self._fail(request, call, fault)
            return
        connection = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        try:
            connection.request(request.command, request.path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if fault is not None and fault.rewrite is not None:
            content = fault.rewrite(content)
        skipped = ("transfer-encoding", "connection", "content-length", "date", "server")
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in skipped]
        length = response.getheader("Content-Length", "0") if request.command == "HEAD" else str(len(content))
        self._send(request, response.status, [*kept, ("Content-Length", length)], content)

    def _next_fault(self, call: str) -> Fault | None:
        for fault in self.faults:
            if fault.call == call and fault.times > 0:
                if fault.after > 0:
                    fault.after -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    def _fail(self, request: BaseHTTPRequestHandler, call: str, fault: Fault) -> None:
        if not fault.code:
            request.close_connection = True
            request.connection.close()
            return
        service, _, name = call.partition(":")
        message = fault.message or f"User: arn:aws:iam::000000000000:user/dev is not authorized to perform: {call}"
        if service == "s3" and not fault.message:
            message = "Access Denied"
        template = {"s3": _S3_ERROR, "cloudformation": _QUERY_ERROR, "sts": _QUERY_ERROR}.get(service, _JSON_ERROR)
        content = b"" if name.startswith("Head") else template.format(code=fault.code, message=message).encode()
        headers = [
            ("Content-Type", "text/xml"),
            ("Content-Length", str(len(content))),
            ("x-amzn-ErrorType", fault.code),
        ]
        self._send(request, fault.status, headers, content)

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], content: bytes
    ) -> None:
        try:
            request.send_response(status)
            for name, value in headers:
                request.send_header(name, value)
            request.end_headers()
            if request.command != "HEAD":
                request.wfile.write(content)
        except OSError:  # the client was interrupted
            request.close_connection = True


def _call_name(request: BaseHTTPRequestHandler, body: bytes) -> str:
    """Return service and call, such as ``s3:PutObject``."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", request.headers.get("Authorization", ""))
    service = scope[1] if scope else ""
    if target := request.headers.get("X-Amz-Target"):
        return f"{service}:{target.rpartition('.')[2]}"
    if service in ("s3", "lambda"):
        calls = _S3_CALLS if service == "s3" else _LAMBDA_CALLS
        found = (name for method, path, name in calls if method == request.command and re.fullmatch(path, request.path))
        return f"{service}:{next(found, request.path)}"
    return f"{service}:{parse_qs(body.decode(errors='replace')).get('Action', [''])[0]}"
