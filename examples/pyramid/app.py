"""A tea shop with Pyramid."""

import hashlib
import os
import time
from html import escape
from pathlib import Path

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNoContent, HTTPNotFound, HTTPSeeOther, HTTPUnauthorized
from pyramid.response import FileResponse, Response
from pyramid.session import SignedCookieSessionFactory
from pyramid.view import view_config

ITEMS = {"sencha": "Sencha", "earl-grey": "Earl Grey", "grün": "Grüner Tee"}
IMAGE = Path(__file__).with_name("tea.png")

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{image}" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>{links}</ul>
<form method="post" action="{login}"><input name="name"><button>Log in</button></form>
"""


@view_config(route_name="home", request_method="GET")
def home(request):
    links = [
        f'<li><a href="{request.route_path("item", item_id=item_id)}">{escape(name)}</a></li>\n'
        for item_id, name in ITEMS.items()
    ]
    image, login = request.route_path("image"), request.route_path("login")
    return Response(PAGE.format(image=image, links="".join(links), login=login))


@view_config(route_name="echo", renderer="json")
@view_config(route_name="echo_rest", renderer="json")
def echo(request):
    return {
        "method": request.method,
        "path": request.path_info,
        "root_path": request.script_name,
        "query": list(request.GET.items()),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "cookies": dict(request.cookies),
        "body": {"size": len(request.body), "sha256": hashlib.sha256(request.body).hexdigest()},
    }


@view_config(route_name="item", request_method="GET", renderer="json")
def item(request):
    item_id = request.matchdict["item_id"]
    if item_id not in ITEMS:
        raise HTTPNotFound
    return {"id": item_id, "name": ITEMS[item_id], "url": request.route_url("item", item_id=item_id)}


@view_config(route_name="item", request_method="DELETE")
def remove(request):
    ITEMS.pop(request.matchdict["item_id"], None)
    return HTTPNoContent()


@view_config(route_name="login", request_method="POST")
def login(request):
    request.session["name"] = request.POST["name"]
    response = HTTPSeeOther(request.route_url("me"))
    response.set_cookie("theme", "dark", max_age=3600)
    return response


@view_config(route_name="me", renderer="json")
def me(request):
    if "name" not in request.session:
        raise HTTPUnauthorized
    return {"name": request.session["name"], "theme": request.cookies.get("theme")}


@view_config(route_name="upload", request_method="POST", renderer="json")
def upload(request):
    field = request.POST["file"]
    content = field.file.read()
    return {"filename": field.filename, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@view_config(route_name="image", request_method="GET")
def image(request):
    response = FileResponse(IMAGE, request=request, content_type="image/png")
    response.etag = f"{IMAGE.stat().st_mtime_ns:x}"
    response.conditional_response = True
    return response


@view_config(route_name="stream")
def stream(request):
    def cups():
        for number in range(1, 6):
            yield f"cup {number}\n".encode()
            time.sleep(0.001)

    return Response(app_iter=cups(), content_type="text/plain")


@view_config(route_name="latin1")
def latin1(request):
    return Response("Grüße, señor, ça va ?", content_type="text/plain", charset="iso-8859-1")


@view_config(route_name="error")
def error(request):
    raise RuntimeError("This error is on purpose.")


with Configurator() as config:
    secret = os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment")
    config.set_session_factory(SignedCookieSessionFactory(secret))
    config.add_route("home", "/")
    config.add_route("echo", "/echo")
    config.add_route("echo_rest", "/echo/*rest")
    config.add_route("item", "/items/{item_id}")
    for name in ("login", "me", "upload", "image", "stream", "latin1", "error"):
        config.add_route(name, f"/{name}")
    config.scan(__name__)
    app = config.make_wsgi_app()
