"""What an artifact is for: a Python, a processor and a C library, which need not be those of this machine."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from bridge.dev.packaging import PackagingError

# Lambda's name of a processor, and the one in the names of wheels.
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}

# Lambda's runtimes up to Python 3.11 are Amazon Linux 2 with glibc 2.26, later ones Amazon Linux 2023 with 2.34.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
# (Of the tags up to 2.26 uv knows 2_17 and no later one.)
_AMAZON_LINUX_2, _AMAZON_LINUX_2023 = "manylinux_2_17", "manylinux_2_34"
_LAST_ON_AMAZON_LINUX_2 = 11


@dataclass(frozen=True)
class Target:
    """A place where the artifact can run.

    Attributes:
        python: the Python version, ``3.12``.
        arch: ``x86_64`` or ``arm64``, as Lambda calls them.
        platform: the tag of the C library, ``manylinux_2_34`` or ``musllinux_1_2``.
    """

    python: str
    arch: str
    platform: str

    @classmethod
    def of(cls, python: str | None = None, arch: str = "x86_64", platform: str | None = None) -> Target:
        """The target of the options; what is not said is as Lambda has it.

        Raises:
            PackagingError: an option is malformed.
        """
        python = (python or f"3.{sys.version_info.minor}").removeprefix("python")
        minor = re.fullmatch(r"3\.(\d+)", python)
        if minor is None:
            raise PackagingError(f"--python {python}: write a version as 3.12.")
        if arch not in MACHINES:
            raise PackagingError(f"--arch {arch}: Lambda has {' and '.join(MACHINES)}.")
        if platform is None:
            platform = _AMAZON_LINUX_2 if int(minor[1]) <= _LAST_ON_AMAZON_LINUX_2 else _AMAZON_LINUX_2023
        machine = MACHINES[arch]
        platform = platform.removesuffix(f"_{machine}").replace("manylinux2014", "manylinux_2_17")
        if not re.fullmatch(r"(many|musl)linux_\d+_\d+", platform):
            raise PackagingError(
                f"--platform {platform}: write the tag of a C library, as in the names of wheels: manylinux_2_28, or "
                f"musllinux_1_2 for Alpine. (The processor is --arch {arch}.)"
            )
        return cls(python, arch, platform)

    @property
    def machine(self) -> str:
        """The processor, as wheels are named."""
        return MACHINES[self.arch]

    @property
    def uv_platform(self) -> str:
        """What ``uv --python-platform`` calls it."""
        if self.platform.startswith("musl"):
            return f"{self.machine}-unknown-linux-musl"
        return f"{self.machine}-{self.platform}"

    @property
    def wheel_platforms(self) -> list[str]:
        """All tags of wheels that run there, the newest C library first: pip wants to be told each."""
        family, major, newest = self.platform.split("_")
        oldest = 5 if family == "manylinux" else 0
        tags = [f"{family}_{major}_{minor}_{self.machine}" for minor in range(int(newest), oldest - 1, -1)]
        if f"manylinux_2_17_{self.machine}" in tags:
            tags.append(f"manylinux2014_{self.machine}")
        return tags

    def __str__(self) -> str:
        return f"Python {self.python} on {self.arch} ({self.platform})"
