"""A chat with Django Channels behind a WebSocket API.

bridge serve --source websocket examples/channels/chat/asgi.py:application
"""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chat.settings")
http_application = get_asgi_application()  # before models or consumers are imported

from chat.consumers import Chat  # noqa: E402

application = ProtocolTypeRouter(
    {"http": http_application, "websocket": URLRouter([path("", Chat.as_asgi())])},
)
