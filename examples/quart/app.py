"""A tea shop with Quart."""

import asyncio
import hashlib
import os
import sqlite3
from pathlib import Path

from quart import (
    Quart,
    Response,
    abort,
    current_app,
    redirect,
    render_template_string,
    request,
    send_file,
    session,
    url_for,
)

app = Quart(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment")
app.logger.setLevel("INFO")

ITEMS = [("sencha", "Sencha"), ("earl-grey", "Earl Grey"), ("grün", "Grüner Tee")]

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{{ url_for('image') }}" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>
{% for item_id, name in items %}<li><a href="{{ url_for('item', item_id=item_id) }}">{{ name }}</a></li>
{% endfor %}</ul>
<form method="post" action="{{ url_for('login') }}"><input name="name"><button>Log in</button></form>
"""


@app.before_serving
async def open_database():
    app.database = sqlite3.connect(":memory:", check_same_thread=False)
    app.database.execute("create table items (id text primary key, name text)")
    app.database.executemany("insert into items values (?, ?)", ITEMS)


@app.after_serving
async def close_database():
    app.database.close()
    app.logger.info("The shop is closed.")


@app.get("/")
async def home():
    items = app.database.execute("select id, name from items")
    return await render_template_string(PAGE, items=items.fetchall())


@app.route("/echo", methods=["GET", "POST"])
@app.route("/echo/<path:rest>", methods=["GET", "POST"])
async def echo(rest=""):
    body = await request.get_data()
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
async def item(item_id):
    row = app.database.execute("select name from items where id = ?", [item_id]).fetchone()
    if row is None:
        abort(404)
    return {"id": item_id, "name": row[0], "url": url_for("item", item_id=item_id, _external=True)}


@app.delete("/items/<item_id>")
async def remove(item_id):
    app.database.execute("delete from items where id = ?", [item_id])
    return Response(status=204)


@app.post("/login")
async def login():
    form = await request.form
    session["name"] = form["name"]
    response = redirect(url_for("me"), 303)
    response.set_cookie("theme", "dark", max_age=3600)
    return response


@app.get("/me")
async def me():
    if "name" not in session:
        abort(401)
    return {"name": session["name"], "theme": request.cookies.get("theme")}


@app.post("/upload")
async def upload():
    files = await request.files
    content = files["file"].read()
    current_app.add_background_task(file_away, files["file"].filename)
    digest = hashlib.sha256(content).hexdigest()
    return {"filename": files["file"].filename, "size": len(content), "sha256": digest}


async def file_away(name):
    await asyncio.sleep(0.001)
    app.logger.info("%s was filed away.", name)


@app.get("/image")
async def image():
    return await send_file(Path(__file__).with_name("tea.png"), conditional=True)


@app.get("/stream")
async def stream():
    async def cups():
        for number in range(1, 6):
            yield f"cup {number}\n"
            await asyncio.sleep(0.001)

    return Response(cups(), mimetype="text/plain")


@app.get("/latin1")
async def latin1():
    return Response("Grüße, señor, ça va ?".encode("iso-8859-1"), content_type="text/plain; charset=iso-8859-1")


@app.get("/error")
async def error():
    raise RuntimeError("This error is on purpose.")
