"""ministack, an emulator of AWS in a process of its own: a cloud that tests deploy to, and send requests to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from tests.end_to_end.processes import ManagedProcess, reserve_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "us-east-1"
# ministack verifies no signatures, but clients send no request without credentials.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_REGION": REGION}
_INSTALL_SCRIPT = Path(__file__).parents[2] / "scripts" / "ministack"
_TIMEOUT_SECONDS = 30.0
# ministack serves the pages of Cognito, /login among them, on every host. The application has a page of that name.
_CODE = """
from ministack import app

async def no_response(*_request):
    return None

app._handle_cognito_get_request = app._handle_cognito_body_request = no_response
app.main()
"""


class Ministack(ManagedProcess):
    """A running ministack, which accepts connections from this machine only.

    Args:
        python: the Python that ministack is installed in, and that functions run in.
        folder: the folder for its files, which is removed afterwards.

    Attributes:
        url: the endpoint of every AWS service.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        self._port = reserve_port()
        port = str(self._port.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        temporary = folder / "tmp"  # for the code of functions
        temporary.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(temporary),
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": port,
            "IOT_MTLS_ENABLED": "0",  # has a fixed port
            # The bridge reads from the host name of a request whether it is one of AWS's own.
            "MINISTACK_HOST": f"{REGION}.amazonaws.com",
        }
        with (folder / "log").open("wb") as output:
            self._process = subprocess.Popen(
                [str(python), "-c", _CODE],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def client(self, service: str) -> Any:
        """Return boto3's client for a service."""
        make_client: Callable[..., Any] = boto3.client  # its stubs take only literal names
        return make_client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def log(self) -> str:
        """Its output so far."""
        return (self._folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """Kill ministack and its functions, and remove their files."""
        os.killpg(self._process.pid, signal.SIGKILL)  # the functions are in its process group
        self._process.wait()
        self._port.close()
        shutil.rmtree(self._folder)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        with httpx.Client(trust_env=False) as client:
            while True:
                try:
                    client.get(f"{self.url}/_ministack/health").raise_for_status()
                except httpx.TransportError:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"ministack did not start:\n{self.log}") from None
                    time.sleep(0.05)
                else:
                    return


class MinistackTransport(httpx.HTTPTransport):
    """A transport that sends every request to ministack, whatever its host and scheme.

    Args:
        ministack: the server.
        rewrite: changes path and query, where the event that ministack makes would otherwise not be AWS's.
    """

    def __init__(self, ministack: Ministack, rewrite: Callable[[str], str]) -> None:
        super().__init__(verify=False, trust_env=False)  # ministack accepts no HTTPS
        self._server = httpx.URL(ministack.url)
        self._rewrite = rewrite

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* with the ``Host`` header of its own URL."""
        target = self._rewrite(request.url.raw_path.decode()).encode()
        url = self._server.copy_with(raw_path=target)
        return super().handle_request(
            httpx.Request(request.method, url, headers=request.headers, stream=request.stream)
        )


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """The running cloud. ministack is installed first if necessary."""
    installed = subprocess.run([sys.executable, str(_INSTALL_SCRIPT)], capture_output=True, text=True)
    if installed.returncode != 0:
        error = (installed.stderr.strip().splitlines() or ["no output"])[-1]
        pytest.skip(f"ministack is not installed, and scripts/ministack failed: {error}")
    with Ministack(Path(installed.stdout.strip()), tmp_path_factory.mktemp("ministack")) as cloud:
        yield cloud
