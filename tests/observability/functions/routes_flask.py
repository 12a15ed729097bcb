"""Routes of the Flask applications of the tests."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import probe
from flask import Flask, Response
from shared import PARTIES, TIMEOUT, about, current_parent, log, logger

if TYPE_CHECKING:
    from collections.abc import Iterator

_barrier = threading.Barrier(PARTIES)


def add_to(app: Flask) -> None:
    @app.get("/tea/<name>")
    def tea(name: str) -> Any:
        with probe.span("brew", name):
            logger.warning("brewing %s", name)
        return about(name)

    @app.get("/plain/<name>")
    def plain(name: str) -> Any:
        log(name)
        return about(name)

    @app.get("/broken/<name>")
    def broken(name: str) -> Any:
        about(name)
        raise RuntimeError(f"no {name}")

    @app.get("/stream/<name>")
    def stream(name: str) -> Response:
        about(name)
        parent = current_parent()

        def parts() -> Iterator[str]:
            for number in range(3):
                with probe.span("pour", name, parent):
                    yield f"{name} {number}\n"

        return Response(parts(), mimetype="text/plain")

    @app.get("/together/<name>")
    def together(name: str) -> Any:
        _barrier.wait(TIMEOUT)
        with probe.span("brew", name):
            logger.warning("brewing %s", name)
            _barrier.wait(TIMEOUT)
        return about(name)
