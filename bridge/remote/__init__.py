"""Commands inside a deployed function: ``exec``, ``command``, ``manage`` and ``flask``, and who asks for them.

The event is serverless-wsgi's: ``{"_serverless-wsgi": {"command": "exec", "data": "print(1)"}}``, answered with
``[status, output]``. :mod:`bridge.remote.function` is the function's side, loaded when such an event comes;
:mod:`bridge.dev.cli.remote_caller` the other one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEY = "_serverless-wsgi"  # adapter.py knows it, too, so that a function without commands does not load this
COMMANDS = ("exec", "command", "manage", "flask")
VARIABLE = "BRIDGE_REMOTE_COMMANDS"


def event_of(command: str, data: str) -> dict[str, Any]:
    """The event that has a function run a command."""
    return {KEY: {"command": command, "data": data}}
