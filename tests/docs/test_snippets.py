"""Every marked command and file of the documentation, run page by page as a reader does."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.dev.cli.packages import uv_cache
from tests.dev.cli.serve_process import environment
from tests.docs.pages import PAGES, ROOT, Block, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = {page: found for page in [*PAGES, ROOT / "README.md"] if (found := blocks(page))}
_TIMEOUT_SECONDS = 120.0
_PACKAGES = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
# The locked versions of the packages that have one for all versions of Python.
_LOCKED = {
    package["name"]: package["version"]
    for package in _PACKAGES
    if "version" in package and sum(each["name"] == package["name"] for each in _PACKAGES) == 1
}


class Reader:
    """Somebody who follows a page: an empty folder, and a virtual environment with what the page installs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.venv = folder / "venv"
        self._port = _free_port()
        self._server: subprocess.Popen[str] | None = None
        self._server_output = folder / "server"
        self._output = ""

    def environment(self) -> dict[str, str]:
        variables = environment(PYTHONUNBUFFERED="1", XDG_CACHE_HOME=str(self.folder.parent / "cache"))
        python = self.venv / "bin" if self.venv.exists() else ROOT / ".venv/bin"
        variables |= {"PATH": f"{python}{os.pathsep}{os.environ['PATH']}", "UV_CACHE_DIR": uv_cache()}
        return variables | ({"VIRTUAL_ENV": str(self.venv)} if self.venv.exists() else {})

    def follow(self, block: Block) -> None:
        getattr(self, f"_follow_{block.kind}")(block)

    def close(self) -> None:
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGTERM)
            self._server.wait(_TIMEOUT_SECONDS)
            self._server = None

    def _follow_file(self, block: Block) -> None:
        file = self.folder / block.argument
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")

    def _follow_install(self, block: Block) -> None:
        if not self.venv.exists():
            subprocess.run(["uv", "venv", "-q", "--python", sys.executable, self.venv], check=True)
        for line in block.text.splitlines():
            words = line.replace("'", "").split()
            assert words[:2] == ["pip", "install"]
            requirements = [self._requirement(word) for word in words[2:]]
            command = ["uv", "pip", "install", "-q", "--python", str(self.venv), *requirements]
            subprocess.run(command, check=True, env=self.environment())

    def _requirement(self, word: str) -> str:
        if word.startswith("serverless-bridge"):
            return f"{ROOT}{word.removeprefix('serverless-bridge')}"
        return f"{word}=={_LOCKED[word]}" if word in _LOCKED else word

    def _follow_run(self, block: Block, **variables: str) -> None:
        script = block.text.replace("localhost:5000", f"localhost:{self._port}").replace("curl ", r"curl -sS -w '\n' ")
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
        )
        self._output = done.stdout
        assert done.returncode == int(block.argument or 0), f"{script}\n{self._output}\n{self._log()}"

    def _follow_aws(self, block: Block) -> None:
        self._output = ""

    def _follow_python(self, block: Block) -> None:
        done = subprocess.run(
            ["python", "-c", block.text], cwd=self.folder, env=self.environment(), capture_output=True, text=True
        )
        self._output = done.stdout + done.stderr
        assert done.returncode == 0, self._output

    def _follow_serve(self, block: Block) -> None:
        self.close()
        self._output = ""
        command = block.text.strip().replace("bridge serve", f"exec bridge serve --port {self._port}")
        with self._server_output.open("w") as output:
            self._server = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while "Serving " not in self._log():
            assert self._server.poll() is None, self._log()
            assert time.monotonic() < deadline, self._log()
            time.sleep(0.05)
        httpx.get(f"http://localhost:{self._port}/", timeout=_TIMEOUT_SECONDS)

    def _log(self) -> str:
        return self._server_output.read_text() if self._server_output.exists() else ""

    def _follow_output(self, block: Block) -> None:
        actual = (self._output or self._log()).replace(f"localhost:{self._port}", "localhost:5000").replace("\r", "")
        lines = [r".*?".join(map(re.escape, line.split("…"))) for line in block.text.splitlines()]
        pattern = "\n.*?".join(lines)
        assert re.search(pattern, actual, re.DOTALL), f"{block.text}\nis not in\n{actual}"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with contextlib.closing(Reader(tmp_path)) as reader:
        yield reader


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_it_says(page: Path, reader: Reader) -> None:
    for block in RUN[page]:
        reader.follow(block)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
