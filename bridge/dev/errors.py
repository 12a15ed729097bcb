"""Exceptions of the developer's tools: the command line, the readers of project files, the local gateway."""

from __future__ import annotations

from bridge.errors import BridgeError


class CommandError(BridgeError):
    """Ends a command. The message names the cause and what to type next.

    Attributes:
        exit_status: the exit status of the command.
    """

    exit_status = 1


class UsageError(CommandError):
    """An option, or a value in a project's file, is invalid alone or in combination with another one."""

    exit_status = 2


class NoApplicationError(CommandError):
    """No application is named, by the command line, the environment or the project's files, and the code has none."""
