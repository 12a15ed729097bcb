"""A function on Lambda Managed Instances: AWS's emulator in its other mode, with many invocations in flight.

There the emulator starts ``/var/task/bootstrap`` as a user of its own, so the function gets a ``/var`` that nobody else
sees, with all that it needs in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.end_to_end.emulator import Emulator, InvocationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROJECT = Path(__file__).parents[2]
# The folders are the first words; the rest is the emulator's command.
_INSIDE = """
set -e
stage=$1; shift
mount -t tmpfs -o mode=755 none "$stage"
for place in lang packages project task; do mkdir "$stage/$place"; mount --bind "$1" "$stage/$place"; shift; done
mount --rbind "$stage" /var
cd /var/task
exec "$@"
"""


def missing() -> str:
    """What this machine lacks to run it, ``""`` if nothing."""
    if sys.platform != "linux":
        return "Linux"
    if os.geteuid() != 0:
        return "root, for its emulator starts the function as another user"
    if shutil.which("unshare") is None:
        return "unshare (util-linux), to give the function a /var of its own"
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    return f"the right to mount: {tried.stderr.strip()}" if tried.returncode else ""


class Outcome(NamedTuple):
    """What came of one invocation, in the words of AWS's code.

    Attributes:
        payload: the bytes.
        error_type: why it failed, ``""`` if it did not.
        mode: ``"buffered"`` or ``"streaming"``.
        content_type: of the payload.
    """

    payload: bytes
    error_type: str
    mode: str
    content_type: str


class ManagedInstances(Emulator):
    """A function with many invocations in flight; a context manager.

    Args:
        program: the emulator.
        folder: the function's code.
        app: what ``bridge.runtime`` runs.
        work: an empty folder.
        concurrency: how many invocations are in flight at most.
        variables: the function's environment variables.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        app: str,
        work: Path,
        concurrency: int,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._concurrency = concurrency
        stage, task = work / "stage", work / "task"
        stage.mkdir()
        shutil.copytree(folder, task)
        task.chmod(0o755)
        (task / "bootstrap").symlink_to("/var/project/bridge/runtime/bootstrap")
        places = [stage, sys.base_prefix, sysconfig.get_path("purelib"), PROJECT, task]
        own = {
            "AWS_LAMBDA_MAX_CONCURRENCY": str(concurrency),
            "BRIDGE_APP": app,
            "BRIDGE_PYTHON": f"/var/lang/bin/python{sys.version_info.major}.{sys.version_info.minor}",
            "LD_LIBRARY_PATH": "/var/lang/lib",
            "PYTHONPATH": "/var/packages",
            "LAMBDA_TASK_ROOT": "/var/task",
        }
        super().__init__(
            program,
            task,
            "",
            work / "log",
            variables={**own, **(variables or {})},
            command=(),
            place=["unshare", "-m", "--propagation", "private", "sh", "-c", _INSIDE, "sh", *map(str, places)],
        )

    def outcomes_of(self, events: Iterable[Any]) -> list[Outcome]:
        """What comes of *events*, all in flight at once."""
        with ThreadPoolExecutor(self._concurrency) as threads:
            return list(threads.map(self.outcome_of, events))

    def outcome_of(self, event: Any) -> Outcome:
        """What comes of *event*."""
        answer = self._sent(event)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return Outcome(
            answer["Payload"].read(),
            headers.get("error-type", ""),
            headers.get("lambda-runtime-function-response-mode", ""),
            headers.get("content-type", ""),
        )

    def _sent(self, event: Any) -> Any:
        """Boto3's answer. The emulator lets events in with the first poller; the others may come a moment later."""
        for _ in range(50):
            try:
                return self.send(event)
            except InvocationError as error:
                if b"Runtime.Unavailable" not in error.payload:
                    raise
                time.sleep(0.1)
        return self.send(event)
