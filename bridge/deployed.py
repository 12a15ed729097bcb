"""The application of a deployed function: the one that its environment, or a file beside its code, names."""

from __future__ import annotations

import os
from os.path import abspath, dirname, isfile, join

import bridge
from bridge.adapter import Handler
from bridge.handlers import make_handler
from bridge.interfaces import interface_of, is_lambda_handler
from bridge.loading import find_application
from bridge.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FILE = ".serverless-wsgi"


def find_handler(name: str = "") -> Any:
    """The handler of the function: the application's, or a plain ``(event, context)`` function as it is.

    Args:
        name: the application or handler; ``""`` for the one that ``BRIDGE_APP`` or else the file names.

    Raises:
        ApplicationNotFoundError: nothing names an application, or what is named is not there.
        SettingError: a setting or the file is wrong.
        BaseException: whatever the application raises while it is imported.
    """
    root, file = _read_file()
    if isfile(join(root or ".", "unzip_requirements.py")):
        # serverless-python-requirements has packed the requirements into a zip; its module unpacks them.
        __import__("unzip_requirements")
    named = file.pop("app", None)
    name = name or os.environ.get("BRIDGE_APP") or named
    if texts := file.pop("text_mime_types", None):
        file["text_types"] = texts
    if not name:
        Settings(file=file)  # says which variables look mistyped
        raise bridge.ApplicationNotFoundError(
            f"No application is named. Set the function's environment variable BRIDGE_APP to module:attribute, such "
            f'as app:app, or put {_FILE} with {{"app": "module.attribute"}} beside the code (looked in '
            f"{', '.join(_roots())})."
        )
    if not isinstance(name, str):
        raise bridge.SettingError(f"In {_FILE}, app is {name!r}; allowed is text such as 'module.attribute'.")
    app = find_application(name, root)
    if isinstance(app, Handler) or is_lambda_handler(app):
        return app
    return make_handler(app, interface_of(app), Settings(file=file))


def _roots() -> list[str]:
    """Where the code may lie: Lambda's task root, the current folder, the folder that holds this package."""
    found = [os.environ.get("LAMBDA_TASK_ROOT") or ".", ".", dirname(dirname(__file__))]
    return list(dict.fromkeys(map(abspath, found)))


def _read_file() -> tuple[str | None, dict[str, Any]]:
    """The folder and the contents of the first settings file; the current folder and nothing without one."""
    for root in _roots():
        path = join(root, _FILE)
        if isfile(path):
            from json import load

            with open(path, encoding="utf-8") as stream:
                try:
                    content = load(stream)
                except ValueError as error:
                    raise bridge.SettingError(f"{path} is not JSON: {error}") from None
            if not isinstance(content, dict):
                raise bridge.SettingError(f"{path} holds a JSON {type(content).__name__}, not an object.")
            return root, content
    return None, {}
