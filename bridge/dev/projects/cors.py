"""What serverless.yml and SAM templates say of CORS, with the Serverless Framework's and SAM's own defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.cors import Cors, FunctionUrlCors
from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects.yaml_file import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.dev.projects.project import Function

# https://www.serverless.com/framework/docs/providers/aws/events/apigateway#enabling-cors and .../events/http-api
_HEADERS = (
    "Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent",
)  # fmt: skip
# https://www.serverless.com/framework/docs/providers/aws/guide/functions#lambda-function-urls
_URL_HEADERS = (*_HEADERS[:-1], "X-Amzn-Trace-Id")
_ALL = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def serverless_http_api(said: Any, routes: Iterable[FunctionRoute]) -> Cors | None:
    """``provider.httpApi.cors``: ``true``, or a mapping."""
    if not said:
        return None
    said = mapping(said)
    return Cors(
        _texts(said.get("allowedOrigins")) or ("*",),
        _texts(said.get("allowedMethods")) or _methods(["OPTIONS", *(route.method for route in routes)]),
        _texts(said.get("allowedHeaders")) or _HEADERS,
        _texts(said.get("exposedResponseHeaders")),
        said.get("allowCredentials") is True,
        _number(said.get("maxAge")),
    )


def serverless_rest_api(said: Any, routes: Sequence[FunctionRoute]) -> Cors:
    """``cors`` of the ``http`` events of one path: ``true``, or a mapping."""
    said = mapping(said)
    return Cors(
        _texts(said.get("origins")) or _texts(said.get("origin")) or ("*",),
        _methods([*_texts(said.get("methods")), "OPTIONS", *(route.method for route in routes)]),
        _texts(said.get("headers")) or _HEADERS,
        credentials=said.get("allowCredentials") is True,
        max_age=_number(said.get("maxAge")),
    )


def sam_http_api(said: Any) -> Cors | None:
    """``CorsConfiguration`` of an ``AWS::Serverless::HttpApi``: ``true`` is any origin, and nothing else."""
    if not said:
        return None
    said = mapping(said)
    return Cors(
        _texts(said.get("AllowOrigins")) or ("*",),
        _texts(said.get("AllowMethods")),
        _texts(said.get("AllowHeaders")),
        _texts(said.get("ExposeHeaders")),
        said.get("AllowCredentials") is True,
        _number(said.get("MaxAge")),
    )


def sam_rest_api(said: Any, routes: Sequence[FunctionRoute]) -> Cors:
    """``Cors`` of an ``AWS::Serverless::Api``: an origin, or a mapping; values stand in quotes of their own."""
    said = mapping(said) or {"AllowOrigin": said}
    return Cors(
        _texts(said.get("AllowOrigin")) or ("*",),
        _texts(said.get("AllowMethods")) or tuple(sorted(_methods(["OPTIONS", *(route.method for route in routes)]))),
        _texts(said.get("AllowHeaders")),
        credentials=said.get("AllowCredentials") is True,
        max_age=_number(said.get("MaxAge")),
    )


def serverless_url(said: Any) -> FunctionUrlCors | None:
    """``url.cors``: ``true``, or a mapping; a value of null takes a default away."""
    if not said:
        return None
    said = {"allowedOrigins": ["*"], "allowedMethods": ["*"], "allowedHeaders": list(_URL_HEADERS), **mapping(said)}
    return FunctionUrlCors(
        _texts(said["allowedOrigins"]),
        _texts(said["allowedMethods"]),
        _texts(said["allowedHeaders"]),
        _texts(said.get("exposedResponseHeaders")),
        said.get("allowCredentials") is True,
        _number(said.get("maxAge")),
    )


def sam_url(said: Any) -> FunctionUrlCors | None:
    """``Cors`` of a ``FunctionUrlConfig``: what is not said is not allowed."""
    if not mapping(said):
        return None
    return FunctionUrlCors(
        _texts(said.get("AllowOrigins")),
        _texts(said.get("AllowMethods")),
        _texts(said.get("AllowHeaders")),
        _texts(said.get("ExposeHeaders")),
        said.get("AllowCredentials") is True,
        _number(said.get("MaxAge")),
    )


def add_preflight(functions: Iterable[Function], template: str, cors: Cors) -> None:
    """Add the route of the preflights for *template*, unless the project has one for OPTIONS there itself."""
    here = [(function, route) for function in functions for route in function.routes if route.template == template]
    if all(route.method != "OPTIONS" for _, route in here):
        function = here[0][0]
        function.routes.append(FunctionRoute("OPTIONS", template, function.name, cors))


def _methods(named: Iterable[str]) -> tuple[str, ...]:
    methods = [method for name in named for method in (_ALL if name in ("ANY", "*") else (name.upper(),))]
    return tuple(dict.fromkeys(methods))


def _texts(value: Any) -> tuple[str, ...]:
    """The items of a list, or of a text with commas; SAM's quotes fall off."""
    items = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else []
    return tuple(text for item in items if (text := str(item).strip().strip("'").strip()))


def _number(value: Any) -> int | None:
    text = str(value).strip().strip("'")
    return int(text) if text.isdigit() else None
