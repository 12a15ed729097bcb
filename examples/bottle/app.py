"""A tea shop with Bottle."""

import hashlib
import os
import time
from pathlib import Path
from urllib.parse import quote, urljoin

from bottle import Bottle, HTTPResponse, SimpleTemplate, abort, redirect, request, response, static_file

app = Bottle()

SECRET = os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment")
ITEMS = {"sencha": "Sencha", "earl-grey": "Earl Grey", "grün": "Grüner Tee"}

PAGE = SimpleTemplate("""<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{{ get_url('image') }}" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>
% for item_id, name in items.items():
<li><a href="{{ url_of_item(item_id) }}">{{ name }}</a></li>
% end
</ul>
<form method="post" action="{{ get_url('login') }}"><input name="name"><button>Log in</button></form>
""")


def url_of_item(item_id):
    return urljoin(request.url, quote(app.get_url("item", item_id=item_id)))  # get_url() does not percent-encode


@app.get("/")
def home():
    return PAGE.render(items=ITEMS, get_url=app.get_url, url_of_item=url_of_item)


@app.route("/echo", method=["GET", "POST"])
@app.route("/echo/<rest:path>", method=["GET", "POST"])
def echo(rest=""):
    body = request.body.read()
    return {
        "method": request.method,
        "path": request.path,
        "root_path": request.script_name.rstrip("/"),
        "query": list(request.query.decode().allitems()),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "cookies": dict(request.cookies),
        "body": {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()},
    }


@app.get("/items/<item_id>", name="item")
def item(item_id):
    if item_id not in ITEMS:
        abort(404, "No such tea.")
    return {"id": item_id, "name": ITEMS[item_id], "url": url_of_item(item_id)}


@app.delete("/items/<item_id>")
def remove(item_id):
    ITEMS.pop(item_id, None)
    return HTTPResponse(status=204)


@app.post("/login", name="login")
def login():
    response.set_cookie("session", request.forms.decode()["name"], secret=SECRET, httponly=True)
    response.set_cookie("theme", "dark", max_age=3600)
    redirect(app.get_url("me"), 303)


@app.get("/me", name="me")
def me():
    name = request.get_cookie("session", secret=SECRET)
    if name is None:
        abort(401, "You are not logged in.")
    return {"name": name, "theme": request.get_cookie("theme")}


@app.post("/upload")
def upload():
    file = request.files["file"]
    content = file.file.read()
    return {"filename": file.raw_filename, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@app.get("/image", name="image")
def image():
    return static_file("tea.png", root=Path(__file__).parent)


@app.get("/stream")
def stream():
    response.content_type = "text/plain; charset=utf-8"
    for number in range(1, 6):
        yield f"cup {number}\n"
        time.sleep(0.001)


@app.get("/latin1")
def latin1():
    response.content_type = "text/plain; charset=iso-8859-1"
    return "Grüße, señor, ça va ?"


@app.get("/error")
def error():
    raise RuntimeError("This error is on purpose.")
