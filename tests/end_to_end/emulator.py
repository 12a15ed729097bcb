"""A function as AWS runs it: AWS's runtime client, or ``bridge.runtime``, behind AWS's Runtime Interface Emulator."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from bridge.dev.gateway import Answer, Request, compose, interpret
from tests.end_to_end.processes import ManagedProcess, reserve_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The runtime clients. The function's handler follows as an argument.
AWS_CLIENT = (sys.executable, "-m", "awslambdaric")
BRIDGE_CLIENT = (sys.executable, "-m", "bridge.runtime")
# For a command without arguments: the shell drops the handler, which the emulator still passes on in _HANDLER.
WITHOUT_ARGUMENT = ("/bin/sh", "-c")

# The managed runtime of this Python. Since 3.12 AWS's client polls and writes JSON in another way.
MANAGED_RUNTIME = f"AWS_Lambda_python3.{sys.version_info.minor}"
_TIMEOUT_SECONDS = 20.0
_CONNECTIONS = 32
_BYTECODE = Path(__file__).parents[2] / ".cache" / "compiled"


class InvocationError(Exception):
    """The function returned an error, timed out, or its process ended.

    Attributes:
        payload: the response in place of a payload.
    """

    def __init__(self, message: str, payload: bytes = b"") -> None:
        super().__init__(message)
        self.payload = payload


class Emulator(ManagedProcess):
    """A function behind the emulator.

    Args:
        program: the emulator's executable.
        folder: the function's code, and its current folder.
        handler: the function's handler, ``module.attribute``.
        log: the file for the output of emulator and function.
        timeout: the function's timeout in seconds. In the emulator the import counts for the first invocation.
        variables: the function's environment variables.
        command: the command of the function's process; the handler, if there is one, is appended.
        wrapper: a command that runs the emulator's.

    Attributes:
        url: the endpoint of the Lambda API.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        handler: str,
        log: Path,
        *,
        timeout: int = 30,
        variables: Mapping[str, str] | None = None,
        command: Sequence[str] = AWS_CLIENT,
        wrapper: Sequence[str] = (),
    ) -> None:
        self._log = log
        self._invocation_lock = threading.Lock()
        self._ports = [reserve_port(), reserve_port()]
        lambda_api, runtime_api = (f"127.0.0.1:{port.getsockname()[1]}" for port in self._ports)
        self.url = f"http://{lambda_api}"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPYCACHEPREFIX": str(_BYTECODE),  # some installers leave compiling to the first import
            "LAMBDA_TASK_ROOT": str(folder),
            "AWS_EXECUTION_ENV": MANAGED_RUNTIME,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
        }
        addresses = ["--runtime-interface-emulator-address", lambda_api, "--runtime-api-address", runtime_api]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*wrapper, str(program), *addresses, *command, *([handler] if handler else [])],
                cwd=folder,
                env={**environment, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._client = boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=_CONNECTIONS,
                read_timeout=timeout + _TIMEOUT_SECONDS,
            ),
        )
        # The emulator sends an error as plain text, which boto3 drops.
        self._error_body = b""
        self._client.meta.events.register("response-received.lambda.Invoke", self._keep_error_body)
        self._client.meta.events.register("before-call.lambda.Invoke", _set_content_type)

    def invoke(self, event: Any) -> Any:
        """Return the function's payload.

        Raises:
            InvocationError: the function failed. The emulator sends no header that says so.
        """
        payload = json.loads(self.invoke_raw(event))
        if isinstance(payload, dict) and "errorType" in payload:
            raise InvocationError(f"{payload['errorType']}: {payload['errorMessage']}")
        return payload

    def invoke_raw(self, event: Any) -> bytes:
        """Return the bytes of the function's response: JSON, a stream with its prelude, or an error.

        Raises:
            InvocationError: the function timed out, or its process ended.
        """
        with self._invocation_lock:  # concurrent invocations crash the emulator
            payload: bytes = self.send(event)["Payload"].read()
        if payload.startswith(b"Task timed out"):
            raise InvocationError(payload.decode())
        return payload

    def send(self, event: Any) -> Any:
        """Return boto3's response, without waiting for other invocations.

        Raises:
            InvocationError: the function's process ended.
        """
        try:
            return self._client.invoke(FunctionName="function", Payload=json.dumps(event).encode())
        except ClientError as error:
            raise InvocationError("The function's process ended.", self._error_body) from error

    def request(self, request: Request, source: str = "http-api", **door: Any) -> Answer:
        """Return what a client of the front door *source* receives."""
        return interpret(self.invoke(compose(request, source, **door)), source, request, **door)

    @property
    def log(self) -> str:
        """The output of emulator and function so far."""
        return self._log.read_text(errors="replace")

    def wait_for_log(self, text: str) -> None:
        """Wait until *text* is in the log."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while text not in self.log:
            assert time.monotonic() < deadline, f"{text!r} is missing in the log:\n{self.log}"
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill emulator and function."""
        self._client.close()
        self._process.kill()
        self._process.wait()
        # The emulator starts the function in a process group of its own, but in the same session.
        while remaining := _processes_of_session(self._process.pid):
            for pid in remaining:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        for port in self._ports:
            port.close()

    def _keep_error_body(self, response_dict: Any, **kwargs: Any) -> None:
        if response_dict and response_dict["status_code"] >= 300:
            self._error_body = response_dict["body"]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while not all(_accepts_connections(port.getsockname()) for port in self._ports):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The emulator did not start:\n{self.log}")
            time.sleep(0.01)


def _set_content_type(params: Any, **kwargs: Any) -> None:
    """Send payloads as JSON, as Lambda assumes. For Managed Instances the emulator passes the type on."""
    params["headers"]["Content-Type"] = "application/json"


def _accepts_connections(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def _processes_of_session(leader: int) -> list[int]:
    processes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:  # the process has ended
                continue
            if int(session) == leader and state != "Z":
                processes.append(int(entry.name))
    return processes
