"""An HTTP client of AWS's services, with few imports: signed requests over connections that threads share.

botocore signs. Its own clients take several times as long to import and to make.
"""

from __future__ import annotations

import os
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

from bridge.errors import WebSocketError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TIMEOUT = 10  # seconds for each operation of a socket


class AwsClient:
    """A client of one service.

    Args:
        url: the service's URL; the path is ignored.
        service: the service's name in signatures; None for requests without one, to a local server.
        region: the service's region; None for the environment's.

    Raises:
        WebSocketError: requests cannot be signed.
    """

    def __init__(self, url: str, service: str | None, region: str | None = None) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._connection_class = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._idle: list[HTTPConnection] = []
        self._service = service
        self._region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        self._credentials: Any = None
        self._session_credentials: Any = None  # those of a profile, which expire
        if service is not None:
            self._find_credentials()

    def request(self, method: str, url: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Return the status and the body of the answer; raises WebSocketError if there is none."""
        headers = self.signed(method, url, body, headers or {}) if self._service is not None else headers or {}
        while True:
            try:
                connection, is_new = self._idle.pop(), False
            except IndexError:
                connection, is_new = self._connection_class(self._host, timeout=_TIMEOUT), True
            try:
                connection.request(method, url.removeprefix(self._origin), body, headers)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, HTTPException) as error:
                connection.close()
                # An idle connection may have been closed, as while Lambda had the process frozen.
                if is_new or isinstance(error, TimeoutError):
                    raise WebSocketError(f"{self._origin} does not answer: {error!r}") from error
                continue
            if not response.will_close:
                self._idle.append(connection)
            return response.status, answer

    def signed(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        """The headers of a request with a signature."""
        request = self._new_request(method, url, data=body, headers=headers)
        if self._session_credentials is not None:
            self._credentials = self._session_credentials.get_frozen_credentials()
        self._new_signer(self._credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())

    def _find_credentials(self) -> None:
        try:
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
        except ImportError:
            raise WebSocketError(
                "Requests to AWS are signed by botocore, which is not installed. Lambda's images for Python have it; "
                "elsewhere install boto3."
            ) from None
        self._new_signer: Any = SigV4Auth
        self._new_request: Any = AWSRequest
        get = os.environ.get
        self._credentials = SimpleNamespace(
            access_key=get("AWS_ACCESS_KEY_ID"), secret_key=get("AWS_SECRET_ACCESS_KEY"), token=get("AWS_SESSION_TOKEN")
        )
        if self._credentials.access_key and self._region:  # as in a function
            return
        from botocore.session import get_session

        session = get_session()
        self._region = self._region or session.get_config_variable("region")
        self._session_credentials = session.get_credentials()
        if self._session_credentials is None or not self._region:
            raise WebSocketError("There are no AWS credentials, or no region: set them as for the AWS CLI.")
