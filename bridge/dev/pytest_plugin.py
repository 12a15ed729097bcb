"""The pytest fixture ``bridge_client``: an httpx client of a Lambda handler behind a front door.

``pip install 'serverless-bridge[test]'`` installs it with httpx.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx


@pytest.fixture
def bridge_client() -> Iterator[Callable[..., httpx.Client]]:
    """Return a function that makes an ``httpx.Client`` of an application or a handler.

    ::

        def test_the_login_page(bridge_client):
            client = bridge_client(app, source="alb")
            assert client.get("/login").status_code == 200

    Its arguments are a WSGI or ASGI application or a Lambda handler; ``source``, the front door; and the fields of
    :class:`bridge.dev.gateway.FrontDoorConfig`, which configure the front door. Clients, and the lifespans of
    applications, end with the test.
    """
    try:
        import httpx
    except ImportError:
        pytest.fail("The fixture bridge_client needs httpx: pip install 'serverless-bridge[test]'", pytrace=False)
    from dataclasses import fields

    from bridge.dev.gateway.httpx_transport import HandlerTransport
    from bridge.dev.gateway.models import FrontDoorConfig
    from bridge.handlers import Handler
    from bridge.handlers import handler as handler_for
    from bridge.interface_detection import is_lambda_handler

    door_fields = [field.name for field in fields(FrontDoorConfig)]
    with contextlib.ExitStack() as stack:

        def make_client(app_or_handler: Any, source: str = "http-api", **door: Any) -> httpx.Client:
            if unknown := [name for name in door if name not in door_fields]:
                raise TypeError(
                    f"bridge_client() has no argument {unknown[0]!r}. Its arguments are the application or handler, "
                    f"source, {', '.join(door_fields)}."
                )
            handler = app_or_handler
            if not isinstance(handler, Handler) and not is_lambda_handler(handler):
                handler = handler_for(app_or_handler)
                stack.callback(handler.close)
            transport = HandlerTransport(handler, source, **door)
            return stack.enter_context(httpx.Client(transport=transport, base_url="https://testserver"))

        yield make_client
