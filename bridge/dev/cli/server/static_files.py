"""The static files of a Django project, which ``runserver`` serves and Django's own application does not.

Import this module only if Django is imported already.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.contrib.staticfiles.views import serve
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler


def add_static_files(app: Any) -> Any:
    """Return *app* with its static files, if it is a Django application that ``runserver`` would serve with them.

    These are applications with ``django.contrib.staticfiles`` and ``DEBUG``:
    https://docs.djangoproject.com/en/stable/ref/contrib/staticfiles/#runserver
    """
    if not isinstance(app, WSGIHandler | ASGIHandler):
        return app
    if not settings.DEBUG or "django.contrib.staticfiles" not in settings.INSTALLED_APPS:
        return app
    return _WsgiStaticFiles(app) if isinstance(app, WSGIHandler) else _AsgiStaticFiles(app)


class _ServedByPathInfo:
    """Finds files by the path after the stage or the base path; Django's handlers use the whole path."""

    file_path: Any

    def serve(self, request: Any) -> Any:
        return serve(request, self.file_path(request.path_info), insecure=True)


class _WsgiStaticFiles(_ServedByPathInfo, StaticFilesHandler):  # type: ignore[misc]
    pass


class _AsgiStaticFiles(_ServedByPathInfo, ASGIStaticFilesHandler):  # type: ignore[misc]
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and self._should_handle(path):
            await ASGIHandler.__call__(self, scope, receive, send)
        else:
            await self.application(scope, receive, send)
