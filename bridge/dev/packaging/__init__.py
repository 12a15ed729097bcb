"""An application and its requirements, made into an artifact for AWS Lambda.

The steps: :mod:`~bridge.dev.packaging.project_files` chooses the project's files,
:mod:`~bridge.dev.packaging.requirements` finds what the application needs, :mod:`~bridge.dev.packaging.installer`
installs that for the target, :mod:`~bridge.dev.packaging.compression` compiles and compresses each of the two, or
takes it from the cache, and :mod:`~bridge.dev.packaging.archive` writes the zip.
"""

from __future__ import annotations

from bridge.errors import BridgeError


class PackagingError(BridgeError):
    """There is no artifact; the message says why and what to do."""
