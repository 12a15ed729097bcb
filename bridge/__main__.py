"""``python -m bridge``: the command ``bridge``. It lies in ``bridge.dev``, which is not part of a packaged function."""

import runpy
import sys
from importlib.util import find_spec

if find_spec("bridge.dev") is None:
    print(
        "python -m bridge: the command line is not part of a packaged function; install it with "
        "`pip install serverless-bridge`.",
        file=sys.stderr,
    )
    sys.exit(2)
runpy.run_module("bridge.dev", run_name="__main__", alter_sys=True)
