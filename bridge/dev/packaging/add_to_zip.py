"""The bridge in an archive that another tool has made: serverless-python-requirements, say."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError, application, bridge_wheel, requirement_files
from bridge.dev.packaging.archive import compressed, read_zip, write_zip
from bridge.dev.packaging.bytecode import TASK, Compiling
from bridge.dev.packaging.compression import pack
from bridge.dev.packaging.install_cache import installation
from bridge.dev.packaging.options import Artifact, Order
from bridge.dev.packaging.report import measure
from bridge.dev.packaging.requirements import Requirements

if TYPE_CHECKING:
    from collections.abc import Callable

# Where serverless-python-requirements puts them with its option zip: nobody can look for a module there from outside.
_PACKED = ".requirements.zip"


def add(order: Order, tell: Callable[[str, float], None]) -> Artifact:
    """Put the bridge and the application's name into the archive *order.output*; what is there already stays.

    Raises:
        PackagingError: it is no archive, or the application is not in it; it is as it was.
        OSError: it cannot be read or written.
    """
    notes: list[str] = []
    temporary = Path(tempfile.mkdtemp(prefix="bridge-package-"))
    try:
        tell("Adding the bridge", 0.1)
        entries = {entry.path: entry for entry in read_zip(order.output) if not entry.path.endswith("/")}
        assert order.app is not None
        app = application.relative(order.app, order.folder)
        with zipfile.ZipFile(order.output) as archive:
            files: dict[str, Any] = {path: zipfile.Path(archive, path) for path in entries}
            if _PACKED not in entries:
                application.check(app, files, (), order.target.python)
            settings = application.settings(app, order.text_types, files)
        entries[application.SETTINGS_FILE] = compressed(application.SETTINGS_FILE, settings)
        if "bridge/__init__.py" not in entries:
            nothing = Requirements(order.folder)
            with installation(
                nothing, order.target, temporary, also=[bridge_wheel.own(temporary)], more=order.pip_args
            ) as root:
                packages = requirement_files.read(root, order.target, temporary)
                packed, _ = pack(
                    packages.files,
                    packages.owners,
                    Compiling(order, notes).bytecode(TASK),
                    temporary / "compiled",
                    lambda share: tell("Adding the bridge", 0.1 + 0.8 * share),
                )
            for package, own in packed.items():
                if not any(entry.path in entries for entry in own):
                    entries |= {entry.path: entry for entry in own}
                elif package == bridge_wheel.NAME:
                    raise PackagingError(f"{order.output.name}: files of the project hide the bridge itself.")
        tell("Writing", 0.9)
        write_zip(order.output, entries.values())
        return Artifact([order.output], measure({"everything": list(entries.values())}), notes)
    except zipfile.BadZipFile as error:
        raise PackagingError(f"{order.output} is no zip file: {error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
