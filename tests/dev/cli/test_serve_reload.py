"""The reloader: start again when code changes, also after a broken save, and lose no request over it."""

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

    from tests.dev.cli.serve_process import Served

    Serve = Callable[..., Served]

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
    """Without bytecode: Python takes a module for unchanged that is changed within a second, and stays as long."""
    return functools.partial(serve, PYTHONDONTWRITEBYTECODE="1")


def test_a_change_starts_it_again(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    served = serve("app:app")
    assert served.client.get("/").text == "one"
    (tmp_path / "app.py").write_text(APP.format(word="two"))
    served.said(r"^app\.py changed: starting again$")
    served.said("^Serving ", times=2)
    assert served.client.get("/").text == "two"
    served.ctrl_c()
    assert served.status() == 0


def test_without_a_named_application_it_is_the_project_that_is_watched_and_not_what_lies_beside_it(
    serve: Serve, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "app.py").write_text(APP.format(word="one"))
    (project / "pyproject.toml").write_text('[tool.bridge]\napp = "app:app"\n')
    served = serve(folder=project)
    (tmp_path / "other.py").write_text("")
    (project / "app.py").write_text(APP.format(word="two"))
    served.said(r"^app\.py changed: starting again$")
    served.said("^Serving ", times=2)
    assert "other.py" not in served.err
    served.ctrl_c()
    assert served.status() == 0


BROKEN = {
    "syntax": ("def app(:\n", "SyntaxError: "),
    "import": ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    "exit": ("import sys\nsys.exit('enough')\n", "SystemExit: enough"),
    "gone": ("import os\nos._exit(7)\n", "bridge: the application has ended its process, with status 7"),
    "name": ("application = 1\n", "bridge: 'app:app'"),
    "lifespan": (
        "async def app(scope, receive, send):\n    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no tea'})\n    raise RuntimeError('no tea')\n",
        "RuntimeError: no tea",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_save_is_shown_and_mended_by_the_next(serve: Serve, tmp_path: Path, kind: str) -> None:
    broken, says = BROKEN[kind]
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    served = serve("app:app")
    (tmp_path / "app.py").write_text(broken)
    served.said(r"^The next change of code starts it again \(Ctrl-C ends\)\.$")
    assert served.err.count(says) == 1
    answer = served.client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    assert says in answer.text
    served.printed("^GET / 503 ")
    page = served.client.get("/", headers={"accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert html.escape(says) in page.text
    (tmp_path / "app.py").write_text(APP.format(word="mended"))
    served.said("^Serving ", times=2)
    assert served.client.get("/").text == "mended"
    assert served.err.count("The next change of code") == 1


def test_without_the_debugger_clients_do_not_see_what_is_wrong(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    served = serve("app:app", "--no-debugger")
    (tmp_path / "app.py").write_text("def app(:\n")
    served.said("^The next change of code")
    answer = served.client.get("/")
    assert answer.status_code == 503
    assert answer.text == "The application cannot be served; the log of bridge serve says why.\n"
    served.ctrl_c()
    assert served.status() == 0


def test_a_change_of_the_projects_files_counts_too(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="tea "))
    (tmp_path / ".env").write_text("COLOUR=green\n")
    served = serve("app:app", "--env-file", ".env")
    assert served.client.get("/").text == "tea green"
    (tmp_path / ".env").write_text("COLOUR=black\n")
    served.said("^Serving ", times=2)
    assert served.client.get("/").text == "tea black"


def test_an_application_elsewhere_is_watched_there(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "app.py").write_text(APP.format(word="one"))
    served = serve(f"{elsewhere}/app.py:app")
    (elsewhere / "app.py").write_text(APP.format(word="two"))
    served.said("^Serving ", times=2)
    assert served.client.get("/").text == "two"


def test_no_request_is_lost_while_it_starts_again(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    served = serve("app:app")
    answers: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():  # a connection each: those that wait for the next child are in the listener's queue
            answers.append(httpx.get(served.url, trust_env=False, timeout=30).text)

    asking = threading.Thread(target=ask)
    asking.start()
    (tmp_path / "app.py").write_text(APP.format(word="two"))
    served.said("^Serving ", times=2)
    while "two" not in answers and asking.is_alive():
        time.sleep(0.02)
    enough.set()
    asking.join()
    assert set(answers) <= {"one", "two"}
    assert answers[-1] == "two"


def test_a_request_that_hangs_does_not_keep_the_change_waiting_for_long(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(word="one"))
    served = serve("app:app")
    hanging = threading.Thread(target=_ask_in_vain, args=(served.url + "/hang",))
    hanging.start()
    served.client.get("/")
    (tmp_path / "app.py").write_text(APP.format(word="two"))
    served.said("^Serving ", times=2)
    assert served.client.get("/").text == "two"
    served.kill()
    hanging.join()


def _ask_in_vain(url: str) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(url, trust_env=False, timeout=30)


def test_the_child_does_not_outlive_a_parent_that_was_killed(serve: Serve, tmp_path: Path) -> None:
    text = "import os\ndef app(environ, start):\n    start('200 OK', [])\n    return [str(os.getpid()).encode()]\n"
    (tmp_path / "app.py").write_text(text)
    served = serve("app:app")
    child = int(served.client.get("/").text)
    assert child != served.process.pid
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    until = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(child)
