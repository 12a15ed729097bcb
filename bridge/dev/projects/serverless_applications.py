"""The functions of a Serverless Framework service: which application each one serves, with which variables.

``bridge serve`` and ``bridge package`` read a service through :mod:`bridge.dev.projects.serverless_yml`, the Serverless
Framework plugin through ``bridge plugin --applications``. The options below ``wsgi`` and two of the handlers are those
of the plugin serverless-wsgi: https://github.com/logandk/serverless-wsgi
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.function_settings import HANDLER, STREAMING_VARIABLES
from bridge.dev.errors import UsageError
from bridge.dev.projects.config_values import mapping, variables
from bridge.loading import parse_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_WSGI_HANDLER = "wsgi_handler.handler"  # also below a folder: web/wsgi_handler.handler
_OLD_WSGI_HANDLER = "wsgi.handler"


class ServerlessService:
    """A service, as serverless.yml configures it.

    Args:
        config: the content of serverless.yml, with the framework's variables resolved.
        folder: the folder of serverless.yml.

    Attributes:
        folder: the folder of serverless.yml.
        provider: the settings of all functions.
        custom: the settings of plugins.
        functions: the settings of each function, by its key.
        main_application: the application of the functions that name none; None without one.
    """

    def __init__(self, config: Mapping[str, Any], folder: Path) -> None:
        self.folder = folder
        self.provider = mapping(config.get("provider"))
        self.custom = mapping(config.get("custom"))
        self._wsgi = mapping(self.custom.get("wsgi"))
        self.main_application = self._wsgi.get("app")
        self._package = mapping(config.get("package"))
        functions = config.get("functions")  # a mapping, or a list of mappings
        self.functions = {
            key: mapping(function)
            for part in (functions if isinstance(functions, list) else [functions])
            for key, function in mapping(part).items()
        }

    def environment(self, key: str) -> dict[str, Any]:
        """Return the environment variables of a function, with those of the provider."""
        return {**mapping(self.provider.get("environment")), **mapping(self.functions[key].get("environment"))}

    def application(self, key: str) -> str | None:
        """Return the application of a function, relative to the service.

        Returns:
            The application; ``""`` if the function has the handler of an application, but no application is named; None
            if it has a handler of the project's own.
        """
        function = self.functions[key]
        handler = function.get("handler")
        if not isinstance(handler, str):
            return None
        if _WSGI_HANDLER not in handler and handler not in (_OLD_WSGI_HANDLER, HANDLER):
            return None
        own, variable = mapping(function.get("wsgi")).get("app"), variables(self.environment(key)).get("BRIDGE_APP")
        for app in (own, variable, self.main_application):
            if isinstance(app, str) and app:
                return app
        is_project_module = handler != HANDLER and (self.folder / f"{handler.removesuffix('.handler')}.py").is_file()
        return None if is_project_module else ""

    def local_application(self, key: str) -> str | None:
        """Return the application of a function relative to the service, where the function runs without an artifact.

        The folder that ``module`` names is the root of the artifact, and the application may be relative to it.
        """
        app, module = self.application(key), self.functions[key].get("module")
        if not app or not isinstance(module, str) or "/" in app:
            return app
        folder = posixpath.normpath(module)
        name = parse_name(app)[0].partition(".")[0]
        places = [self.folder / folder / f"{name}.py", self.folder / folder / name]
        return f"{folder}/{app}" if folder != "." and any(place.exists() for place in places) else app

    def text_types(self, key: str) -> list[str]:
        """Return the media types that are text in a function's responses, besides those that always are.

        Raises:
            UsageError: the option is not a list.
        """
        types = mapping(self.functions[key].get("wsgi")).get("textMimeTypes") or self._wsgi.get("textMimeTypes") or []
        if not isinstance(types, list):
            raise UsageError(
                f"serverless.yml: textMimeTypes is {types!r}; it must be a list of media types, such as "
                "[application/x-tex]."
            )
        return [str(item) for item in types]

    def text_types_variable(self, key: str) -> dict[str, str]:
        """Return the environment variable with the text types; nothing if there are none, or the function sets it."""
        types = ",".join(self.text_types(key))
        return {"BRIDGE_TEXT_TYPES": types} if types and "BRIDGE_TEXT_TYPES" not in self.environment(key) else {}

    def has_own_artifact(self, key: str) -> bool:
        """Whether serverless.yml names an artifact for the function; it is deployed as it is."""
        artifact = mapping(self.functions[key].get("package")).get("artifact")
        return bool(artifact or (self._package.get("artifact") and not self._is_packaged_individually(key)))

    def shares_artifact(self, key: str) -> bool:
        """Whether the framework packages the function into the artifact of the whole service."""
        function = self.functions[key]
        is_packaged = not function.get("image") and not mapping(function.get("package")).get("disable")
        return is_packaged and not self.has_own_artifact(key) and not self._is_packaged_individually(key)

    def _is_packaged_individually(self, key: str) -> bool:
        own = mapping(self.functions[key].get("package"))
        return bool(own.get("individually") or self._package.get("individually"))


def describe_applications(service: ServerlessService) -> dict[str, Any]:
    """Return what the Serverless Framework plugin reads of a service, as JSON values.

    Returns:
        A mapping with these keys:

        - ``applications``: a mapping for each function that serves an application, by the function's key. It has the
          keys ``app``; ``text_types``; ``has_own_artifact``; ``environment``, the variables to add to the deployed
          function; ``local_environment``, the variables to add where the function runs without an artifact.
        - ``shared``: the key of the function whose application the artifact of the service names; None without one.
        - ``warnings``: sentences for the user.

    Raises:
        UsageError: a function has the handler of an application, but none is named; or an option is invalid.
    """
    apps: dict[str, str] = {}
    for key in service.functions:
        app = service.application(key)
        if app:
            apps[key] = app
        elif app is not None and not service.has_own_artifact(key):
            raise UsageError(
                f'Function "{key}" has the handler of an application, but serverless.yml names no application. For a '
                'Flask application "app" in api.py, write custom.wsgi.app: api.app (or, for this function alone, '
                f"functions.{key}.wsgi.app: api.app)."
            )
    sharing = [key for key in apps if service.shares_artifact(key)]
    shared = next((key for key in sharing if apps[key] == service.main_application), next(iter(sharing), None))
    applications = {
        key: {
            "app": app,
            "text_types": service.text_types(key),
            "has_own_artifact": service.has_own_artifact(key),
            "environment": _deployed_environment(service, key, shared if shared and key in sharing else key, apps),
            "local_environment": service.text_types_variable(key) | {"BRIDGE_APP": service.local_application(key)},
        }
        for key, app in apps.items()
    }
    handlers = {service.functions[key]["handler"] for key in apps if not service.has_own_artifact(key)}
    warning = f'The handler "{_OLD_WSGI_HANDLER}" is deprecated; write "{HANDLER}" in serverless.yml.'
    return {
        "applications": applications,
        "shared": shared,
        "warnings": [warning] if _OLD_WSGI_HANDLER in handlers else [],
    }


def _deployed_environment(service: ServerlessService, key: str, named: str, apps: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a function needs in an artifact with the application and text types of *named*."""
    if service.has_own_artifact(key):
        return {}
    own = service.environment(key)
    added: dict[str, str] = {}
    if mapping(service.functions[key].get("url")).get("invokeMode") == "RESPONSE_STREAM":
        added |= {name: value for name, value in STREAMING_VARIABLES.items() if name not in own}
    if service.text_types(key) != service.text_types(named):
        added |= service.text_types_variable(key)
    if variables(own).get("BRIDGE_APP", apps[named]) != apps[key]:
        added["BRIDGE_APP"] = apps[key]
    return added
