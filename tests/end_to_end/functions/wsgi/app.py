"""A WSGI application with three handlers."""

from __future__ import annotations

import os
import sys

from flask import Flask, Response, make_response, request

import bridge

request_count = 0

app = Flask(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True  # lets the bridge handle exceptions


@app.route("/echo", methods=["GET", "POST"])
def echo() -> dict[str, object]:
    global request_count
    request_count += 1
    return {
        "process": os.getpid(),
        "requests": request_count,
        "method": request.method,
        "path": request.path,
        "query": request.query_string.decode(),
        "cookies": request.cookies,
        "body": request.get_data().hex(),
        "client": request.remote_addr,
        "user": request.remote_user,
        "request_id": request.environ["serverless.context"].aws_request_id,
    }


@app.post("/reverse")
def reverse() -> Response:
    return Response(request.get_data()[::-1], mimetype="application/octet-stream")


@app.get("/cookies")
def cookies() -> Response:
    response = make_response("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


@app.get("/long/<int:size>")
def long(size: int) -> Response:
    return Response(request.args.get("letter", "x") * size, mimetype="text/plain")


@app.get("/tex")
def tex() -> Response:
    return Response("\\TeX", mimetype="application/x-tex")


@app.get("/fail")
def fail() -> str:
    raise RuntimeError("failed on purpose")


@app.get("/exit")
def exit_process() -> str:
    sys.exit(3)


handler = bridge.wsgi_handler(app)
detected_handler = bridge.handler(app)
event_loop_handler = bridge.asgi_handler(app)
