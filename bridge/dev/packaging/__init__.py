"""Packages an application and its requirements into an artifact for AWS Lambda.

The steps of :func:`bridge.dev.packaging.build.build_artifact`:

1. :mod:`~bridge.dev.packaging.project_files` chooses the project's files.
2. :mod:`~bridge.dev.packaging.project_requirements` finds the requirements: its table of readers has an entry for each
   kind of file. :mod:`~bridge.dev.packaging.requirements_txt`, :mod:`~bridge.dev.packaging.poetry_lock`,
   :mod:`~bridge.dev.packaging.pipfile_lock` and :mod:`~bridge.dev.packaging.pylock` convert the files;
   :mod:`~bridge.dev.packaging.uv_workspace` finds uv.lock. :mod:`~bridge.dev.packaging.installer` installs the
   requirements for the target, or :mod:`~bridge.dev.packaging.install_cache` returns an earlier installation.
3. :mod:`~bridge.dev.packaging.installed_files` chooses the files of that installation.
4. :mod:`~bridge.dev.packaging.compression` compiles and compresses both, or loads them from the cache.
5. :mod:`~bridge.dev.packaging.archive` writes the zip, or :mod:`~bridge.dev.packaging.image` a folder for Docker.
"""

from __future__ import annotations

from bridge.errors import BridgeError


class PackagingError(BridgeError):
    """No artifact can be built. The message names the cause and what to type next."""
