"""The applications in ``examples/``, loaded as in a deployed function, and the handlers that serve them."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import bridge
from bridge.loading import find_application

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.settings import Options

First = TypeVar("First")
Second = TypeVar("Second")

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """One tea shop.

    Attributes:
        name: its framework.
        path: the application, as ``BRIDGE_APP`` names it in ``examples/``.
        interface: the application's interface.
    """

    name: str
    path: str
    interface: Literal["wsgi", "asgi"]

    @property
    def folder(self) -> Path:
        """The folder that is the function's code."""
        return EXAMPLES / self.path.partition("/")[0]

    @property
    def image(self) -> bytes:
        """The content of ``/image``."""
        return next(self.folder.rglob("tea.png")).read_bytes()


ALL_EXAMPLES = (
    Example("bottle", "bottle/app:app", "wsgi"),
    Example("django-wsgi", "django/teashop.wsgi:application", "wsgi"),
    Example("falcon", "falcon/app:app", "wsgi"),
    Example("flask", "flask/app:app", "wsgi"),
    Example("pyramid", "pyramid/app:app", "wsgi"),
    Example("django-asgi", "django/teashop.asgi:application", "asgi"),
    Example("fastapi", "fastapi/app:app", "asgi"),
    Example("litestar", "litestar/app:app", "asgi"),
    Example("quart", "quart/app:app", "asgi"),
    Example("starlette", "starlette/app:app", "asgi"),
)


@dataclass(frozen=True)
class Variant:
    """An example behind one of the handlers that serve its interface."""

    example: Example
    handler: Literal["wsgi", "wsgi-on-event-loop", "asgi"]

    def __str__(self) -> str:
        return self.example.name if self.handler == self.example.interface else f"{self.example.name}-on-event-loop"

    def make_handler(self, **options: Any) -> bridge.Handler:
        """Return a new handler."""
        app = load(self.example)
        typed: Options = options  # type: ignore[assignment]
        return bridge.wsgi_handler(app, **typed) if self.handler == "wsgi" else bridge.asgi_handler(app, **typed)


ASGI = tuple(Variant(example, "asgi") for example in ALL_EXAMPLES if example.interface == "asgi")
WSGI = tuple(
    Variant(example, handler)
    for example in ALL_EXAMPLES
    if example.interface == "wsgi"
    for handler in ("wsgi", "wsgi-on-event-loop")
)
VARIANTS = WSGI + ASGI


def pair(first: Sequence[First], second: Sequence[Second], shift: int = 0) -> list[tuple[First, Second]]:
    """Pair every item of *first* with one of *second*, another one for each *shift* below ``len(second)``."""
    return [(item, second[(index + shift) % len(second)]) for index, item in enumerate(first)]


@cache
def load(example: Example) -> Any:
    """Import the application; ``app``, the name of most examples' module, is free again afterwards."""
    path = list(sys.path)
    with warnings.catch_warnings():
        # Pyramid and WebOb, while they are imported
        warnings.filterwarnings("ignore", "'cgi' is deprecated|pkg_resources is deprecated|Deprecated call to `pkg_res")
        app = find_application(example.path, str(EXAMPLES))
    sys.path[:] = path
    if "app" in sys.modules:
        sys.modules[f"{example.name}_app"] = sys.modules.pop("app")
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # set by Django's examples; other tests' processes would inherit it
    return app
