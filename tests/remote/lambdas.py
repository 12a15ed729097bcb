"""Lambda's Invoke on this machine, for tests of those who ask for it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_REGION": "eu-west-1"}
# No file and no service of the machine that runs the tests has any.
NOTHING = {
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Lambda:
    """Lambda's Invoke, with an answer that the test gives.

    Attributes:
        asked: path and payload of each request.
        status, headers, body: what it answers.
        is_silent: whether it does not answer.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.status, self.body = 200, b'[0, "done\\n"]'
        self.is_silent = False
        self._over = threading.Event()
        self.headers: dict[str, str] = {}
        lambdas = self

        class Invoke(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                lambdas.asked.append((self.path, payload))
                if lambdas.is_silent:
                    lambdas._over.wait()
                    return
                self.send_response(lambdas.status)
                for name, value in {**lambdas.headers, "Content-Length": str(len(lambdas.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(lambdas.body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Invoke)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, payload: Any, *, error: bool = False) -> None:
        self.body = json.dumps(payload).encode()
        self.headers = {"X-Amz-Function-Error": "Unhandled"} if error else {}

    def refuse(self, status: int, kind: str, message: str) -> None:
        self.status, self.headers = status, {"x-amzn-ErrorType": kind, "Content-Type": "application/json"}
        self.body = json.dumps({"Message": message}).encode()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
