"""The reloader of ``bridge serve``: restarts when code changes, also after a broken save, without losing requests."""

from __future__ import annotations

import functools
import html
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.dev.gateway.processes import is_alive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dev.cli.serve_process import ServeProcess

    Serve = Callable[..., ServeProcess]

pytestmark = pytest.mark.slow

APP = """
import os, time
def app(environ, start):
    if environ["PATH_INFO"] == "/hang":
        time.sleep(3600)
    start("200 OK", [])
    return [{word!r}.encode() + os.environ.get("COLOUR", "").encode()]
"""


@pytest.fixture
def serve(serve: Serve) -> Serve:
    """Without bytecode, which Python reuses for a file of the same size that was changed within the same second."""
    return functools.partial(serve, PYTHONDONTWRITEBYTECODE="1")


def test_a_change_restarts_the_server(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    server = serve("app:app")
    assert server.client.get("/").text == "one"
    (tmp_path / "app.py").write_text(APP.format(word="two"))
    server.wait_for_stderr(r"^app\.py changed; restarting$")
    server.wait_for_stderr("^Serving ", times=2)
    assert server.client.get("/").text == "two"
    server.press_ctrl_c()
    assert server.wait() == 0


def test_without_an_application_only_the_project_is_watched(serve: Serve, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "app.py").write_text(APP.format(word="one"))
    (project / "pyproject.toml").write_text('[tool.bridge]\napp = "app:app"\n')
    server = serve(folder=project)
    (tmp_path / "other.py").write_text("")
    (project / "app.py").write_text(APP.format(word="two"))
    server.wait_for_stderr(r"^app\.py changed; restarting$")
    server.wait_for_stderr("^Serving ", times=2)
    assert "other.py" not in server.stderr
    server.press_ctrl_c()
    assert server.wait() == 0


BROKEN = {
    "syntax": ("def app(:\n", "SyntaxError: "),
    "import": ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    "exit": ("import sys\nsys.exit('enough')\n", "SystemExit: enough"),
    "gone": ("import os\nos._exit(7)\n", "bridge: The application exited with status 7"),
    "name": ("application = 1\n", "bridge: 'app:app'"),
    "lifespan": (
        "async def app(scope, receive, send):\n    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no tea'})\n    raise RuntimeError('no tea')\n",
        "RuntimeError: no tea",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_save_is_reported_and_served_until_the_next(serve: Serve, tmp_path: Path, kind: str) -> None:
    broken, message = BROKEN[kind]
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    server = serve("app:app")
    (tmp_path / "app.py").write_text(broken)
    server.wait_for_stderr(r"^The next change of code restarts the server \(press Ctrl-C to stop\)\.$")
    assert server.stderr.count(message) == 1
    answer = server.client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    assert message in answer.text
    server.wait_for_stdout("^GET / 503 ")
    page = server.client.get("/", headers={"accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert html.escape(message) in page.text
    (tmp_path / "app.py").write_text(APP.format(word="repaired"))
    server.wait_for_stderr("^Serving ", times=2)
    assert server.client.get("/").text == "repaired"
    assert server.stderr.count("The next change of code") == 1


def test_without_the_debugger_clients_do_not_see_the_error(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    server = serve("app:app", "--no-debugger")
    (tmp_path / "app.py").write_text("def app(:\n")
    server.wait_for_stderr("^The next change of code")
    answer = server.client.get("/")
    assert answer.status_code == 503
    assert answer.text == "The application cannot be served; see the log of bridge serve.\n"
    server.press_ctrl_c()
    assert server.wait() == 0


def test_a_change_of_the_env_file_restarts_the_server(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="tea "))
    (tmp_path / ".env").write_text("COLOUR=green\n")
    server = serve("app:app", "--env-file", ".env")
    assert server.client.get("/").text == "tea green"
    (tmp_path / ".env").write_text("COLOUR=black\n")
    server.wait_for_stderr("^Serving ", times=2)
    assert server.client.get("/").text == "tea black"


def test_an_application_outside_the_project_is_watched(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "app.py").write_text(APP.format(word="one"))
    server = serve(f"{elsewhere}/app.py:app")
    (elsewhere / "app.py").write_text(APP.format(word="two"))
    server.wait_for_stderr("^Serving ", times=2)
    assert server.client.get("/").text == "two"


def test_a_restart_loses_no_request(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    server = serve("app:app")
    answers: list[str] = []
    enough = threading.Event()

    def send_requests() -> None:
        # A connection for each: during the restart they wait in the listener's queue.
        while not enough.is_set():
            answers.append(httpx.get(server.url, trust_env=False, timeout=30).text)

    client = threading.Thread(target=send_requests)
    client.start()
    (tmp_path / "app.py").write_text(APP.format(word="two"))
    server.wait_for_stderr("^Serving ", times=2)
    while "two" not in answers and client.is_alive():
        time.sleep(0.02)
    enough.set()
    client.join()
    assert set(answers) <= {"one", "two"}
    assert answers[-1] == "two"


def test_a_request_that_hangs_delays_the_restart_only_briefly(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    server = serve("app:app")
    hanging = threading.Thread(target=_get_without_response, args=(server.url + "/hang",))
    hanging.start()
    server.client.get("/")
    (tmp_path / "app.py").write_text(APP.format(word="two"))
    server.wait_for_stderr("^Serving ", times=2)
    assert server.client.get("/").text == "two"
    server.kill()
    hanging.join()


def _get_without_response(url: str) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(url, trust_env=False, timeout=30)


def test_the_child_ends_when_the_parent_is_killed(serve: Serve, tmp_path: Path) -> None:
    text = "import os\ndef app(environ, start):\n    start('200 OK', [])\n    return [str(os.getpid()).encode()]\n"
    (tmp_path / "app.py").write_text(text)
    server = serve("app:app")
    child = int(server.client.get("/").text)
    assert child != server.process.pid
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    until = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(child)
