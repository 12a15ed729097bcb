"""The Lambda service as a function's process sees it: the Runtime API, and the freeze between invocations."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.end_to_end.processes import ManagedProcess
from tests.observability.http_bodies import read_body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_BASE_PATH = "/2018-06-01/runtime/"
_TIMEOUT_SECONDS = 40.0


@dataclass
class Invocation:
    """An invocation and its result.

    Attributes:
        event: the event, as JSON.
        trace_header: X-Ray's.
        request_id: Lambda's.
        kind: ``"response"`` or ``"error"``.
        payload: what the function has sent.
        is_streamed: whether it was sent in Lambda's streaming mode.
    """

    event: bytes
    trace_header: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    kind: str = ""
    payload: bytes = b""
    is_streamed: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class LambdaService(ManagedProcess):
    """A function's process, and the service that it polls.

    As on Lambda, the process is stopped while it waits for the next invocation, unless it takes several at once.

    Args:
        command: the runtime client.
        folder: the function's code.
        log: the file for the output of the process.
        variables: the function's environment variables.
        concurrency: how many invocations the process takes at once.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, log: Path, variables: Mapping[str, str], concurrency: int = 1
    ) -> None:
        self._log = log
        self._concurrency = concurrency
        self._waiting: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._invocations: dict[str, Invocation] = {}
        self._polling = 0
        self._changed = threading.Condition()
        self._server = _make_server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        environment = {
            "PATH": os.environ["PATH"],
            "LAMBDA_TASK_ROOT": str(folder),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "teas",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/teas",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
            "AWS_REGION": "eu-central-1",
            **({"AWS_LAMBDA_MAX_CONCURRENCY": str(concurrency)} if concurrency > 1 else {}),
        }
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """The output of the process so far."""
        return self._log.read_text(errors="replace")

    def invoke(self, event: Any, trace_header: str) -> Invocation:
        """Return the invocation when its response has been received; the process may still be working on it."""
        invocation = Invocation(json.dumps(event).encode(), trace_header)
        self._invocations[invocation.request_id] = invocation
        with self._changed:
            self._waiting.put(invocation)
            self._signal(signal.SIGCONT)
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while not invocation.ended.wait(0.1):
            assert self._process.poll() is None, f"The process has ended.\n{self.log}"
            assert time.monotonic() < deadline, f"There is no response.\n{self.log}"
        return invocation

    def wait_until_frozen(self) -> None:
        """Wait until the process has nothing to do."""
        with self._changed:
            is_idle = self._changed.wait_for(lambda: self._polling == self._concurrency, _TIMEOUT_SECONDS)
        assert is_idle, f"The process is still busy.\n{self.log}"

    def stop(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()
        for _ in range(2 * self._concurrency):
            self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _wait_until_ready(self) -> None:
        pass  # the first invocation waits

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def next(self) -> Invocation | None:
        """Return the next invocation; None at the end."""
        with self._changed:
            self._polling += 1
            self._changed.notify_all()
            if self._waiting.empty() and self._concurrency == 1:
                self._signal(signal.SIGSTOP)
        invocation = self._waiting.get()
        with self._changed:
            self._polling -= 1
        return invocation

    def end(self, request_id: str, kind: str, payload: bytes, *, is_streamed: bool) -> None:
        """Record the result of an invocation."""
        invocation = self._invocations[request_id]
        invocation.kind, invocation.payload, invocation.is_streamed = kind, payload, is_streamed
        invocation.ended.set()


def _make_server(service: LambdaService) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.path == f"{_BASE_PATH}invocation/next"
            invocation = service.next()
            if invocation is None:
                self.close_connection = True
                return
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Invocation-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + _TIMEOUT_SECONDS) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:teas",
                "Lambda-Runtime-Trace-Id": invocation.trace_header,
            }
            self._reply(200, invocation.event, headers)

        def do_POST(self) -> None:
            body = read_body(self)
            *_, request_id, kind = self.path.split("/")
            if kind in ("response", "error") and request_id != "init":
                is_streamed = self.headers.get("Lambda-Runtime-Function-Response-Mode") == "streaming"
                service.end(request_id, kind, body, is_streamed=is_streamed)
            self._reply(202, b'{"status":"OK"}')

        def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return QuietServer(("127.0.0.1", 0), Handler)


class QuietServer(ThreadingHTTPServer):
    """A server that says nothing about the connections of a killed process."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass
