"""The WSGI examples call and are called as PEP 3333 demands, in Lambda and as ASGI applications behind a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import httpx
import pytest

import bridge
from bridge.dev.cli.server.wsgi_server import WsgiServer
from bridge.dev.gateway import FRONT_DOORS
from tests.examples.applications import ALL_EXAMPLES, VARIANTS, WSGI, Example, Variant, load, pair
from tests.examples.conftest import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.examples.conftest import Handlers

REQUESTS = [
    ("GET", "/", 200),
    ("HEAD", "/", 200),
    ("GET", "/echo/a%20b?x=1&x=&y", 200),
    ("POST", "/echo", 200),
    ("GET", "/items/gr%C3%BCn", 200),
    ("GET", "/items/nothing", 404),
    ("DELETE", "/items/nothing", 204),
    ("GET", "/image", 200),
    ("GET", "/stream", 200),
    ("GET", "/latin1", 200),
    ("GET", "/error", 500),
]

each_example = pytest.mark.parametrize(
    "example", [example for example in ALL_EXAMPLES if example.interface == "wsgi"], ids=lambda example: example.name
)


def validated(app: Any) -> Callable[[Any, Any], Any]:
    """Wrap *app* in the standard library's validator, which checks both sides and that ``close()`` is called."""

    def without_extension(environ: dict[str, Any], start_response: Any) -> Any:
        # With it Werkzeug calls read() without a size, which the validator refuses.
        del environ["wsgi.input_terminated"]
        return app(environ, start_response)

    checked = validator(without_extension)

    def validated_app(environ: dict[str, Any], start_response: Any) -> Any:
        return checked(environ, start_response)

    return validated_app


@pytest.mark.parametrize(("variant", "source"), pair(WSGI, [*FRONT_DOORS]), ids=str)
def test_the_validator_of_the_standard_library_finds_no_fault(
    variant: Variant, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_handler = bridge.wsgi_handler if variant.handler == "wsgi" else bridge.asgi_handler
    handler = make_handler(validated(load(variant.example)))
    client = client_of(handler, source)
    for method, target, status in REQUESTS:
        body = b"\0\xff" if method == "POST" else b""
        assert client.request(method, target, content=body).status_code == status, (method, target)
    etag = client.get("/image").headers["etag"]
    assert client.get("/image", headers={"if-none-match": etag}).status_code == 304
    assert client.post("/upload", files={"file": ("tea.bin", b"\0\xff" * 1000)}).status_code == 200
    assert client.post("/login", data={"name": "Ann"}, follow_redirects=True).json() == {"name": "Ann", "theme": "dark"}
    handler.close()
    assert "AssertionError" not in caplog.text


def asgi_client(example: Example, root_path: str = "") -> httpx.AsyncClient:
    """Return a client of the example as an ASGI application; a failing one answers 500 behind a server."""
    app = WsgiServer(load(example))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="https://shop.example.com:8443")


@each_example
async def test_a_wsgi_application_is_served_by_an_asgi_server(example: Example) -> None:
    async with asgi_client(example) as client:
        assert (await client.get("/image")).content == example.image
        assert (await client.get("/stream")).text == "cup 1\ncup 2\ncup 3\ncup 4\ncup 5\n"
        assert (await client.get("/latin1")).text == "Grüße, señor, ça va ?"
        assert (await client.head("/")).content == b""
        assert (await client.get("/error")).status_code == 500
        assert (await client.delete("/items/nothing")).status_code == 204
        upload = await client.post("/upload", files={"file": ("tea.bin", b"\0\xff" * 100)})
        assert (upload.json()["filename"], upload.json()["size"]) == ("tea.bin", 200)
        answer = await client.post("/login", data={"name": "Jörg"}, follow_redirects=True)
        assert answer.json() == {"name": "Jörg", "theme": "dark"}


@each_example
async def test_a_wsgi_application_behind_an_asgi_server_writes_urls_below_its_root_path(example: Example) -> None:
    async with asgi_client(example, root_path="/prod") as client:
        for path in ("/items/sencha", "/items/gr%C3%BCn"):
            answer = await client.get(f"/prod{path}")
            assert answer.json()["url"] == f"https://shop.example.com:8443/prod{path}"
        echo = (await client.get("/prod/echo/caf%C3%A9%2Fa%20b?x=&x=1")).json()
        assert (echo["root_path"], echo["path"]) == ("/prod", "/echo/café/a b")
        assert sorted(echo["query"]) == [["x", ""], ["x", "1"]]


@pytest.mark.parametrize("path", ["/", "/stream", "/image", "/error", "/items/nothing"])
@pytest.mark.parametrize("variant", [each for each in VARIANTS if each.example.name.startswith("django")], ids=str)
def test_django_sends_request_finished_once_for_each_request(variant: Variant, path: str, handlers: Handlers) -> None:
    """Django sends the signal when the response's ``close()`` is called."""
    from django.core.signals import request_finished

    senders = []

    def receive(**signal: Any) -> None:
        senders.append(signal["sender"])

    request_finished.connect(receive)
    try:
        client_of(handlers.get(variant), "alb").get(path)
    finally:
        request_finished.disconnect(receive)
    assert len(senders) == 1
