"""Package indexes and wheels for the tests of requirements."""

from __future__ import annotations

import base64
import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


def make_wheel(
    folder: Path, name: str, version: str, *, tag: str = "py3-none-any", requires: tuple[str, ...] = ()
) -> Path:
    """Write a wheel whose module has the version as ``VERSION``, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name.replace('-', '_')}-{version}-{tag}.whl"
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents = {
        f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {each}\n" for each in requires),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in contents) + f"{info}/RECORD,,\n"
    with ZipFile(file, "w") as archive:
        for path, text in {**contents, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return file


def sha256(file: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


class Index:
    """An index with the packages that tests add to it, and no others; a context manager.

    Args:
        folder: an empty folder for its files.
        credentials: ``"user:password"`` if it requires them.
    """

    def __init__(self, folder: Path, credentials: str | None = None) -> None:
        expected = credentials and f"Basic {base64.b64encode(credentials.encode()).decode()}"
        index = self
        self.requests: list[str] = []

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def do_GET(self) -> None:
                if expected and self.headers["Authorization"] != expected:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", "Basic")
                    self.end_headers()
                    return
                index.requests.append(self.path)
                super().do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._server = folder, ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"

    def add(self, name: str, version: str, **options: Any) -> Path:
        """Add a wheel, and return its path."""
        wheel = make_wheel(self._folder / "simple" / name, name, version, **options)
        return self._list(wheel)

    def add_file(self, name: str, file: Path) -> Path:
        """Add a copy of a file, and return its path."""
        copy = self._folder / "simple" / name / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
        return self._list(copy)

    def url(self, credentials: str | None = None) -> str:
        """Return the URL of the index."""
        return f"http://{f'{credentials}@' if credentials else ''}{self.host}/simple/"

    def _list(self, file: Path) -> Path:
        links = [
            f'<a href="{each.name}#sha256={sha256(each)}">{each.name}</a>\n'
            for each in sorted(file.parent.iterdir())
            if each.name != "index.html"
        ]
        (file.parent / "index.html").write_text(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>")
        return file

    def __enter__(self) -> Index:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
