"""A tea shop with Litestar."""

import asyncio
import contextlib
import hashlib
import logging
import os
import sqlite3
from html import escape
from pathlib import Path
from typing import Annotated, Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from litestar import Litestar, MediaType, Request, Response, delete, get, head, post, route
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie, State, UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.params import Body, FromPath
from litestar.response import Redirect, Stream

logger = logging.getLogger("teashop")
logger.setLevel(logging.INFO)

# Litestar encrypts its own session cookies, which requires `cryptography`; here a signed cookie is enough.
sessions = URLSafeTimedSerializer(os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment"))

ITEMS = [("sencha", "Sencha"), ("earl-grey", "Earl Grey"), ("grün", "Grüner Tee")]
IMAGE = Path(__file__).with_name("tea.png").read_bytes()
ETAG = f'"{hashlib.sha256(IMAGE).hexdigest()[:16]}"'

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{image}" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>{links}</ul>
<form method="post" action="{login}"><input name="name"><button>Log in</button></form>
"""


@contextlib.asynccontextmanager
async def lifespan(app: Litestar):
    with contextlib.closing(sqlite3.connect(":memory:", check_same_thread=False)) as database:
        database.execute("create table items (id text primary key, name text)")
        database.executemany("insert into items values (?, ?)", ITEMS)
        app.state.database = database
        yield
    logger.info("The shop is closed.")


@get("/", media_type=MediaType.HTML)
async def home(request: Request, state: State) -> str:
    items = state.database.execute("select id, name from items")
    links = [
        f'<li><a href="{request.url_for("item", item_id=item_id)}">{escape(name)}</a></li>\n' for item_id, name in items
    ]
    image, login = request.url_for("image"), request.url_for("login")
    return PAGE.format(image=image, links="".join(links), login=login)


@head("/", media_type=MediaType.HTML)
async def home_head() -> None: ...


@route(["/echo", "/echo/{rest:path}"], http_method=["GET", "POST"], status_code=200)
async def echo(request: Request) -> dict[str, Any]:
    body = await request.body()
    root_path = request.scope["root_path"]
    return {
        "method": request.method,
        "path": request.scope["path"].removeprefix(root_path),
        "root_path": root_path,
        "query": list(request.query_params.multi_items()),
        "headers": dict(request.headers),
        "cookies": request.cookies,
        "body": {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()},
    }


@get("/items/{item_id:str}", name="item")
async def item(request: Request, state: State, item_id: FromPath[str]) -> dict[str, str]:
    row = state.database.execute("select name from items where id = ?", [item_id]).fetchone()
    if row is None:
        raise NotFoundException
    return {"id": item_id, "name": row[0], "url": request.url_for("item", item_id=item_id)}


@delete("/items/{item_id:str}")
async def remove(state: State, item_id: FromPath[str]) -> None:
    state.database.execute("delete from items where id = ?", [item_id])


@post("/login", name="login")
async def login(
    request: Request, data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
) -> Redirect:
    cookies = [
        Cookie(key="session", value=sessions.dumps({"name": data["name"]}), httponly=True),
        Cookie(key="theme", value="dark", max_age=3600, expires=3600),
    ]
    return Redirect(request.url_for("me"), status_code=303, cookies=cookies)


@get("/me", name="me")
async def me(request: Request) -> dict[str, str | None]:
    try:
        session = sessions.loads(request.cookies["session"], max_age=3600)
    except (KeyError, BadSignature):
        raise NotAuthorizedException from None
    return {"name": session["name"], "theme": request.cookies.get("theme")}


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> Response[dict[str, Any]]:
    file = data["file"]
    content = await file.read()
    summary = {"filename": file.filename, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Response(summary, background=BackgroundTask(file_away, file.filename))


async def file_away(name: str) -> None:
    await asyncio.sleep(0.001)
    logger.info("%s was filed away.", name)


@get("/image", name="image")
async def image(request: Request) -> Response[bytes | None]:
    if request.headers.get("if-none-match") == ETAG:
        return Response(None, status_code=304, headers={"etag": ETAG})
    return Response(IMAGE, media_type="image/png", headers={"etag": ETAG})


@get("/stream")
async def stream() -> Stream:
    async def cups():
        for number in range(1, 6):
            yield f"cup {number}\n"
            await asyncio.sleep(0.001)

    return Stream(cups(), media_type="text/plain")


@get("/latin1")
async def latin1() -> Response[str]:
    return Response("Grüße, señor, ça va ?", media_type=MediaType.TEXT, encoding="iso-8859-1")


@get("/error")
async def error() -> None:
    raise RuntimeError("This error is on purpose.")


async def log(exception: Exception, scope: Any) -> None:
    if not hasattr(exception, "status_code"):  # HTTP errors such as 404 are not logged
        logger.error("%s %s failed", scope["method"], scope["path"], exc_info=exception)


app = Litestar(
    [home, home_head, echo, item, remove, login, me, upload, image, stream, latin1, error],
    lifespan=[lifespan],
    # By default Litestar logs in a thread, which Lambda freezes after the response, and does not log exceptions.
    logging_config=None,
    after_exception=[log],
)
