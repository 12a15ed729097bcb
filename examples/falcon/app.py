"""A tea shop with Falcon."""

import hashlib
import html
import os
import time
from pathlib import Path
from urllib.parse import quote

import falcon
from itsdangerous import BadSignature, URLSafeTimedSerializer

# Falcon has no sessions, so a signed cookie holds the data of one.
sessions = URLSafeTimedSerializer(os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment"))

ITEMS = {"sencha": "Sencha", "earl-grey": "Earl Grey", "grün": "Grüner Tee"}

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{prefix}/image" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>{links}</ul>
<form method="post" action="{prefix}/login"><input name="name"><button>Log in</button></form>
"""


def url_of_item(req, item_id):
    return f"{req.prefix}/items/{quote(item_id)}"


class Home:
    def on_get(self, req, resp):
        links = [
            f'<li><a href="{url_of_item(req, item_id)}">{html.escape(name)}</a></li>\n'
            for item_id, name in ITEMS.items()
        ]
        resp.content_type = "text/html; charset=utf-8"
        resp.text = PAGE.format(prefix=req.prefix, links="".join(links))

    on_head = on_get


class Echo:
    def on_get(self, req, resp, rest=""):
        body = req.bounded_stream.read()
        query = [(name, value) for name in req.params for value in req.get_param_as_list(name)]
        resp.media = {
            "method": req.method,
            "path": req.path,
            "root_path": req.root_path,
            "query": query,
            "headers": req.headers_lower,
            "cookies": req.cookies,
            "body": {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()},
        }

    on_post = on_get


class Item:
    def on_get(self, req, resp, item_id):
        if item_id not in ITEMS:
            raise falcon.HTTPNotFound
        resp.media = {"id": item_id, "name": ITEMS[item_id], "url": url_of_item(req, item_id)}

    def on_delete(self, req, resp, item_id):
        ITEMS.pop(item_id, None)
        resp.status = falcon.HTTP_204


class Login:
    def on_post(self, req, resp):
        resp.set_cookie("session", sessions.dumps({"name": req.get_media()["name"]}))
        resp.set_cookie("theme", "dark", max_age=3600)
        resp.status = falcon.HTTP_303
        resp.location = f"{req.prefix}/me"


class Me:
    def on_get(self, req, resp):
        try:
            session = sessions.loads(req.cookies["session"], max_age=3600)
        except (KeyError, BadSignature):
            raise falcon.HTTPUnauthorized from None
        resp.media = {"name": session["name"], "theme": req.cookies.get("theme")}


class Upload:
    def on_post(self, req, resp):
        for part in req.get_media():
            if part.name == "file":
                content = part.stream.read()
                digest = hashlib.sha256(content).hexdigest()
                resp.media = {"filename": part.filename, "size": len(content), "sha256": digest}


class Image:
    content = Path(__file__).with_name("tea.png").read_bytes()
    etag = falcon.ETag(hashlib.sha256(content).hexdigest()[:16])

    def on_get(self, req, resp):
        resp.etag = self.etag
        if req.if_none_match and any(known in ("*", self.etag) for known in req.if_none_match):
            resp.status = falcon.HTTP_304
        else:
            resp.content_type = falcon.MEDIA_PNG
            resp.data = self.content


class Stream:
    def on_get(self, req, resp):
        def cups():
            for number in range(1, 6):
                yield f"cup {number}\n".encode()
                time.sleep(0.001)

        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = cups()


class Latin1:
    def on_get(self, req, resp):
        resp.content_type = "text/plain; charset=iso-8859-1"
        resp.data = "Grüße, señor, ça va ?".encode("iso-8859-1")


class Error:
    def on_get(self, req, resp):
        raise RuntimeError("This error is on purpose.")


app = falcon.App()
app.add_route("/", Home())
app.add_route("/echo", Echo())
app.add_route("/echo/{rest:path}", Echo())
app.add_route("/items/{item_id}", Item())
app.add_route("/login", Login())
app.add_route("/me", Me())
app.add_route("/upload", Upload())
app.add_route("/image", Image())
app.add_route("/stream", Stream())
app.add_route("/latin1", Latin1())
app.add_route("/error", Error())
