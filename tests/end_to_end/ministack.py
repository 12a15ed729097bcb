"""A cloud to deploy to: ministack, an emulator of AWS in a process of its own, and the way of clients to it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from tests.end_to_end.running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "us-east-1"
# ministack checks no signature, but a client does not send without one.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_REGION": REGION}
_INSTALL = Path(__file__).parents[2] / "scripts" / "ministack"
_PATIENCE_SECONDS = 30.0
# It has the pages of Cognito, /login among them, for whatever host is asked; here they are the application's.
_START = """
from ministack import app

async def nothing(*_request):
    return None

app._handle_cognito_get_request = app._handle_cognito_body_request = nothing
app.main()
"""


class Ministack(Running):
    """A running ministack; a context manager. It listens on this machine only, on a port that nobody has.

    Args:
        python: the Python that has it, and that the functions run in.
        folder: all that it writes; gone afterwards.

    Attributes:
        url: where AWS is, for its clients.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        # Held until the end: bound, but not listening, a port can be bound again by ministack and by nobody else.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        port = str(self._port.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        temporary = folder / "tmp"  # the functions' code is unpacked there
        temporary.mkdir()
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(temporary),
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": port,
            "IOT_MTLS_ENABLED": "0",  # it would listen on a fixed port
            # APIs are named as AWS names them, since a REST API's event is read by the name that the client asked.
            "MINISTACK_HOST": f"{REGION}.amazonaws.com",
        }
        with (folder / "log").open("wb") as output:
            self._process = subprocess.Popen(
                [str(python), "-c", _START],
                cwd=folder,
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def client(self, service: str) -> Any:
        """boto3's client for a service."""
        make: Callable[..., Any] = boto3.client  # its stubs want each name spelled out
        return make(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def log(self) -> str:
        """All that it has written so far."""
        return (self._folder / "log").read_text(errors="replace")

    def end(self) -> None:
        """Kill it and its functions, whatever they are doing, and take away what they wrote."""
        os.killpg(self._process.pid, signal.SIGKILL)  # functions are of its process group
        self._process.wait()
        self._port.close()
        shutil.rmtree(self._folder)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        with httpx.Client(trust_env=False) as client:
            while True:
                try:
                    client.get(f"{self.url}/_ministack/health").raise_for_status()
                except httpx.TransportError:
                    if self._process.poll() is not None or time.monotonic() > until:
                        raise RuntimeError(f"ministack did not start:\n{self.log}") from None
                    time.sleep(0.05)
                else:
                    return


class Internet(httpx.HTTPTransport):
    """The way of an HTTP client to ministack: all of AWS's names lead there, by http and https alike.

    Args:
        ministack: where it ends.
        sent: what becomes of path and query on the way, for a front door that ministack has made another way than AWS.
    """

    def __init__(self, ministack: Ministack, sent: Callable[[str], str]) -> None:
        super().__init__(verify=False, trust_env=False)  # https ends before it, so to speak
        self._end = httpx.URL(ministack.url)
        self._sent = sent

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*, whose ``Host`` stays that of its URL."""
        target = self._sent(request.url.raw_path.decode()).encode()
        url = self._end.copy_with(raw_path=target)
        return super().handle_request(
            httpx.Request(request.method, url, headers=request.headers, stream=request.stream)
        )


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """The cloud, installed if need be."""
    installed = subprocess.run([sys.executable, str(_INSTALL)], capture_output=True, text=True)
    if installed.returncode != 0:
        said = installed.stderr.strip().splitlines() or ["nothing"]
        pytest.skip(f"ministack is missing, which is deployed to; scripts/ministack installs it, and said: {said[-1]}")
    with Ministack(Path(installed.stdout.strip()), tmp_path_factory.mktemp("ministack")) as cloud:
        yield cloud
