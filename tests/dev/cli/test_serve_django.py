"""``bridge serve`` with a Django project as ``django-admin startproject`` makes it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dev.cli.serve_process import ServeProcess

    Serve = Callable[..., ServeProcess]

URLS = """
import logging
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

def index(request):
    logging.getLogger("django.request").error("Django's own log record")
    logging.getLogger("shop").warning("a record of the project")
    return HttpResponse("tea")

def fail(request):
    return 1 / 0

urlpatterns = [path("admin/", admin.site.urls), path("", index), path("fail", fail)]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    command = [sys.executable, "-m", "django", "startproject", "shop", str(tmp_path)]
    subprocess.run(command, check=True, env={"PYTHONWARNINGS": "ignore"})
    (tmp_path / "shop/urls.py").write_text(URLS)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--plain"], ["--stage", "prod"]], ids=" ".join)
@pytest.mark.parametrize("app", ["shop.wsgi:application", "shop.asgi:application"])
def test_static_files_are_served_as_by_runserver(serve: Serve, project: Path, app: str, options: list[str]) -> None:
    client = serve(app, *options, "--no-reload").client
    prefix = "/prod" if "--stage" in options else ""
    css = client.get(f"{prefix}/static/admin/css/base.css")
    assert (css.status_code, css.headers["content-type"].partition(";")[0]) == (200, "text/css")
    assert client.get(f"{prefix}/static/nowhere.css").status_code == 404
    assert client.get(f"{prefix}/").text == "tea"


def test_without_debug_static_files_are_not_served(serve: Serve, project: Path) -> None:
    settings = project / "shop/settings.py"
    text = settings.read_text().replace("DEBUG = True", "DEBUG = False").replace("HOSTS = []", "HOSTS = ['localhost']")
    settings.write_text(text)
    client = serve("--no-reload").client
    assert client.get("/static/admin/css/base.css").status_code == 404
    assert client.get("/").text == "tea"


@pytest.mark.parametrize("options", [["--no-reload"], ["--runtime", "--no-reload"]], ids=" ".join)
def test_a_log_record_that_django_prints_appears_once(serve: Serve, project: Path, options: list[str]) -> None:
    server = serve(*options)
    server.wait_for_stderr(r"^Found shop\.wsgi:application: Django \(WSGI\) in shop/wsgi\.py, line \d+\.$")
    assert server.client.get("/").text == "tea"
    assert server.client.get("/fail").status_code == 500
    server.wait_for_stdout("^GET /fail 500 ")
    output = server.stdout + server.stderr
    assert output.count("Django's own log record") == 1
    assert output.count("a record of the project") == 1
    assert output.count("ZeroDivisionError: division by zero") == 1
