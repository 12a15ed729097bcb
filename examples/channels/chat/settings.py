"""Settings of the chat."""

import os

SECRET_KEY = os.environ.get("SECRET_KEY", "only for this machine")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "chat.urls"
ASGI_APPLICATION = "chat.asgi.application"
INSTALLED_APPS = ["channels"]
USE_TZ = True
