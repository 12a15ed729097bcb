"""The published versions of a function, and the alias that its front door invokes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.aws import error_code
from bridge.dev.deploying.stack_settings import ALIAS
from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    from bridge.dev.deploying.aws import AwsClients

# How many published versions a deployment keeps: each counts for the 75 GB that an account has for code.
_KEPT_VERSIONS = 10
DELETED_FUNCTION_HINT = (
    "CloudFormation does not create it again in the same stack. Run `bridge destroy`, then `bridge deploy`; the URL "
    "will be another one."
)


@dataclass(frozen=True)
class PublishedVersion:
    """A published version of a function.

    Attributes:
        number: the number of the version.
        published: the time as Lambda has it, ``2026-11-29T02:00:00.000+0000``.
        size: the size of the zip file in bytes.
        digest: the SHA-256 of the zip file, in base64.
        is_live: whether the alias serves it.
    """

    number: int
    published: str
    size: int
    digest: str
    is_live: bool


class FunctionVersions:
    """The versions of a function.

    Args:
        clients: the clients of the account and region.
        function: the name of the function.
    """

    def __init__(self, clients: AwsClients, function: str) -> None:
        self._clients, self._function = clients, function

    @property
    def _api(self) -> Any:
        return self._clients.client("lambda")

    def function_exists(self) -> bool:
        """Return whether there is a function of this name."""
        return self._configuration() is not None

    def variables(self) -> list[str]:
        """Return the names of the function's environment variables; those of the newest version."""
        configuration = self._configuration() or {}
        return sorted(configuration.get("Environment", {}).get("Variables", {}))

    def require_live(self) -> int:
        """Return the version that the alias serves.

        Raises:
            CommandError: the function or its alias was deleted, and its stack was not.
        """
        live = self.live()
        if live is None:
            raise CommandError(
                f"The function {self._function} or its alias {ALIAS} was deleted by other means than `bridge destroy`. "
                f"{DELETED_FUNCTION_HINT}"
            )
        return live

    def _configuration(self) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            configuration: dict[str, Any] = self._api.get_function_configuration(FunctionName=self._function)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return configuration

    def live(self) -> int | None:
        """Return the version that the alias serves; None if there is no such function or alias."""
        from botocore.exceptions import ClientError

        try:
            return int(self._api.get_alias(FunctionName=self._function, Name=ALIAS)["FunctionVersion"])
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise

    def all(self) -> list[PublishedVersion]:
        """Return the published versions, the newest first."""
        live = self.require_live()
        pages = self._api.get_paginator("list_versions_by_function").paginate(FunctionName=self._function)
        versions = [
            PublishedVersion(
                int(each["Version"]), each["LastModified"], each["CodeSize"], each["CodeSha256"],
                int(each["Version"]) == live,
            )
            for page in pages
            for each in page["Versions"]
            if each["Version"] != "$LATEST"
        ]  # fmt: skip
        return sorted(versions, key=lambda version: -version.number)

    def serve(self, number: int) -> None:
        """Make the alias serve a version."""
        self._api.update_alias(FunctionName=self._function, Name=ALIAS, FunctionVersion=str(number))

    def earlier(self, number: int | None = None) -> PublishedVersion:
        """Return the version to roll back to.

        Args:
            number: the version; None for the one before that which the alias serves.

        Raises:
            CommandError: there is no earlier version.
            UsageError: there is no version of that number.
        """
        versions = self.all()
        if number is not None:
            for version in versions:
                if version.number == number:
                    return version
            numbers = ", ".join(str(version.number) for version in versions) or "none"
            raise UsageError(f"{self._function} has no version {number}. The published versions are: {numbers}.")
        live = next((version.number for version in versions if version.is_live), 0)
        before = next((version for version in versions if version.number < live), None)
        if before is None:
            raise CommandError(
                f"{self._function} has no version before {live or 'the first one'}. `bridge versions` lists all."
            )
        return before

    def prune(self) -> list[int]:
        """Delete all versions but the newest and the live one, and return the numbers of those that are deleted."""
        outdated = [version.number for version in self.all()[_KEPT_VERSIONS:] if not version.is_live]
        for number in outdated:
            self._api.delete_function(FunctionName=self._function, Qualifier=str(number))
        return outdated
