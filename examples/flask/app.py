"""A tea shop with Flask."""

import hashlib
import os
import time
from pathlib import Path

from flask import Flask, Response, abort, redirect, render_template_string, request, send_file, session, url_for

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment")

ITEMS = {"sencha": "Sencha", "earl-grey": "Earl Grey", "grün": "Grüner Tee"}

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{{ url_for('image') }}" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>
{% for item_id, name in items.items() %}<li><a href="{{ url_for('item', item_id=item_id) }}">{{ name }}</a></li>
{% endfor %}</ul>
<form method="post" action="{{ url_for('login') }}"><input name="name"><button>Log in</button></form>
"""


@app.get("/")
def home():
    return render_template_string(PAGE, items=ITEMS)


@app.route("/echo", methods=["GET", "POST"])
@app.route("/echo/<path:rest>", methods=["GET", "POST"])
def echo(rest=""):
    body = request.get_data()
    return {
        "method": request.method,
        "path": request.path,
        "root_path": request.root_path,
        "query": list(request.args.items(multi=True)),
        "headers": {name.lower(): value for name, value in request.headers},
        "cookies": request.cookies,
        "body": {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()},
    }


@app.get("/items/<item_id>")
def item(item_id):
    if item_id not in ITEMS:
        abort(404)
    return {"id": item_id, "name": ITEMS[item_id], "url": url_for("item", item_id=item_id, _external=True)}


@app.delete("/items/<item_id>")
def remove(item_id):
    ITEMS.pop(item_id, None)
    response = Response(status=204)
    del response.headers["Content-Type"]  # Flask sets text/html even without a body
    return response


@app.post("/login")
def login():
    session["name"] = request.form["name"]
    response = redirect(url_for("me"), 303)
    response.set_cookie("theme", "dark", max_age=3600)
    return response


@app.get("/me")
def me():
    if "name" not in session:
        abort(401)
    return {"name": session["name"], "theme": request.cookies.get("theme")}


@app.post("/upload")
def upload():
    file = request.files["file"]
    content = file.read()
    return {"filename": file.filename, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@app.get("/image")
def image():
    return send_file(Path(__file__).with_name("tea.png"))


@app.get("/stream")
def stream():
    def cups():
        for number in range(1, 6):
            yield f"cup {number}\n"
            time.sleep(0.001)

    return Response(cups(), mimetype="text/plain")


@app.get("/latin1")
def latin1():
    return Response("Grüße, señor, ça va ?".encode("iso-8859-1"), content_type="text/plain; charset=iso-8859-1")


@app.get("/error")
def error():
    raise RuntimeError("This error is on purpose.")
