"""The examples, each the same tea shop, and the ways in which the bridge calls them."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import bridge
from bridge.loading import find_application

if TYPE_CHECKING:
    from bridge.settings import Options

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Shop:
    """One example.

    Attributes:
        name: its framework.
        app: the application, as ``BRIDGE_APP`` has it.
        interface: which one it has.
    """

    name: str
    app: str
    interface: Literal["wsgi", "asgi"]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return EXAMPLES / self.app.partition("/")[0]

    @property
    def image(self) -> bytes:
        """What it shows at /image."""
        return next(self.folder.rglob("tea.png")).read_bytes()


SHOPS = (
    Shop("bottle", "bottle/app:app", "wsgi"),
    Shop("django-wsgi", "django/teashop.wsgi:application", "wsgi"),
    Shop("falcon", "falcon/app:app", "wsgi"),
    Shop("flask", "flask/app:app", "wsgi"),
    Shop("pyramid", "pyramid/app:app", "wsgi"),
    Shop("django-asgi", "django/teashop.asgi:application", "asgi"),
    Shop("fastapi", "fastapi/app:app", "asgi"),
    Shop("litestar", "litestar/app:app", "asgi"),
    Shop("quart", "quart/app:app", "asgi"),
    Shop("starlette", "starlette/app:app", "asgi"),
)


@dataclass(frozen=True)
class Way:
    """A shop, called in one of the ways that its interface allows."""

    shop: Shop
    call: Literal["wsgi", "wsgi-to-asgi", "asgi"]

    def __str__(self) -> str:
        return self.shop.name if self.call == self.shop.interface else f"{self.shop.name}-{self.call}"

    def handler(self, **options: Any) -> bridge.Handler:
        """A new handler."""
        app = load(self.shop)
        chosen: Options = options  # type: ignore[assignment]
        return bridge.wsgi_handler(app, **chosen) if self.call == "wsgi" else bridge.asgi_handler(app, **chosen)


WAYS = tuple(
    Way(shop, call) for shop in SHOPS for call in (("wsgi", "wsgi-to-asgi") if shop.interface == "wsgi" else ("asgi",))
)


@cache
def load(shop: Shop) -> Any:
    """The application of *shop*, found as in a deployed function, in which it is the only one called ``app``."""
    path = list(sys.path)
    with warnings.catch_warnings():
        # Pyramid and its WebOb, while they are imported
        warnings.filterwarnings("ignore", "'cgi' is deprecated|pkg_resources is deprecated|Deprecated call to `pkg_res")
        app = find_application(shop.app, str(EXAMPLES))
    sys.path[:] = path
    if "app" in sys.modules:
        sys.modules[f"{shop.name}_app"] = sys.modules.pop("app")
    return app
