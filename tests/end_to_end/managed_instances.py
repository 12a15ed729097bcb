"""A function on Lambda Managed Instances: AWS's emulator in the mode with concurrent invocations.

In this mode the emulator starts ``/var/task/bootstrap`` as another user. The function therefore runs in a mount
namespace with a private ``/var`` that contains all it needs.
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
# The first arguments are folders; the others are the emulator's command.
_SCRIPT = """
set -e
stage=$1; shift
mount -t tmpfs -o mode=755 none "$stage"
for place in lang packages project task; do mkdir "$stage/$place"; mount --bind "$1" "$stage/$place"; shift; done
mount --rbind "$stage" /var
cd /var/task
exec "$@"
"""


def missing_requirement() -> str:
    """Return what this machine lacks to run such a function; empty if nothing."""
    if sys.platform != "linux":
        return "Linux"
    if os.geteuid() != 0:
        return "root, since the emulator starts the function as another user"
    if shutil.which("unshare") is None:
        return "unshare (util-linux), for a private /var"
    mounted = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    return f"the permission to mount: {mounted.stderr.strip()}" if mounted.returncode else ""


class InvocationResult(NamedTuple):
    """The result of one invocation, as the emulator reports it.

    Attributes:
        payload: the response.
        error_type: the type of the error; empty if the invocation succeeded.
        mode: ``"buffered"`` or ``"streaming"``.
        content_type: the type of the payload.
    """

    payload: bytes
    error_type: str
    mode: str
    content_type: str


class ManagedInstances(Emulator):
    """A function with concurrent invocations.

    Args:
        program: the emulator's executable.
        folder: the function's code.
        app: the application, for ``BRIDGE_APP``.
        work_folder: an empty folder.
        concurrency: the maximum number of concurrent invocations.
        variables: the function's environment variables.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        app: str,
        work_folder: Path,
        concurrency: int,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._concurrency = concurrency
        stage, task = work_folder / "stage", work_folder / "task"
        stage.mkdir()
        shutil.copytree(folder, task)
        task.chmod(0o755)
        (task / "bootstrap").symlink_to("/var/project/bridge/runtime/bootstrap")
        folders = [stage, sys.base_prefix, sysconfig.get_path("purelib"), PROJECT, task]
        environment = {
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
            work_folder / "log",
            variables={**environment, **(variables or {})},
            command=(),
            wrapper=["unshare", "-m", "--propagation", "private", "sh", "-c", _SCRIPT, "sh", *map(str, folders)],
        )

    def results_of(self, events: Iterable[Any]) -> list[InvocationResult]:
        """Return the results of concurrent invocations."""
        with ThreadPoolExecutor(self._concurrency) as threads:
            return list(threads.map(self.result_of, events))

    def result_of(self, event: Any) -> InvocationResult:
        """Return the result of an invocation."""
        response = self._send_when_available(event)
        headers = response["ResponseMetadata"]["HTTPHeaders"]
        return InvocationResult(
            response["Payload"].read(),
            headers.get("error-type", ""),
            headers.get("lambda-runtime-function-response-mode", ""),
            headers.get("content-type", ""),
        )

    def _send_when_available(self, event: Any) -> Any:
        """Return boto3's response. The emulator accepts as many events as there are pollers, which start one by one."""
        for _ in range(50):
            try:
                return self.send(event)
            except InvocationError as error:
                if b"Runtime.Unavailable" not in error.payload:
                    raise
                time.sleep(0.1)
        return self.send(event)
