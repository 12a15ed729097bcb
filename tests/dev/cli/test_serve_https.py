"""https, with a temporary certificate or the user's own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_ssl_devcert

from tests.dev.cli.serve_process import ASGI, ServeProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., ServeProcess]

pytestmark = pytest.mark.slow


def test_a_temporary_certificate_serves_https_and_is_deleted(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "app.py").write_text(
        "def app(environ, start):\n    start('200 OK', [])\n    return [environ['wsgi.url_scheme'].encode()]\n"
    )
    server = serve("app:app", "--ssl-adhoc", TMPDIR=str(tmp_path / "tmp"))
    assert server.url.startswith("https://")
    assert server.client.get("/").text == "https"
    files = [file.read_bytes() for file in sorted(tmp_path.glob("tmp/bridge-*/*"))]
    assert len(files) == 2
    (tmp_path / "app.py").touch()
    (tmp_path / "other.py").write_text("")
    server.wait_for_stderr("^Serving ", times=2)
    # A restart keeps the certificate, so that a browser needs to trust it only once.
    assert [file.read_bytes() for file in sorted(tmp_path.glob("tmp/bridge-*/*"))] == files
    server.press_ctrl_c()
    assert server.wait() == 0
    assert list(tmp_path.glob("tmp/bridge-*")) == []


@pytest.mark.parametrize(
    ("certfile", "keyfile"), [("--ssl-certfile", "--ssl-keyfile"), ("--ssl-pub", "--ssl-pri")], ids=["", "sls"]
)
def test_clients_get_the_users_own_certificate(serve: Serve, tmp_path: Path, certfile: str, keyfile: str) -> None:
    certificate, key = make_ssl_devcert(str(tmp_path / "own"), host="localhost")
    server = serve(ASGI, "--no-reload", certfile, certificate, keyfile, key)
    command = ["curl", "-sS", "-m", "20", "--cacert", certificate, f"{server.url}/tea"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b'"path": "/tea"' in done.stdout
    server.wait_for_stdout("^GET /tea 200 ")
