"""Makes a picture of the inspector: serves an example, sends requests to it, and opens the page in Chromium.

Usage: scripts/screenshot [FILE]
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.dev.cli.serve_process import ServeProcess  # noqa: E402
from tests.dev.cli.webdriver import Chromium  # noqa: E402

APP = """
from flask import Flask, Response, jsonify, redirect, request

app = Flask(__name__)

TEAS = [{"id": 1, "name": "Sencha", "price": 7.5}, {"id": 2, "name": "Assam", "price": 6.0}]


@app.get("/")
def home():
    return "<h1>Tea shop</h1>"


@app.get("/teas")
def teas():
    return jsonify(TEAS)


@app.post("/orders")
def order():
    response = jsonify({"order": 1042, **request.get_json()})
    response.status_code = 201
    response.set_cookie("basket", "b2f9c1", httponly=True)
    response.headers["Connection"] = "close"
    return response


@app.get("/logo.png")
def logo():
    return Response(bytes(range(256)) * 12, mimetype="image/png")


@app.get("/old")
def old():
    return redirect("/teas")
"""
_SIZE = (1440, 1240)


def main() -> None:
    """Write the picture to the file that the command line names, or to docs/images."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "inspector.png"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(APP)
        options = ("--source", "rest-api", "--stage", "prod", "--binary-media-types", "image/*")
        with (
            ServeProcess(folder, "app:app", "--no-reload", "--no-debugger", *options, port=default_port()) as server,
            Chromium(folder) as browser,
        ):
            send_requests(server)
            browser.set_size(*_SIZE)
            browser.open(server.inspector_link)
            browser.open(f"{server.inspector}/#7")
            deadline = time.monotonic() + 10
            while not browser.run("return Boolean(document.getElementById('panel-answer'))"):
                if time.monotonic() > deadline:
                    sys.exit("scripts/screenshot: the inspector did not show the request.")
                time.sleep(0.05)
            time.sleep(1.2)  # the end of the animations
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(browser.screenshot())
    print(file)


def default_port() -> int:
    """Return the port that ``bridge serve`` has by default; 0 if it is in use, or if the picture is a test's."""
    if len(sys.argv) > 1:
        return 0
    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", 5000)) == 0 else 5000


def send_requests(server: ServeProcess) -> None:
    """Send requests of different kinds; the order is the seventh."""
    client = server.client
    client.headers["accept"] = "text/html"
    client.get("/prod/")
    client.get("/prod/teas")
    client.get("/prod/logo.png", headers={"accept": "image/png"})
    client.get("/prod/old")
    client.get("/prod/missing")
    client.get("/teas")
    headers = {"authorization": "Bearer eyJhbGciOiJIUzI1NiJ9", "cookie": "theme=dark; basket=b2f9c0"}
    client.post("/prod/orders", json={"tea": "Sencha", "grams": 200}, headers=headers)
    client.get("/prod/teas?sort=price")


if __name__ == "__main__":
    main()
