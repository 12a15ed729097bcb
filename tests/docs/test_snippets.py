"""Every marked command and file of the documentation, run page by page as a reader does."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.dev.cli.packages import HOST, uv_cache
from tests.dev.cli.serve_process import environment
from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.end_to_end.front_doors import FrontDoor
from tests.end_to_end.ministack import CREDENTIALS
from tests.end_to_end.ministack import ministack as ministack
from tests.examples.applications import EXAMPLES
from tests.remote.fake_lambda import NO_AWS_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.ministack import Ministack

RUN = {
    page: found
    for page in [*PAGES, ROOT / "README.md"]
    if (found := [block for block in blocks(page) if block.kind != "recipe"])
}
_TIMEOUT_SECONDS = 120.0
_PACKAGES = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
# The locked versions of the packages that have one for all versions of Python.
_LOCKED = {
    package["name"]: package["version"]
    for package in _PACKAGES
    if "version" in package and sum(each["name"] == package["name"] for each in _PACKAGES) == 1
}


# ministack runs functions by this Python, on this machine's C library.
_TARGET = f"--python 3.{sys.version_info.minor} --platform manylinux_2_17"


class Reader:
    """Follows a page in an empty folder, with a virtual environment that has what the page installs.

    Args:
        folder: a temporary folder.
        name: the name of the project's folder.
        wheel: the bridge's, which the page installs.
        cache: the folder for the packager's cache.
        find_cloud: starts ministack, for the first command that needs AWS.
    """

    def __init__(self, folder: Path, name: str, wheel: Path, cache: Path, find_cloud: Callable[[], Ministack]) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self._wheel, self._cache, self._find_cloud = wheel, cache, find_cloud
        self.venv = folder / "venv"
        self._port = _free_port()
        self._server: subprocess.Popen[str] | None = None
        self._server_output = folder / "server"
        self._output = ""

    def environment(self) -> dict[str, str]:
        variables = environment(PYTHONUNBUFFERED="1", XDG_CACHE_HOME=str(self._cache))
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

    def _follow_example(self, block: Block) -> None:
        shutil.copytree(EXAMPLES / block.argument, self.folder, dirs_exist_ok=True)

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
            return f"{word} @ {self._wheel.as_uri()}"
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
        cloud = self._find_cloud()
        commands = block.text.replace("bridge deploy", f"bridge deploy {_TARGET}")
        commands = re.sub(r"(bridge \w+)", rf"\1 --endpoint-url {cloud.url}", commands)
        state = {"XDG_STATE_HOME": str(self.folder.parent / "state")}
        self._follow_run(block._replace(text=commands), **CREDENTIALS, **NO_AWS_CONFIG, **state)
        if "bridge deploy" in commands:
            url = self._output.splitlines()[-1]
            with FrontDoor(url.rstrip("/")).client(cloud) as client:
                assert client.get("").status_code < 500

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the bridge."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, wheel: Path, cache: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def find_cloud() -> Ministack:
        if HOST is None:
            pytest.skip("Lambda has no processors of this architecture")
        cloud: Ministack = request.getfixturevalue("ministack")
        return cloud

    with contextlib.closing(Reader(tmp_path, page.stem.lower(), wheel, cache, find_cloud)) as reader:
        for block in RUN[page]:
            reader.follow(block)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
