"""The Lambda handler ``bridge.entrypoint.handler``: a deployed application without a line of code.

The application is the one that ``BRIDGE_APP`` names (see :func:`bridge.application.find_application`), or else the
one in a ``.serverless-wsgi`` file beside the code: JSON with ``app`` and perhaps ``text_mime_types``, as
serverless-wsgi packages it, and any option of :class:`bridge.Settings`.

It is imported, and its lifespan started, when this module is: what fails fails the function's init, with the real
traceback, and Lambda tries again with a new sandbox.
"""

from __future__ import annotations

import os
import sys
from os.path import abspath, dirname, isfile, join

from bridge.adapter import Handler, make_handler
from bridge.application import find_application
from bridge.errors import ApplicationNotFoundError, SettingError
from bridge.interfaces.detect import interface_of
from bridge.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FILE = ".serverless-wsgi"


def load_handler() -> Handler:
    """The handler for the application that the environment or the file names, started up.

    Raises:
        ApplicationNotFoundError: nothing names an application, or what is named is not there.
        SettingError: a setting or the file is wrong.
        BaseException: whatever the application raises while it is imported or started up.
    """
    root, file = _read_file()
    named = file.pop("app", None)
    name = os.environ.get("BRIDGE_APP") or named
    if not name:
        raise ApplicationNotFoundError(
            f"No application is named. Set the function's environment variable BRIDGE_APP to module:attribute, such "
            f'as app:app, or put {_FILE} with {{"app": "module.attribute"}} beside the code (looked in '
            f"{', '.join(_roots())})."
        )
    if not isinstance(name, str):
        raise SettingError(f"In {_FILE}, app is {name!r}; allowed is text such as 'module.attribute'.")
    if texts := file.pop("text_mime_types", None):
        file["text_types"] = texts
    app = find_application(name, root)
    made = app if isinstance(app, Handler) else make_handler(app, interface_of(app), Settings(file=file))
    try:
        made.startup()
    except BaseException:
        made.close()
        raise
    return made


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
                    raise SettingError(f"{path} is not JSON: {error}") from None
            if not isinstance(content, dict):
                raise SettingError(f"{path} holds a JSON {type(content).__name__}, not an object.")
            return root, content
    return None, {}


try:
    handler = load_handler()
except BaseException:
    # AWS's client reports an ImportError without its traceback, so it is written here, whatever it is.
    from traceback import print_exc

    print("The application could not be loaded.", file=sys.stderr)
    print_exc()
    sys.stderr.flush()
    raise
