"""Remote commands: ``exec``, ``command``, ``manage`` and ``flask``, run inside a deployed function.

The event is compatible with serverless-wsgi: ``{"_serverless-wsgi": {"command": "exec", "data": "print(1)"}}``. The
function returns ``[exit status, output]``. :mod:`bridge.remote.commands` is imported with the first such event.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The only key of a command's event.
EVENT_KEY = "_serverless-wsgi"
COMMANDS = ("exec", "command", "manage", "flask")
# The environment variable that enables remote commands in a function.
VARIABLE = "BRIDGE_REMOTE_COMMANDS"


def command_event(command: str, data: str) -> dict[str, Any]:
    """Return the event that makes a function run *command*, one of ``COMMANDS``.

    *data* is Python code for ``exec``, a shell command line for ``command``, else the arguments in a shell's notation.
    """
    return {EVENT_KEY: {"command": command, "data": data}}
