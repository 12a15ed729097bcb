"""https, with a certificate made for it or one's own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_ssl_devcert

from tests.dev.cli.serve_process import ASGI, Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Served]

pytestmark = pytest.mark.slow


def test_an_ad_hoc_certificate_serves_https_and_is_gone_afterwards(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "app.py").write_text(
        "def app(environ, start):\n    start('200 OK', [])\n    return [environ['wsgi.url_scheme'].encode()]\n"
    )
    served = serve("app:app", "--ssl-adhoc", TMPDIR=str(tmp_path / "tmp"))
    assert served.url.startswith("https://")
    assert served.client.get("/").text == "https"
    kept = [file.read_bytes() for file in sorted(tmp_path.glob("tmp/bridge-*/*"))]
    assert len(kept) == 2
    (tmp_path / "app.py").touch()
    (tmp_path / "other.py").write_text("")
    served.said("^Serving ", times=2)
    # Started again with the same one: a browser asks but once whether to trust it.
    assert [file.read_bytes() for file in sorted(tmp_path.glob("tmp/bridge-*/*"))] == kept
    served.ctrl_c()
    assert served.status() == 0
    assert list(tmp_path.glob("tmp/bridge-*")) == []


@pytest.mark.parametrize(
    ("certfile", "keyfile"), [("--ssl-certfile", "--ssl-keyfile"), ("--ssl-pub", "--ssl-pri")], ids=["", "sls"]
)
def test_ones_own_certificate_is_the_one_that_clients_see(
    serve: Serve, tmp_path: Path, certfile: str, keyfile: str
) -> None:
    certificate, key = make_ssl_devcert(str(tmp_path / "own"), host="localhost")
    served = serve(ASGI, "--no-reload", certfile, certificate, keyfile, key)
    command = ["curl", "-sS", "-m", "20", "--cacert", certificate, f"{served.url}/tea"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b'"path": "/tea"' in done.stdout
    served.printed("^GET /tea 200 ")
