"""URLs that an application writes lead back to it below a stage and below a base path."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from bridge.dev.gateway import FRONT_DOORS
from tests.examples.applications import VARIANTS, Variant, pair
from tests.examples.conftest import ORIGIN, client_of

if TYPE_CHECKING:
    import httpx

    from tests.examples.conftest import Handlers

STAGES = [("rest-api", "prod"), ("http-api", "prod"), ("http-api-v1", "prod"), ("http-api", "dev-1_x")]


def check_urls(client: httpx.Client, prefix: str) -> None:
    """Assert that every kind of URL begins with *prefix*."""
    for path in ("/items/sencha", "/items/gr%C3%BCn"):
        answer = client.get(path)
        assert answer.status_code == 200, answer
        url = answer.json()["url"]
        assert quote(url, safe=":/%") == f"{ORIGIN}{prefix}{path}"  # Starlette leaves the encoding to the client
    page = client.get("/").text
    assert f"{prefix}/items/earl-grey" in page
    assert f"{prefix}/login" in page
    echo = client.get("/echo/a%20b").json()
    assert (echo["root_path"], echo["path"]) == (prefix, "/echo/a b")
    profile = client.post("/login", data={"name": "Ann"}, follow_redirects=True)
    assert str(profile.url) == f"{ORIGIN}{prefix}/me"
    assert profile.json()["name"] == "Ann"


@pytest.mark.parametrize(("variant", "source"), pair(VARIANTS, [*FRONT_DOORS]), ids=str)
def test_urls_behind_a_front_door_without_a_stage(client: httpx.Client) -> None:
    check_urls(client, "")


@pytest.mark.parametrize(("variant", "api"), pair(VARIANTS, STAGES), ids=str)
def test_urls_below_a_stage(variant: Variant, api: tuple[str, str], handlers: Handlers) -> None:
    source, stage = api
    check_urls(client_of(handlers.get(variant), source, f"/{stage}", stage=stage), f"/{stage}")


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_urls_below_the_base_path_of_a_custom_domain_that_is_in_the_event(variant: Variant, handlers: Handlers) -> None:
    check_urls(client_of(handlers.get(variant), "rest-api", "/shop", base_path="/shop"), "/shop")


@pytest.mark.parametrize(("variant", "source"), pair(VARIANTS, [*FRONT_DOORS], 4), ids=str)
def test_urls_below_a_base_path_that_is_an_option(variant: Variant, source: str, handlers: Handlers) -> None:
    handler = handlers.get(variant, base_path="/shop/tea")
    check_urls(client_of(handler, source, "/shop/tea", base_path="/shop/tea"), "/shop/tea")
