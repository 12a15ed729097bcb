"""The URL patterns of the tea shop."""

from django.urls import path

from teashop import views

urlpatterns = [
    path("", views.home),
    path("echo", views.echo),
    path("echo/<path:rest>", views.echo),
    path("items/<str:item_id>", views.item, name="item"),
    path("login", views.login, name="login"),
    path("me", views.me, name="me"),
    path("upload", views.upload),
    path("image", views.image, name="image"),
    path("stream", views.stream),
    path("latin1", views.latin1),
    path("error", views.error),
]
