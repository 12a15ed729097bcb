"""The results of every recorded event, through WSGI and ASGI, compared with the snapshots in ``tests/snapshots``.

A snapshot holds what the application receives and the payload that each of several responses becomes, with the
default options and with others. After an intended change: ``scripts/test tests/test_snapshots.py --update-snapshots``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge import BridgeError, asgi_handler, wsgi_handler
from tests.events import NAMES, load_event

FOLDER = Path(__file__).parent / "snapshots"
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "adjusted": {
        "base_path": "/shop",
        "strip_stage": True,
        "text_types": ["application/x-tex"],
        "exclude_headers": ["X-Secret"],
        "request_id_header": "X-Request-Id",
    },
}
HTML = ("Content-Type", "text/html; charset=utf-8")
# Status line, headers, body.
RESPONSES: dict[str, tuple[str, list[tuple[str, str]], bytes]] = {
    "text": ("200 OK", [HTML, ("Content-Length", "15")], "<p>Grüße</p>".encode()),
    "binary": ("200 OK", [("Content-Type", "image/png"), ("Cache-Control", "no-cache")], b"\x89PNG\r\n\x00\xff"),
    "json and a cookie": ("201 Created", [("content-type", "application/json"), ("Set-Cookie", "a=1; Path=/")], b"{}"),
    "redirect and two cookies": (
        "302 Found",
        [("Location", "/login?next=%2F"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Secure"), HTML],
        b"",
    ),
    "repeated headers": ("200 OK", [("Vary", "Accept"), ("vary", "Cookie"), ("Content-Type", "text/css")], b"a{}"),
    "content-encoding": ("200 OK", [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")], b"plain"),
    "other charset": ("200 OK", [("Content-Type", "text/plain; charset=iso-8859-1")], "Grüße".encode("latin-1")),
    "no content type": ("200 OK", [("X-Secret", "1"), ("X-Name", "Gr\u00c3\u00bc\u00c3\u009fe")], b"text"),
    "other text type": ("200 OK", [("Content-Type", "application/x-tex")], b"\\TeX"),
    "no content": ("204 No Content", [], b""),
    "unknown status": ("599 ", [("Content-Type", "text/plain")], b"?"),
}
# The server's own objects, which say nothing about the request.
NOT_OF_THE_REQUEST = ("wsgi.input", "wsgi.errors", "wsgi.file_wrapper", "serverless.event", "serverless.context")


class Context:
    """As much of Lambda's context as the bridge reads."""

    aws_request_id = "6c1f1f2e-7a53-4b0d-9d6e-3b7a4f0f3f21"


@pytest.mark.parametrize("name", NAMES)
def test_an_event_gives_what_its_snapshot_says(
    name: str, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_WEBSOCKET_ENDPOINT", "http://127.0.0.1:9/prod")  # where nothing listens
    found = json.loads(json.dumps({"wsgi": through(wsgi, name), "asgi": through(asgi, name)}))
    file = FOLDER / f"{name}.json"
    if pytestconfig.getoption("update_snapshots"):
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(file.read_text(encoding="utf-8"))


def through(interface: Any, name: str) -> dict[str, Any]:
    """What an application receives of the event, and the payload of each response, by set of options."""
    return {label: seen_and_payloads(interface, name, options) for label, options in OPTIONS.items()}


def seen_and_payloads(interface: Any, name: str, options: dict[str, Any]) -> dict[str, Any]:
    seen: list[Any] = []
    payloads = {}
    for label, response in RESPONSES.items():
        handler = interface(seen, response, options)
        payloads[label] = outcome(handler, name)
        for _ in range(2):  # later requests find what the first one has left in caches
            assert outcome(handler, name) == payloads[label]
    assert all(each == seen[0] for each in seen)
    return {"received": seen[0] if seen else None, "payloads": payloads}


def outcome(handler: Any, name: str) -> Any:
    try:
        return handler(load_event(name), Context())
    except BridgeError as error:
        return f"raises {type(error).__name__}"


def wsgi(seen: list[Any], response: Any, options: dict[str, Any]) -> Any:
    status, headers, body = response

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        received = {key: value for key, value in environ.items() if key not in NOT_OF_THE_REQUEST}
        seen.append(dict(sorted({**received, "body": environ["wsgi.input"].read().decode("latin-1")}.items())))
        start_response(status, list(headers))
        return [body]

    return wsgi_handler(app, **options)


def asgi(seen: list[Any], response: Any, options: dict[str, Any]) -> Any:
    status, headers, body = response

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = await receive()
        received = {key: readable(value) for key, value in scope.items() if not key.startswith(("aws.", "bridge."))}
        seen.append({**received, "body": request.get("body", b"").decode("latin-1")})
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        prefix = "websocket." if scope["type"] == "websocket" else ""  # refuses the connection with the response
        await send({"type": f"{prefix}http.response.start", "status": int(status[:3]), "headers": pairs})
        await send({"type": f"{prefix}http.response.body", "body": body})

    return asgi_handler(app, **{"lifespan": "off", **options})


def readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [readable(each) for each in value]
    return value
