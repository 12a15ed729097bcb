"""``bridge serve`` and the other commands as a person runs them: the installed program in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

BRIDGE = str(Path(sys.executable).with_name("bridge"))
WSGI = f"{Path(__file__).with_name('applications.py')}:wsgi_app"
ASGI = f"{Path(__file__).with_name('applications.py')}:asgi_app"
_PATIENCE = 30.0


def environment(**more: str) -> dict[str, str]:
    """The tests' own environment, without what would set the bridge up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "IS_OFFLINE"))}
    return kept | more


def run(folder: Path, *arguments: str, stdin: str | bytes = b"", **env: str) -> tuple[int, str, str]:
    """Run a command to its end: exit status, standard output, standard error."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [BRIDGE, *arguments], cwd=folder, env=environment(**env), input=given, capture_output=True, timeout=_PATIENCE
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Served:
    """A running ``bridge serve``.

    Args:
        folder: the project, in which it runs.
        *arguments: after ``bridge serve``; ``--port 0`` is added.
        command: words that come after all of them.
        greets: whether to wait until it says that it serves; if not there are no ``url`` and ``client``.
        **env: more environment.

    Attributes:
        process: the process.
        url: where it serves.
        client: an httpx client for it.
    """

    def __init__(
        self, folder: Path, *arguments: str, command: Sequence[str] = (), greets: bool = True, **env: str
    ) -> None:
        self._log = folder / f"served-{time.monotonic_ns()}"
        self._log.mkdir()
        with (self._log / "out").open("wb") as out, (self._log / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [BRIDGE, "serve", *arguments, "--port", "0", *command],
                cwd=folder,
                env=environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # a terminal of its own, so to speak: Ctrl-C reaches all its processes
            )
        self.url = ""
        try:
            if greets:
                self.url = self.said(r"^Serving .* at (https?://[^/\s]+)")[1]
        except BaseException:
            self.kill()
            raise
        self.client = httpx.Client(base_url=self.url, verify=False, trust_env=False, timeout=_PATIENCE)

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.kill()

    @property
    def out(self) -> str:
        """What it has printed: the access lines, and what the application prints."""
        return (self._log / "out").read_text()

    @property
    def err(self) -> str:
        """What it has said and logged."""
        return (self._log / "err").read_text()

    def said(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until *pattern* has been said or logged that often; the last match."""
        return self._wait(lambda: re.findall(pattern, self.err, re.MULTILINE), pattern, "err", times)

    def printed(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until *pattern* has been printed that often; the last match."""
        return self._wait(lambda: re.findall(pattern, self.out, re.MULTILINE), pattern, "out", times)

    def _wait(self, find: Any, pattern: str, stream: str, times: int) -> re.Match[str]:
        until = time.monotonic() + _PATIENCE
        while len(find()) < times:
            is_over = self.process.poll() is not None
            if (is_over and len(find()) < times) or time.monotonic() > until:
                raise AssertionError(f"No {pattern!r}; out:\n{self.out}\nerr:\n{self.err}")
            time.sleep(0.02)
        text = self.err if stream == "err" else self.out
        return list(re.finditer(pattern, text, re.MULTILINE))[-1]

    def ctrl_c(self) -> None:
        """What a terminal does: SIGINT to every process."""
        os.killpg(self.process.pid, signal.SIGINT)

    def status(self) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(_PATIENCE)

    def kill(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
