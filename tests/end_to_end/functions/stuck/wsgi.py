"""Ways in which a WSGI application gets stuck."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import bridge

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment


def in_sleep() -> None:
    time.sleep(60)


def in_a_loop() -> None:
    while True:
        pass


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/in_sleep":
        in_sleep()
    if environ["PATH_INFO"] == "/in_a_loop":
        in_a_loop()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [str(os.getpid()).encode()]


handler = bridge.wsgi_handler(app)
