"""The Python version, processor and C library that an artifact is built for."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from bridge.dev.packaging import PackagingError

# The processors as Lambda names them, and as wheels do.
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}

# Lambda's runtimes up to Python 3.11 run on Amazon Linux 2 with glibc 2.26, later ones on Amazon Linux 2023 with 2.34:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
# manylinux_2_17 is the newest tag up to glibc 2.26 that `uv --python-platform` accepts.
_AMAZON_LINUX_2, _AMAZON_LINUX_2023 = "manylinux_2_17", "manylinux_2_34"
_LAST_MINOR_ON_AMAZON_LINUX_2 = 11
# The minor versions of Python 3 that Lambda has a runtime for, and that the bridge supports.
LAMBDA_MINORS = range(11, 15)


@dataclass(frozen=True)
class Target:
    """The environment that an artifact runs in.

    Attributes:
        python: the Python version, ``"3.12"``.
        arch: the processor as Lambda names it, ``"x86_64"`` or ``"arm64"``.
        platform: the C library as in wheel tags, ``"manylinux_2_34"`` or ``"musllinux_1_2"``.
    """

    python: str
    arch: str
    platform: str

    @classmethod
    def from_options(cls, python: str | None = None, arch: str = "x86_64", platform: str | None = None) -> Target:
        """Return the target for the options of ``bridge package``.

        Args:
            python: ``"3.12"`` or ``"python3.12"``; the version of the running interpreter if None.
            arch: a key of ``MACHINES``.
            platform: a wheel's platform tag, with or without the processor; that of Lambda's runtime if None.

        Raises:
            PackagingError: an option is malformed.
        """
        python = (python or f"3.{sys.version_info.minor}").removeprefix("python")
        minor = re.fullmatch(r"3\.(\d+)", python)
        if minor is None:
            raise PackagingError(
                f"--python {python}: this is not a version of Python 3. Write major and minor version, such as 3.12."
            )
        if int(minor[1]) not in LAMBDA_MINORS:
            raise PackagingError(
                f"--python {python}: the artifact would not run. Write one of the versions that both Lambda and the "
                f"bridge have: {', '.join(f'3.{each}' for each in LAMBDA_MINORS)}."
            )
        if arch not in MACHINES:
            raise PackagingError(f"--arch {arch}: Lambda has no such processor. Write {' or '.join(MACHINES)}.")
        if platform is None:
            platform = _AMAZON_LINUX_2 if int(minor[1]) <= _LAST_MINOR_ON_AMAZON_LINUX_2 else _AMAZON_LINUX_2023
        platform = platform.removesuffix(f"_{MACHINES[arch]}").replace("manylinux2014", "manylinux_2_17")
        if not re.fullmatch(r"(many|musl)linux_\d+_\d+", platform):
            raise PackagingError(
                f"--platform {platform}: this is not the tag of a C library for {arch}. Write it as in the file names "
                "of wheels: manylinux_2_28, or musllinux_1_2 for Alpine. --arch sets the processor."
            )
        return cls(python, arch, platform)

    @property
    def machine(self) -> str:
        """The processor as wheels name it."""
        return MACHINES[self.arch]

    @property
    def uv_platform(self) -> str:
        """The value for ``uv --python-platform``."""
        if self.platform.startswith("musl"):
            return f"{self.machine}-unknown-linux-musl"
        return f"{self.machine}-{self.platform}"

    @property
    def wheel_platforms(self) -> list[str]:
        """The values for ``pip --platform``: every wheel tag that runs on the target, the newest C library first."""
        family, major, newest = self.platform.split("_")
        oldest = 5 if family == "manylinux" else 0
        tags = [f"{family}_{major}_{minor}_{self.machine}" for minor in range(int(newest), oldest - 1, -1)]
        if f"manylinux_2_17_{self.machine}" in tags:
            tags.append(f"manylinux2014_{self.machine}")
        return tags

    def __str__(self) -> str:
        return f"Python {self.python} on {self.arch} ({self.platform})"
