"""Settings: no database, sessions in signed cookies, so a function needs nothing beside itself."""

import os

SECRET_KEY = os.environ.get("SECRET_KEY", "set SECRET_KEY in the function's environment")
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the front door has sorted hosts out before a function is called

ROOT_URLCONF = "teashop.urls"
WSGI_APPLICATION = "teashop.wsgi.application"
ASGI_APPLICATION = "teashop.asgi.application"

INSTALLED_APPS = ["django.contrib.sessions"]
# A shop that takes money wants django.middleware.csrf.CsrfViewMiddleware as well.
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
