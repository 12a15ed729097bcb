"""CORS configuration in serverless.yml and SAM templates, with the defaults of the Serverless Framework and of SAM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.cors import Cors, FunctionUrlCors
from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects.config_values import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# https://www.serverless.com/framework/docs/providers/aws/events/apigateway#enabling-cors and .../events/http-api
_HEADERS = (
    "Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent",
)  # fmt: skip
# https://www.serverless.com/framework/docs/providers/aws/guide/functions#lambda-function-urls
_URL_HEADERS = (*_HEADERS[:-1], "X-Amzn-Trace-Id")
_ALL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def serverless_http_api(config: Any, routes: Iterable[FunctionRoute]) -> Cors | None:
    """Read ``provider.httpApi.cors`` of serverless.yml: ``true``, or a mapping."""
    if not config:
        return None
    config = mapping(config)
    return Cors(
        origins=_strings(config.get("allowedOrigins")) or ("*",),
        methods=_strings(config.get("allowedMethods")) or _methods("OPTIONS", *(route.method for route in routes)),
        headers=_strings(config.get("allowedHeaders")) or _HEADERS,
        exposed=_strings(config.get("exposedResponseHeaders")),
        credentials=config.get("allowCredentials") is True,
        max_age=_number(config.get("maxAge")),
    )


def serverless_rest_api(config: Any, routes: Iterable[FunctionRoute]) -> Cors:
    """Read ``cors`` of the ``http`` events of one path in serverless.yml: ``true``, or a mapping."""
    config = mapping(config)
    return Cors(
        origins=_strings(config.get("origins")) or _strings(config.get("origin")) or ("*",),
        methods=_methods(*_strings(config.get("methods")), "OPTIONS", *(route.method for route in routes)),
        headers=_strings(config.get("headers")) or _HEADERS,
        credentials=config.get("allowCredentials") is True,
        max_age=_number(config.get("maxAge")),
    )


def serverless_function_url(config: Any) -> FunctionUrlCors | None:
    """Read ``url.cors`` of a function in serverless.yml: ``true``, or a mapping, in which null removes a default."""
    if not config:
        return None
    config = {"allowedOrigins": ["*"], "allowedMethods": ["*"], "allowedHeaders": list(_URL_HEADERS), **mapping(config)}
    return FunctionUrlCors(
        origins=_strings(config["allowedOrigins"]),
        methods=_strings(config["allowedMethods"]),
        headers=_strings(config["allowedHeaders"]),
        exposed=_strings(config.get("exposedResponseHeaders")),
        credentials=config.get("allowCredentials") is True,
        max_age=_number(config.get("maxAge")),
    )


def sam_http_api(config: Any) -> Cors | None:
    """Read ``CorsConfiguration`` of an ``AWS::Serverless::HttpApi``: a mapping, or ``true`` for any origin alone."""
    if not config:
        return None
    config = mapping(config)
    return Cors(
        origins=_strings(config.get("AllowOrigins")) or ("*",),
        methods=_strings(config.get("AllowMethods")),
        headers=_strings(config.get("AllowHeaders")),
        exposed=_strings(config.get("ExposeHeaders")),
        credentials=config.get("AllowCredentials") is True,
        max_age=_number(config.get("MaxAge")),
    )


def sam_rest_api(config: Any, routes: Iterable[FunctionRoute]) -> Cors:
    """Read ``Cors`` of an ``AWS::Serverless::Api``: an origin, or a mapping. SAM has quotes within its values."""
    config = mapping(config) or {"AllowOrigin": config}
    methods = tuple(sorted(_methods("OPTIONS", *(route.method for route in routes))))
    return Cors(
        origins=_strings(config.get("AllowOrigin")) or ("*",),
        methods=_strings(config.get("AllowMethods")) or methods,
        headers=_strings(config.get("AllowHeaders")),
        credentials=config.get("AllowCredentials") is True,
        max_age=_number(config.get("MaxAge")),
    )


def sam_function_url(config: Any) -> FunctionUrlCors | None:
    """Read ``Cors`` of a ``FunctionUrlConfig``; it has no defaults."""
    if not mapping(config):
        return None
    return FunctionUrlCors(
        origins=_strings(config.get("AllowOrigins")),
        methods=_strings(config.get("AllowMethods")),
        headers=_strings(config.get("AllowHeaders")),
        exposed=_strings(config.get("ExposeHeaders")),
        credentials=config.get("AllowCredentials") is True,
        max_age=_number(config.get("MaxAge")),
    )


def preflight_route(cors: Cors, template: str, routes: Sequence[FunctionRoute]) -> list[FunctionRoute]:
    """Return the route that answers the preflights of *template*; none if the project has its own for OPTIONS."""
    on_template = [route for route in routes if route.template == template]
    if any(route.method == "OPTIONS" for route in on_template):
        return []
    return [FunctionRoute("OPTIONS", template, on_template[0].function, cors)]


def _methods(*names: str) -> tuple[str, ...]:
    methods = [method for name in names for method in (_ALL_METHODS if name in ("ANY", "*") else (name.upper(),))]
    return tuple(dict.fromkeys(methods))


def _strings(value: Any) -> tuple[str, ...]:
    """Return the items of a list, or of a string with commas, without the quotes of SAM."""
    items = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else []
    return tuple(text for item in items if (text := str(item).strip().strip("'").strip()))


def _number(value: Any) -> int | None:
    text = str(value).strip().strip("'")
    return int(text) if text.isdigit() else None
