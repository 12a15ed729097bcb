"""Pages of the chat. Its WebSocket is in ``asgi.py``."""

from django.http import HttpResponse
from django.urls import path


def page(request):
    return HttpResponse("Connect a WebSocket to this address, with a name in the query.", content_type="text/plain")


urlpatterns = [path("", page)]
