"""The commands of a process of the runtime; the application is appended."""

from __future__ import annotations

import sys

IN_THREAD = (sys.executable, "-m", "bridge.runtime")
# One invocation at a time, too, so that tests can compare both. The product does that only for several at once.
_SCRIPT = """
import sys
from functools import partial
from bridge.runtime import __main__
from bridge.runtime.concurrent_runtime import ConcurrentRuntime
__main__.Runtime = partial(ConcurrentRuntime, concurrency=1)
sys.exit(__main__.main(sys.argv[1:]))
"""
ON_EVENT_LOOP = (sys.executable, "-c", _SCRIPT)
