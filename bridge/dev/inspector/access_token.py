"""The access token of the inspector: other users of this machine can reach its port, and must not see requests."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def user_token() -> str:
    """Return the token of this user: the same for each ``bridge serve``, so that an open page stays valid.

    The file is ``serverless-bridge/inspector-token`` in the folder of ``XDG_STATE_HOME``, or in ``~/.local/state``, and
    only this user can read it. If it cannot be written, the token is a new one.
    """
    token = secrets.token_urlsafe(16)
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: this user has no home
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        file = Path(state) / "serverless-bridge" / "inspector-token"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text().strip() or token
        with os.fdopen(descriptor, "w") as output:
            output.write(token)
    return token
