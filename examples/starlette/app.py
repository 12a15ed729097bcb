"""A tea shop with Starlette."""

import asyncio
import contextlib
import hashlib
import logging
import os
import sqlite3
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

logger = logging.getLogger("teashop")
logger.setLevel(logging.INFO)

ITEMS = [("sencha", "Sencha"), ("earl-grey", "Earl Grey"), ("grün", "Grüner Tee")]
IMAGE = Path(__file__).with_name("tea.png")

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{image}" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>{links}</ul>
<form method="post" action="{login}"><input name="name"><button>Log in</button></form>
"""


@contextlib.asynccontextmanager
async def lifespan(app):
    with contextlib.closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        database.execute("create table items (id text primary key, name text)")
        database.executemany("insert into items values (?, ?)", ITEMS)
        yield {"database": database}
    logger.info("The shop is closed.")


async def home(request):
    items = request.state.database.execute("select id, name from items")
    links = [
        f'<li><a href="{request.url_for("item", item_id=item_id)}">{escape(name)}</a></li>\n' for item_id, name in items
    ]
    image, login = request.url_for("image"), request.url_for("login")
    return HTMLResponse(PAGE.format(image=image, links="".join(links), login=login))


async def echo(request):
    body = await request.body()
    root_path = request.scope["root_path"]
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["path"].removeprefix(root_path),
            "root_path": root_path,
            "query": request.query_params.multi_items(),
            "headers": dict(request.headers),
            "cookies": request.cookies,
            "body": {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()},
        }
    )


async def item(request):
    item_id = request.path_params["item_id"]
    row = request.state.database.execute("select name from items where id = ?", [item_id]).fetchone()
    if row is None:
        raise HTTPException(404)
    return JSONResponse({"id": item_id, "name": row[0], "url": str(request.url_for("item", item_id=item_id))})


async def remove(request):
    request.state.database.execute("delete from items where id = ?", [request.path_params["item_id"]])
    return Response(status_code=204)


async def login(request):
    async with request.form() as form:
        request.session["name"] = form["name"]
    response = RedirectResponse(request.url_for("me"), 303)
    response.set_cookie("theme", "dark", max_age=3600, expires=3600)
    return response


async def me(request):
    if "name" not in request.session:
        raise HTTPException(401)
    return JSONResponse({"name": request.session["name"], "theme": request.cookies.get("theme")})


async def upload(request):
    async with request.form() as form:
        file = form["file"]
        content = await file.read()
        digest = hashlib.sha256(content).hexdigest()
        task = BackgroundTask(file_away, file.filename)
        return JSONResponse({"filename": file.filename, "size": len(content), "sha256": digest}, background=task)


async def file_away(name):
    await asyncio.sleep(0.001)
    logger.info("%s was filed away.", name)


async def image(request):
    response = FileResponse(IMAGE, stat_result=IMAGE.stat())
    if request.headers.get("if-none-match") == response.headers["etag"]:
        return Response(status_code=304, headers={"etag": response.headers["etag"]})
    return response


async def stream(request):
    async def cups():
        for number in range(1, 6):
            yield f"cup {number}\n"
            await asyncio.sleep(0.001)

    return StreamingResponse(cups(), media_type="text/plain")


async def latin1(request):
    return Response("Grüße, señor, ça va ?".encode("iso-8859-1"), media_type="text/plain; charset=iso-8859-1")


async def error(request):
    raise RuntimeError("This error is on purpose.")


app = Starlette(
    routes=[
        Route("/", home),
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/echo/{rest:path}", echo, methods=["GET", "POST"]),
        Route("/items/{item_id}", item),
        Route("/items/{item_id}", remove, methods=["DELETE"]),
        Route("/login", login, methods=["POST"]),
        Route("/me", me),
        Route("/upload", upload, methods=["POST"]),
        Route("/image", image),
        Route("/stream", stream),
        Route("/latin1", latin1),
        Route("/error", error),
    ],
    middleware=[
        Middleware(
            SessionMiddleware,
            secret_key=os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment"),
        )
    ],
    lifespan=lifespan,
)
