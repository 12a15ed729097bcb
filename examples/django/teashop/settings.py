"""Django settings without a database: sessions are signed cookies."""

import os

SECRET_KEY = os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment")
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the front door calls the function only for its own host names

ROOT_URLCONF = "teashop.urls"
WSGI_APPLICATION = "teashop.wsgi.application"
ASGI_APPLICATION = "teashop.asgi.application"

INSTALLED_APPS = ["django.contrib.sessions"]
# Add django.middleware.csrf.CsrfViewMiddleware to an application whose forms change data.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"

TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": False}]
DATABASES = {}
USE_TZ = True
