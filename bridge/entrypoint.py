"""The Lambda handler ``bridge.entrypoint.handler``: a deployed application without a line of code.

The application is the one that ``BRIDGE_APP`` names (see :func:`bridge.loading.find_application`), or else the
one in a ``.serverless-wsgi`` file beside the code: JSON with ``app`` and perhaps ``text_mime_types``, as
serverless-wsgi packages it, and any option of :class:`bridge.Settings`.

It is imported, and its lifespan started, when this module is: what fails fails the function's init, with the real
traceback, and Lambda tries again with a new sandbox.
"""

from __future__ import annotations

import sys

from bridge.adapter import Handler
from bridge.deployed import find_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load_handler() -> Any:
    """The handler for the application that the environment or the file names, started up.

    Raises:
        ApplicationNotFoundError: nothing names an application, or what is named is not there.
        SettingError: a setting or the file is wrong.
        BaseException: whatever the application raises while it is imported or started up.
    """
    made = find_handler()
    if isinstance(made, Handler):
        try:
            made.startup()
        except BaseException:
            made.close()
            raise
    return made


try:
    handler = load_handler()
except BaseException:
    # AWS's client reports an ImportError without its traceback, so it is written here, whatever it is.
    from traceback import print_exc

    print("The application could not be loaded.", file=sys.stderr)
    print_exc()
    sys.stderr.flush()
    raise
