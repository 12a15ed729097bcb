"""The second address of ``bridge serve``."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess, run
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., ServeProcess]


def recorded(server: ServeProcess) -> list[dict[str, Any]]:
    """Return the requests that the inspector shows."""
    requests: list[dict[str, Any]] = server.inspect("/api/requests").json()
    return requests


def events_url(server: ServeProcess) -> str:
    return f"{server.inspector}/events?token={server.inspector_link.partition('#token=')[2]}"


def test_the_inspector_shows_requests_of_the_front_door_only(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload")
    server.client.get("/one")
    assert httpx.get(f"{server.inspector}/").status_code == 200
    assert [each["target"] for each in recorded(server)] == ["/one"]


def test_the_front_door_has_nothing_of_the_inspector(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload")
    host = server.inspector.removeprefix("http://")
    for path in ("/api/requests", "/events", "/inspector.js"):
        response = server.client.get(path, headers={"host": host})
        assert "x-bridge" not in response.text
        assert "content-security-policy" not in response.headers
    assert [each["target"] for each in recorded(server)] == ["/api/requests", "/events", "/inspector.js"]


def test_the_inspector_listens_on_the_loopback_interface_only(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload", "--host", "0.0.0.0")
    port = int(server.inspector.rpartition(":")[2])
    sockets = Path("/proc/net/tcp")
    if sockets.exists():  # on Linux
        rows = [line.split() for line in sockets.read_text().splitlines()[1:]]
        addresses = [row[1] for row in rows if row[3] == "0A"]  # those that listen
        assert [address for address in addresses if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    own = socket.gethostbyname(socket.gethostname())
    if not own.startswith("127."):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((own, port), timeout=5)


def test_requests_for_another_host_are_refused(serve: Serve) -> None:
    server = serve(WSGI, "--no-reload")
    port = server.inspector.rpartition(":")[2]
    response = httpx.get(f"{server.inspector}/api/requests", headers={"host": f"rebinding.example:{port}"})
    assert response.status_code == 403


@pytest.mark.parametrize("arguments", [("--no-inspector",), ("--plain",)])
def test_there_is_no_second_address_without_an_inspector(serve: Serve, arguments: tuple[str, ...]) -> None:
    server = serve(WSGI, "--no-reload", *arguments)
    server.client.get("/")
    assert "Inspector" not in server.stderr


def test_pyproject_turns_the_inspector_off(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.bridge]\ninspector = false\n")
    assert "Inspector" not in serve(WSGI, "--no-reload").stderr


def test_the_port_is_that_of_the_front_door_and_10000_if_it_is_free(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if port + 10_000 > 65_535:
        port -= 20_000
    with ServeProcess(tmp_path, WSGI, "--no-reload", port=port) as server:
        assert server.inspector == f"http://localhost:{port + 10_000}"


def test_the_inspector_outlives_a_restart_at_the_same_address_with_its_requests(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'one']\n"
    )
    server = serve("app:app")
    server.client.get("/before")
    address = server.inspector
    (tmp_path / "app.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'three']\n"
    )
    server.wait_for_stderr(r"^Serving .* at ", times=2)
    assert server.inspector == address
    assert [each["target"] for each in recorded(server)] == ["/before"]
    answer = server.inspect("/api/requests/1/replay", "POST")
    deadline = time.monotonic() + 10
    while len(requests := recorded(server)) < 2 or not requests[1]["isOver"]:
        assert time.monotonic() < deadline
    assert answer.json() == {"number": 2}
    view = server.inspect("/api/requests/2").json()
    assert view["panels"]["answer"]["body"]["text"] == "three"


def test_the_inspector_is_there_while_the_application_is_broken(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'one']\n"
    )
    server = serve("app:app")
    server.client.get("/before")
    (tmp_path / "app.py").write_text("def app(:\n")
    server.wait_for_stderr("The next change of code restarts")
    assert httpx.get(f"{server.inspector}/").status_code == 200
    assert [each["target"] for each in recorded(server)] == ["/before"]


def test_a_page_that_is_open_does_not_delay_the_shutdown(serve: Serve) -> None:
    server = serve(ASGI, "--no-reload")
    with httpx.stream("GET", events_url(server), timeout=20) as response:
        next(response.iter_lines())
        start = time.monotonic()
        server.press_ctrl_c()
        assert server.wait() == 0
        assert time.monotonic() - start < 5


@pytest.mark.slow
def test_processes_and_cold_starts_are_shown(serve: Serve) -> None:
    app = f"{EXAMPLES / 'flask' / 'app.py'}:app"
    server = serve(app, "--no-reload", "--runtime")
    server.client.get("/")
    server.client.get("/")
    cold, warm = recorded(server)
    assert cold["process"]["is_cold_start"]
    assert cold["process"]["waited"] > 0
    assert not warm["process"]["is_cold_start"]
    view = server.inspect("/api/requests/1").json()
    assert dict(view["panels"]["scope"]["fields"])["path"] == "/"
    assert "separate process" in view["missing"]["response"]
    with httpx.stream("GET", events_url(server), timeout=20) as response:
        lines = response.iter_lines()
        next(lines)
        processes = json.loads(next(lines).removeprefix("data: "))["processes"]
    assert [event["state"] for event in processes][:2] == ["starting", "up"]
    assert max(event["in_flight"] for event in processes) == 1


@pytest.mark.slow
def test_a_stream_has_a_timeline_of_its_chunks(serve: Serve) -> None:
    app = f"{EXAMPLES / 'streaming' / 'app.py'}:app"
    options = ("--runtime", "--source", "function-url", "--response-mode", "stream")
    server = serve(app, "--no-reload", *options)
    server.client.get("/events?count=3&seconds=0.1")
    (summary,) = recorded(server)
    assert (summary["encoding"], summary["isOver"]) == ("stream", True)
    chunks = server.inspect("/api/requests/1").json()["chunks"]
    assert sum(chunk["size"] for chunk in chunks) == summary["size"]
    assert chunks[-1]["seconds"] - chunks[0]["seconds"] > 0.1


def test_the_option_is_in_the_help(tmp_path: Path) -> None:
    assert "--no-inspector" in run(tmp_path, "serve", "--help")[1]
