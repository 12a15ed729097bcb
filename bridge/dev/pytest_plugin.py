"""The pytest fixture ``bridge_client``: an httpx client over a Lambda handler, through a front door.

It installs with ``serverless-bridge[test]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx


@pytest.fixture
def bridge_client() -> Iterator[Callable[..., httpx.Client]]:
    """Make an ``httpx.Client`` whose requests go through a front door to a handler.

    ::

        def test_the_login_page(bridge_client):
            client = bridge_client(handler, source="alb")
            assert client.get("/login").status_code == 200

    Its arguments: the handler, or a WSGI or ASGI application; the source; the front door's set-up, as
    :class:`bridge.dev.gateway.Door` has it. Clients, and the lifespans of applications, end with the test.
    """
    try:
        import httpx
    except ImportError:
        pytest.fail("The fixture bridge_client needs httpx: pip install 'serverless-bridge[test]'", pytrace=False)
    from dataclasses import fields

    from bridge.adapter import Handler
    from bridge.dev.gateway.httpx_transport import HandlerTransport
    from bridge.dev.gateway.models import Door
    from bridge.handlers import handler as handler_for
    from bridge.interfaces import is_lambda_handler

    opened: list[Any] = []
    known = [field.name for field in fields(Door)]

    def make(target: Any, source: str = "http-api", **door: Any) -> httpx.Client:
        if unknown := [name for name in door if name not in known]:
            raise TypeError(
                f"bridge_client() has no argument {unknown[0]!r}. Its arguments are the handler or application, "
                f"source, {', '.join(known)}."
            )
        if not isinstance(target, Handler) and not is_lambda_handler(target):
            target = handler_for(target)
            opened.append(target)
        client = httpx.Client(transport=HandlerTransport(target, source, **door), base_url="https://testserver")
        opened.append(client)
        return client

    yield make
    for item in reversed(opened):
        item.close()
