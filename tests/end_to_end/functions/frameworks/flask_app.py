"""The routes of the applications in this folder in Flask."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, make_response, redirect, request, send_file, stream_with_context

import bridge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Response as WerkzeugResponse

app = Flask(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True  # lets the bridge handle exceptions


@app.get("/about")
def about() -> dict[str, Any]:
    current = bridge.current_request()
    assert current is not None
    logging.getLogger("about").warning("about: called")
    return {"process": os.getpid(), "request_id": current.request_id}


@app.get("/text")
def text() -> str:
    return "Grüße"


@app.post("/reverse")
def reverse() -> Response:
    return Response(request.get_data()[::-1], mimetype="application/octet-stream")


@app.get("/cookies")
def cookies() -> Response:
    response = make_response("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


@app.get("/redirect")
def redirect_to_text() -> WerkzeugResponse:
    return redirect("/text", 303)


@app.get("/nothing")
def nothing() -> tuple[str, int]:
    return "", 204


@app.get("/unchanged")
def unchanged() -> tuple[str, int, dict[str, str]]:
    return "", 304, {"ETag": '"1"'}


@app.get("/empty")
def empty() -> str:
    return ""


@app.get("/stream")
def stream() -> Response:
    def parts() -> Iterator[str]:
        for word in ("one", "two", request.args["last"]):
            yield f"{word}\n"

    return Response(stream_with_context(parts()), mimetype="text/plain")


@app.get("/events")
def events() -> Response:
    return Response((f"data: {number}\n\n" for number in range(3)), mimetype="text/event-stream")


@app.get("/file")
def file() -> Response:
    return send_file(__file__, mimetype="text/x-python")


@app.get("/early")
def early() -> str:
    raise RuntimeError("failed early")


@app.get("/middle")
def middle() -> Response:
    def parts() -> Iterator[str]:
        yield "one\n"
        raise RuntimeError("failed in the middle")

    return Response(parts(), mimetype="text/plain")
