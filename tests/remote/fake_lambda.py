"""A server on this machine that answers Lambda's Invoke requests."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_REGION": "eu-west-1"}
# Keeps boto3 from reading the configuration of the machine that runs the tests.
NO_AWS_CONFIG = {
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class FakeLambda:
    """Answers every Invoke request with the response that the test has set.

    Attributes:
        requests: path and payload of each request.
        status, headers, body: the response.
        is_silent: whether requests are never answered.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.status, self.body = 200, b'[0, "done\\n"]'
        self.headers: dict[str, str] = {}
        self.is_silent = False
        self._closed = threading.Event()
        fake = self

        class Invoke(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.requests.append((self.path, payload))
                if fake.is_silent:
                    fake._closed.wait()
                    return
                self.send_response(fake.status)
                for name, value in {**fake.headers, "Content-Length": str(len(fake.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(fake.body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Invoke)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def respond(self, payload: Any, *, error: bool = False) -> None:
        """Set the payload of the response."""
        self.body = json.dumps(payload).encode()
        self.headers = {"X-Amz-Function-Error": "Unhandled"} if error else {}

    def refuse(self, status: int, code: str, message: str) -> None:
        """Make the response an error of the Lambda API."""
        self.status, self.headers = status, {"x-amzn-ErrorType": code, "Content-Type": "application/json"}
        self.body = json.dumps({"Message": message}).encode()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
