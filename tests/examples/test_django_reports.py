"""The filter of the Django guide, which hides the event in Django's error reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import DOCS, blocks
from tests.helpers import run_script

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import json, sys
sys.path.insert(0, {folder!r})
import django
from django.conf import settings

backend = "django.core.mail.backends.locmem.EmailBackend"
if django.VERSION >= (6, 1):
    mail = {{"MAILERS": {{"default": {{"BACKEND": backend}}}}, "ADMINS": ["ada@shop.example"]}}
else:
    mail = {{"EMAIL_BACKEND": backend, "ADMINS": [("Ada", "ada@shop.example")]}}
settings.configure(
    DEBUG={debug}, SECRET_KEY="x", ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], **mail,
    LOGGING={{"version": 1, "disable_existing_loggers": False,
        "handlers": {{"mail": {{"class": "django.utils.log.AdminEmailHandler",
        "include_html": True}}}}, "root": {{"handlers": ["mail"], "level": "ERROR"}}}},
    {option}
)
django.setup()
from django.core import mail
from django.core.{interface}
from bridge import handler
from tests.helpers import body_of, event

headers = {{"authorization": "Bearer T0PSECRET", "content-type": "application/json", "accept": "text/html"}}
event = event("/", "POST", headers, json.dumps({{"card": "T0PSECRET"}})) | {{"cookies": ["sessionid=T0PSECRET"]}}
payload = handler(get_application(), lifespan="off")(event, None)
assert payload["statusCode"] == 500
reports = [body_of(payload).decode()]
for message in getattr(mail, "outbox", ()):
    reports += [message.body, *(str(alternative[0]) for alternative in message.alternatives)]
assert {debug} or len(reports) > 2, reports
print("T0PSECRET" in "".join(reports))
"""
URLS = """
from django.urls import path
def view(request):
    raise RuntimeError("on purpose")
urlpatterns = [path("", view)]
"""


def is_shown(folder: Path, interface: str, option: str, *, debug: bool) -> bool:
    (folder / "urls.py").write_text(URLS)
    imported = f"{interface} import get_{interface}_application as get_application"
    script = SCRIPT.format(folder=str(folder), debug=debug, option=option, interface=imported)
    return run_script(script).stdout.splitlines()[-1] == "True"


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
@pytest.mark.parametrize("debug", [False, True])
def test_the_filter_hides_cookies_tokens_and_bodies_in_the_debug_page_and_in_mails(
    tmp_path: Path, interface: str, debug: bool
) -> None:
    (source,) = [block.text for block in blocks(DOCS / "guides/django.md") if block.argument == "shop/reports.py"]
    assert is_shown(tmp_path, interface, "", debug=debug) is (interface == "wsgi")
    (tmp_path / "shop_reports.py").write_text(source)
    option = "DEFAULT_EXCEPTION_REPORTER_FILTER='shop_reports.EventFilter'"
    assert not is_shown(tmp_path, interface, option, debug=debug)
