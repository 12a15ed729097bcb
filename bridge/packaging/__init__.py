"""An application and its requirements, made into an artifact for AWS Lambda.

The way is: :mod:`~bridge.packaging.code` chooses the project's files, :mod:`~bridge.packaging.requirements` finds what
it needs, :mod:`~bridge.packaging.install` installs that for the target, :mod:`~bridge.packaging.part` compiles and
compresses each of the two, or takes it from the cache, and :mod:`~bridge.packaging.archive` writes the bytes.
"""

from __future__ import annotations

from bridge.errors import BridgeError


class PackagingError(BridgeError):
    """There is no artifact; the message says why and what to do."""
