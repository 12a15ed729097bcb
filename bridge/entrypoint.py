"""The Lambda handler ``bridge.entrypoint.handler``: a deployed application without a line of code.

The application is the one that ``BRIDGE_APP`` names (see :func:`bridge.loading.find_application`), or else the one in a
``.serverless-wsgi`` file beside the code: JSON with ``app`` and perhaps ``text_mime_types``, as serverless-wsgi
packages it, and any option of :class:`bridge.Settings`.

Importing this module imports the application and starts its lifespan. An error fails the function's init with the
original traceback, and Lambda tries again in a new sandbox.
"""

from __future__ import annotations

import sys
import traceback

from bridge.handlers import Handler, find_handler

try:
    handler = find_handler()
    if isinstance(handler, Handler):
        try:
            handler.startup()
        except BaseException:
            handler.close()
            raise
except BaseException:
    # AWS's client reports an ImportError without its traceback.
    print("The application could not be loaded.", file=sys.stderr)
    traceback.print_exc()
    sys.stderr.flush()
    raise
