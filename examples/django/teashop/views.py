"""The views of the tea shop. They run under WSGI and under ASGI."""

import asyncio
import hashlib
import time
from pathlib import Path

from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template import Context, Engine
from django.urls import get_script_prefix, reverse
from django.views.decorators.http import condition, require_http_methods, require_POST, require_safe

ITEMS = {"sencha": "Sencha", "earl-grey": "Earl Grey", "grün": "Grüner Tee"}
IMAGE = Path(__file__).with_name("tea.png")

PAGE = Engine().from_string("""<!doctype html>
<meta charset="utf-8">
<title>Tea shop</title>
<h1>Tea shop</h1>
<p><img src="{% url 'image' %}" alt="a cup"> Tee, thé, чай, 茶 ☕</p>
<ul>
{% for item_id, name in items.items %}<li><a href="{% url 'item' item_id=item_id %}">{{ name }}</a></li>
{% endfor %}</ul>
<form method="post" action="{% url 'login' %}"><input name="name"><button>Log in</button></form>
""")


@require_safe
def home(request):
    return HttpResponse(PAGE.render(Context({"items": ITEMS})))


@require_http_methods(["GET", "POST"])
def echo(request, rest=""):
    return JsonResponse(
        {
            "method": request.method,
            "path": request.path_info,
            "root_path": get_script_prefix().rstrip("/"),
            "query": [(name, value) for name, values in request.GET.lists() for value in values],
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "cookies": request.COOKIES,
            "body": {"size": len(request.body), "sha256": hashlib.sha256(request.body).hexdigest()},
        }
    )


@require_http_methods(["GET", "HEAD", "DELETE"])
def item(request, item_id):
    if request.method == "DELETE":
        ITEMS.pop(item_id, None)
        response = HttpResponse(status=204)
        del response["Content-Type"]  # Django sets text/html even without a body
        return response
    if item_id not in ITEMS:
        raise Http404
    return JsonResponse(
        {"id": item_id, "name": ITEMS[item_id], "url": request.build_absolute_uri(reverse("item", args=[item_id]))}
    )


@require_POST
def login(request):
    request.session["name"] = request.POST["name"]
    response = redirect("me")
    response.status_code = 303
    response.set_cookie("theme", "dark", max_age=3600)
    return response


@require_safe
def me(request):
    if "name" not in request.session:
        return HttpResponse("You are not logged in.", status=401)
    return JsonResponse({"name": request.session["name"], "theme": request.COOKIES.get("theme")})


@require_POST
def upload(request):
    file = request.FILES["file"]
    content = file.read()
    digest = hashlib.sha256(content).hexdigest()
    return JsonResponse({"filename": file.name, "size": len(content), "sha256": digest})


def _etag(request):
    return f'"{IMAGE.stat().st_mtime_ns:x}"'


@condition(etag_func=_etag)
def image(request):
    if isinstance(request, ASGIRequest):  # a FileResponse has a synchronous iterator, which ASGI cannot stream
        return HttpResponse(IMAGE.read_bytes(), content_type="image/png")
    return FileResponse(IMAGE.open("rb"))


def _cups():
    for number in range(1, 6):
        yield f"cup {number}\n"
        time.sleep(0.001)


async def _cups_async():
    for number in range(1, 6):
        yield f"cup {number}\n"
        await asyncio.sleep(0.001)


def stream(request):
    cups = _cups_async() if isinstance(request, ASGIRequest) else _cups()
    return StreamingHttpResponse(cups, content_type="text/plain")


async def latin1(request):
    return HttpResponse("Grüße, señor, ça va ?", content_type="text/plain; charset=iso-8859-1")


def error(request):
    raise RuntimeError("This error is on purpose.")
