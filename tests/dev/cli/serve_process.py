"""Runs the installed command ``bridge`` in a process, as a user does."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

BRIDGE = str(Path(sys.executable).with_name("bridge"))
WSGI = f"{Path(__file__).with_name('applications.py')}:wsgi_app"
ASGI = f"{Path(__file__).with_name('applications.py')}:asgi_app"
_TIMEOUT_SECONDS = 120.0  # ends a test that hangs; commands take a second, and many on a busy machine
# What the bridge remembers about the user, such as the access token of the inspector.
_STATE = Path(__file__).parents[3] / ".cache" / "state"


def environment(**more: str) -> dict[str, str]:
    """Return the tests' environment without the variables that configure the bridge."""
    names = [name for name in os.environ if not name.startswith(("BRIDGE_", "IS_OFFLINE"))]
    return {name: os.environ[name] for name in names} | {"XDG_STATE_HOME": str(_STATE)} | more


def run(folder: Path, *arguments: str, stdin: str | bytes = b"", **env: str) -> tuple[int, str, str]:
    """Run a command and return its exit status, standard output and standard error."""
    done = subprocess.run(
        [BRIDGE, *arguments],
        cwd=folder,
        env=environment(**env),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=_TIMEOUT_SECONDS,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class ServeProcess:
    """A running ``bridge serve``.

    Args:
        folder: the project, in which it runs.
        *arguments: the arguments of ``bridge serve``; ``--port`` is added.
        command: words to add after all of them.
        waits_for_greeting: whether to wait until it serves; if not, there is no ``url``.
        port: the port; 0 for any free one.
        **env: more environment variables; ``PYTHONPATH=""`` runs the server on uvloop.

    Attributes:
        process: the process.
        url: the URL that it serves.
        client: an httpx client for the URL.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        command: Sequence[str] = (),
        waits_for_greeting: bool = True,
        port: int = 0,
        **env: str,
    ) -> None:
        self._output = folder / f"serve-{time.monotonic_ns()}"
        self._output.mkdir()
        # uvicorn chooses uvloop where it is installed; users of the extra "serve" have asyncio.
        (self._output / "uvloop.py").write_text("raise ImportError")
        with (self._output / "stdout").open("wb") as stdout, (self._output / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [BRIDGE, "serve", *arguments, "--port", str(port), *command],
                cwd=folder,
                env=environment(**{"PYTHONPATH": str(self._output), **env}),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # a process group, as in a terminal: Ctrl-C reaches all its processes
            )
        self.url = ""
        try:
            if waits_for_greeting:
                self.url = self.wait_for_stderr(r"^Serving .* at (https?://[^/\s]+)")[1]
        except BaseException:
            self.kill()
            raise
        self.client = httpx.Client(base_url=self.url, verify=False, trust_env=False, timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> ServeProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.kill()

    @property
    def stdout(self) -> str:
        """The standard output so far: the access log, and what the application prints."""
        return (self._output / "stdout").read_text()

    @property
    def inspector(self) -> str:
        """The address of the inspector without the access token."""
        return self.inspector_link.partition("/#")[0]

    @property
    def inspector_link(self) -> str:
        """The address of the inspector as it is printed."""
        return self.wait_for_stderr(r"^Inspector at (\S+)")[1]

    def inspect(self, path: str, method: str = "GET") -> httpx.Response:
        """Send a request to the inspector."""
        headers = {"x-bridge-inspector": self.inspector_link.partition("#token=")[2]}
        return httpx.request(method, f"{self.inspector}{path}", headers=headers, trust_env=False)

    @property
    def stderr(self) -> str:
        """The standard error so far: the server's messages and the log."""
        return (self._output / "stderr").read_text()

    def wait_for_stdout(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until standard output has *times* matches of *pattern*, and return the last one."""
        return self._wait_for(lambda: self.stdout, pattern, times)

    def wait_for_stderr(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until standard error has *times* matches of *pattern*, and return the last one."""
        return self._wait_for(lambda: self.stderr, pattern, times)

    def _wait_for(self, read: Callable[[], str], pattern: str, times: int) -> re.Match[str]:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            is_over = self.process.poll() is not None or time.monotonic() > deadline
            matches = list(re.finditer(pattern, read(), re.MULTILINE))
            if len(matches) >= times:
                return matches[-1]
            if is_over:
                raise AssertionError(f"No {pattern!r}; stdout:\n{self.stdout}\nstderr:\n{self.stderr}")
            time.sleep(0.02)

    def press_ctrl_c(self) -> None:
        """Send SIGINT to every process, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> int:
        """Wait for the exit and return the status."""
        return self.process.wait(_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """Kill all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
