"""The WSGI examples as ASGI applications, for servers other than Lambda: the bridge's form of asgiref's WsgiToAsgi."""

from __future__ import annotations

import httpx
import pytest

from bridge.wsgi.on_event_loop import WsgiApplication
from tests.examples.shops import SHOPS, Shop, load

WSGI = [shop for shop in SHOPS if shop.interface == "wsgi"]


def client(shop: Shop, root_path: str = "") -> httpx.AsyncClient:
    """A client of the shop behind an ASGI server; a failing application gives 500 there."""
    transport = httpx.ASGITransport(WsgiApplication(load(shop)), raise_app_exceptions=False, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="https://shop.example.com:8443")


@pytest.mark.parametrize("shop", WSGI, ids=lambda shop: shop.name)
async def test_a_wsgi_application_is_served_by_an_asgi_server(shop: Shop) -> None:
    async with client(shop) as browser:
        assert (await browser.get("/image")).content == shop.image
        assert (await browser.get("/stream")).text == "cup 1\ncup 2\ncup 3\ncup 4\ncup 5\n"
        assert (await browser.get("/latin1")).text == "Grüße, señor, ça va ?"
        assert (await browser.head("/")).content == b""
        assert (await browser.get("/error")).status_code == 500
        assert (await browser.delete("/items/nothing")).status_code == 204
        upload = await browser.post("/upload", files={"file": ("tea.bin", b"\0\xff" * 100)})
        assert (upload.json()["filename"], upload.json()["size"]) == ("tea.bin", 200)
        answer = await browser.post("/login", data={"name": "Jörg"}, follow_redirects=True)
        assert answer.json() == {"name": "Jörg", "theme": "dark"}


@pytest.mark.parametrize("shop", WSGI, ids=lambda shop: shop.name)
async def test_a_wsgi_application_below_a_root_path_knows_it(shop: Shop) -> None:
    async with client(shop, root_path="/prod") as browser:
        for path in ("/items/sencha", "/items/gr%C3%BCn"):
            answer = await browser.get(f"/prod{path}")
            assert answer.json()["url"] == f"https://shop.example.com:8443/prod{path}"
        echo = (await browser.get("/prod/echo/caf%C3%A9%2Fa%20b?x=&x=1")).json()
        assert (echo["root_path"], echo["path"]) == ("/prod", "/echo/café/a b")
        assert sorted(echo["query"]) == [["x", ""], ["x", "1"]]
