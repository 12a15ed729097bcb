"""The routes of the applications in this folder in Django, for WSGI and for ASGI."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

import bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="none", DEBUG_PROPAGATE_EXCEPTIONS=True)
django.setup()


def about(request: HttpRequest) -> HttpResponse:
    current = bridge.current_request()
    assert current is not None
    logging.getLogger("about").warning("about: called")
    return JsonResponse({"process": os.getpid(), "request_id": current.request_id})


def text(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Grüße", content_type="text/plain; charset=utf-8")


def reverse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body[::-1], content_type="application/octet-stream")


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


def redirect_to_text(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=303, headers={"Location": "/text"})


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def unchanged(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=304, headers={"ETag": '"1"'})


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def stream(request: HttpRequest) -> HttpResponse:
    words = ["one", "two", request.GET["last"]]

    def parts() -> Iterator[str]:
        for word in words:
            yield f"{word}\n"

    async def async_parts() -> AsyncIterator[str]:
        for part in parts():
            yield part

    return StreamingHttpResponse(
        async_parts() if isinstance(request, ASGIRequest) else parts(), content_type="text/plain"
    )


async def events(request: HttpRequest) -> HttpResponse:
    """Django also runs async views under WSGI, but warns of async iterators there."""
    numbers = [f"data: {number}\n\n" for number in range(3)]

    async def parts() -> AsyncIterator[str]:
        for number in numbers:
            yield number

    return StreamingHttpResponse(
        parts() if isinstance(request, ASGIRequest) else iter(numbers), content_type="text/event-stream"
    )


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(Path(__file__).open("rb"), content_type="text/x-python")


def early(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("failed early")


def middle(request: HttpRequest) -> HttpResponse:
    def parts() -> Iterator[str]:
        yield "one\n"
        raise RuntimeError("failed in the middle")

    async def async_parts() -> AsyncIterator[str]:
        for part in parts():
            yield part

    return StreamingHttpResponse(
        async_parts() if isinstance(request, ASGIRequest) else parts(), content_type="text/plain"
    )


VIEWS = (about, text, reverse, cookies, nothing, unchanged, empty, stream, events, file, early, middle)

urlpatterns = [path("redirect", redirect_to_text), *(path(view.__name__, view) for view in VIEWS)]

wsgi = WSGIHandler()
asgi = ASGIHandler()
