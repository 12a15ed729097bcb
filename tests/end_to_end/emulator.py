"""A function as AWS runs it: a runtime client, AWS's own or ours, behind AWS's Runtime Interface Emulator."""

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
from tests.end_to_end.running import Running

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# AWS's runtime client, which the function's handler is the argument of; and ours.
AWS_CLIENT = (sys.executable, "-m", "awslambdaric")
BRIDGE_CLIENT = (sys.executable, "-m", "bridge.runtime")
# For a command that is to have nothing behind it: the shell keeps the handler to itself, and the emulator, which reads
# the last word of a command as the handler, has it in _HANDLER.
ALONE = ("/bin/sh", "-c")

# The managed runtime of this Python: AWS's client polls and writes JSON in another way since 3.12.
MANAGED_RUNTIME = f"AWS_Lambda_python3.{sys.version_info.minor}"
_PATIENCE_SECONDS = 20.0
_CONNECTIONS = 32
_COMPILED = Path(__file__).parents[2] / ".cache" / "compiled"


class InvocationError(Exception):
    """The function answered with an error, or not in time, or its process ended; the message says which.

    Attributes:
        payload: what came instead of an answer.
    """

    def __init__(self, message: str, payload: bytes = b"") -> None:
        super().__init__(message)
        self.payload = payload


class Emulator(Running):
    """A function under the emulator; a context manager.

    Args:
        program: the emulator.
        folder: the function's code, the current folder of its process.
        handler: the function's handler, ``module.attribute``.
        log: the file for all that emulator and function write.
        timeout: the function's timeout in seconds; importing the code counts for the first invocation.
        variables: the function's environment variables.
        command: what the function's process is; the handler, if there is one, comes behind it.
        place: a command that runs the emulator in a place of its own, before all others.
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
        place: Sequence[str] = (),
    ) -> None:
        self._log = log
        self._turn = threading.Lock()
        # Held until the end: bound, but not listening, a port can be bound again by the emulator and by nobody else.
        self._ports = [_reserved_port(), _reserved_port()]
        front, runtime_api = (f"127.0.0.1:{held.getsockname()[1]}" for held in self._ports)
        own = {
            "PATH": os.environ["PATH"],
            "PYTHONPYCACHEPREFIX": str(_COMPILED),  # an installer that does not compile makes every cold start do it
            "LAMBDA_TASK_ROOT": str(folder),
            "AWS_EXECUTION_ENV": MANAGED_RUNTIME,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
        }
        addresses = ["--runtime-interface-emulator-address", front, "--runtime-api-address", runtime_api]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*place, str(program), *addresses, *command, *([handler] if handler else [])],
                cwd=folder,
                env={**own, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._client = boto3.client(
            "lambda",
            endpoint_url=f"http://{front}",
            region_name="us-east-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=_CONNECTIONS,
                read_timeout=timeout + _PATIENCE_SECONDS,
            ),
        )
        # The emulator sends an error as plain text, which boto3 takes for none and drops.
        self._refused = b""
        self._client.meta.events.register("response-received.lambda.Invoke", self._keep)
        self._client.meta.events.register("before-call.lambda.Invoke", _call_it_json)

    def invoke(self, event: Any) -> Any:
        """What the function gives for *event*.

        Raises:
            InvocationError: it gives nothing; the emulator has no header that says so.
        """
        payload = json.loads(self.payload_of(event))
        if isinstance(payload, dict) and "errorType" in payload:
            raise InvocationError(f"{payload['errorType']}: {payload['errorMessage']}")
        return payload

    def payload_of(self, event: Any) -> bytes:
        """The bytes that the function gives for *event*: JSON, a stream from its prelude on, or an error.

        Raises:
            InvocationError: it gives nothing.
        """
        with self._turn:  # two invocations at once are the end of the emulator
            payload: bytes = self.send(event)["Payload"].read()
        if payload.startswith(b"Task timed out"):
            raise InvocationError(payload.decode())
        return payload

    def send(self, event: Any) -> Any:
        """Boto3's answer for *event*, whatever else the function is doing.

        Raises:
            InvocationError: there is none.
        """
        try:
            return self._client.invoke(FunctionName="function", Payload=json.dumps(event).encode())
        except ClientError as error:
            raise InvocationError("The function's process ended.", self._refused) from error

    def ask(self, request: Request, source: str = "http-api", **door: Any) -> Answer:
        """What a client of the front door called *source* gets for *request*."""
        return interpret(self.invoke(compose(request, source, **door)), source, request, **door)

    @property
    def log(self) -> str:
        """All that emulator and function have written so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, line: str) -> None:
        """Wait until *line* is in the log."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while line not in self.log:
            assert time.monotonic() < until, f"{line!r} never came into the log:\n{self.log}"
            time.sleep(0.02)

    def end(self) -> None:
        """Kill emulator and function, whatever they are doing."""
        self._client.close()
        self._process.kill()
        self._process.wait()
        # The emulator gives the function a process group of its own, but leaves it in the session.
        while left := _processes_of_session(self._process.pid):
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        for held in self._ports:
            held.close()

    def _keep(self, response_dict: Any, **told: Any) -> None:
        if response_dict and response_dict["status_code"] >= 300:
            self._refused = response_dict["body"]

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while not all(_is_open(held.getsockname()) for held in self._ports):
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"The emulator did not start:\n{self.log}")
            time.sleep(0.01)


def _call_it_json(params: Any, **told: Any) -> None:
    """Lambda takes every payload for JSON; the emulator's mode of Managed Instances tells the function the type."""
    params["headers"]["Content-Type"] = "application/json"


def _reserved_port() -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def _is_open(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def _processes_of_session(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:  # it has ended meanwhile
                continue
            if int(session) == leader and state != "Z":
                found.append(int(entry.name))
    return found
