"""What holds for all tests."""

from __future__ import annotations

import signal

# A shell has what it runs in the background ignore Ctrl-C, and all that is started there with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
