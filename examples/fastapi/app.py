"""A tea shop with FastAPI."""

import asyncio
import contextlib
import hashlib
import logging
import os
import sqlite3
from html import escape
from pathlib import Path
from typing import Annotated

from fastapi import BackgroundTasks, Cookie, FastAPI, Form, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware

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
async def lifespan(app: FastAPI):
    with contextlib.closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        database.execute("create table items (id text primary key, name text)")
        database.executemany("insert into items values (?, ?)", ITEMS)
        yield {"database": database}
    logger.info("The shop is closed.")


app = FastAPI(title="Tea shop", lifespan=lifespan)
app.add_middleware(
    SessionMiddleware,
    secret_key=os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment"),
)


class Item(BaseModel):
    id: str
    name: str
    url: str


class Upload(BaseModel):
    filename: str | None
    size: int
    sha256: str


@app.api_route("/", methods=["GET", "HEAD"], response_class=HTMLResponse, include_in_schema=False)
async def home(request: Request):
    items = request.state.database.execute("select id, name from items")
    links = [
        f'<li><a href="{request.url_for("item", item_id=item_id)}">{escape(name)}</a></li>\n' for item_id, name in items
    ]
    image, login = request.url_for("image"), request.url_for("login")
    return PAGE.format(image=image, links="".join(links), login=login)


@app.get("/echo")
@app.post("/echo")
@app.get("/echo/{rest:path}")
@app.post("/echo/{rest:path}")
async def echo(request: Request):
    body = await request.body()
    root_path = request.scope["root_path"]
    return {
        "method": request.method,
        "path": request.scope["path"].removeprefix(root_path),
        "root_path": root_path,
        "query": request.query_params.multi_items(),
        "headers": dict(request.headers),
        "cookies": request.cookies,
        "body": {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()},
    }


@app.get("/items/{item_id}")
async def item(request: Request, item_id: str) -> Item:
    row = request.state.database.execute("select name from items where id = ?", [item_id]).fetchone()
    if row is None:
        raise HTTPException(404)
    return Item(id=item_id, name=row[0], url=str(request.url_for("item", item_id=item_id)))


@app.delete("/items/{item_id}", status_code=204)
def remove(request: Request, item_id: str) -> None:  # FastAPI runs functions that are not async in a thread
    request.state.database.execute("delete from items where id = ?", [item_id])


@app.post("/login")
async def login(request: Request, name: Annotated[str, Form()]):
    request.session["name"] = name
    response = RedirectResponse(request.url_for("me"), 303)
    response.set_cookie("theme", "dark", max_age=3600, expires=3600)
    return response


@app.get("/me")
async def me(request: Request, theme: Annotated[str | None, Cookie()] = None):
    if "name" not in request.session:
        raise HTTPException(401)
    return {"name": request.session["name"], "theme": theme}


@app.post("/upload")
async def upload(file: UploadFile, tasks: BackgroundTasks) -> Upload:
    content = await file.read()
    tasks.add_task(file_away, file.filename)
    return Upload(filename=file.filename, size=len(content), sha256=hashlib.sha256(content).hexdigest())


async def file_away(name: str | None) -> None:
    await asyncio.sleep(0.001)
    logger.info("%s was filed away.", name)


@app.get("/image", response_class=FileResponse)
async def image(request: Request):
    response = FileResponse(IMAGE, stat_result=IMAGE.stat())
    if request.headers.get("if-none-match") == response.headers["etag"]:
        return Response(status_code=304, headers={"etag": response.headers["etag"]})
    return response


@app.get("/stream")
async def stream():
    async def cups():
        for number in range(1, 6):
            yield f"cup {number}\n"
            await asyncio.sleep(0.001)

    return StreamingResponse(cups(), media_type="text/plain")


@app.get("/latin1")
def latin1():
    return Response("Grüße, señor, ça va ?".encode("iso-8859-1"), media_type="text/plain; charset=iso-8859-1")


@app.get("/error")
async def error():
    raise RuntimeError("This error is on purpose.")
