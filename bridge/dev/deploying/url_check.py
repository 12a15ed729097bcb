"""Calling a deployed URL once cold and once warm."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

_TIMEOUT_SECONDS = 35.0
_ATTEMPTS_OF_A_NEW_URL = 6


@dataclass(frozen=True)
class CheckedResponse:
    """A response of a deployed URL.

    Attributes:
        status: the HTTP status; None without a response.
        milliseconds: the time from the request to the whole response.
        error: why there is no response.
    """

    status: int | None
    milliseconds: int
    error: str = ""


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


def check_url(url: str, endpoint_url: str | None = None, *, is_new: bool = False) -> list[CheckedResponse]:
    """Send two GET requests, and return the responses: of a new process of the function, and of the same one again.

    Args:
        url: the URL.
        endpoint_url: the endpoint of an emulator; None for AWS.
        is_new: whether the URL has just been created. AWS may answer it after some seconds only.
    """
    cold = call_url(url, endpoint_url)
    attempts = _ATTEMPTS_OF_A_NEW_URL if is_new else 1
    while cold.status in (None, 403) and (attempts := attempts - 1) > 0:
        time.sleep(1)
        cold = call_url(url, endpoint_url)
    return [cold, call_url(url, endpoint_url)]


def call_url(url: str, endpoint_url: str | None = None) -> CheckedResponse:
    """Send a GET request and return what came back.

    Args:
        url: the URL.
        endpoint_url: the endpoint of an emulator, which gets the request with the host of *url*; None for AWS.
    """
    headers = {"User-Agent": "serverless-bridge deploy"}
    parts, openers = urlsplit(url), [_NoRedirects()]
    if endpoint_url is not None:
        headers["Host"] = parts.netloc
        url = f"{endpoint_url.rstrip('/')}{parts.path or '/'}"
        openers.append(ProxyHandler({}))  # type: ignore[arg-type]
    start, status, message = time.monotonic(), None, ""
    try:
        with build_opener(*openers).open(Request(url, headers=headers), timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            response.read()
            status = response.status
    except HTTPError as error:
        status = error.code
        error.close()
    except (URLError, OSError) as error:
        message = str(getattr(error, "reason", error))
    return CheckedResponse(status, round((time.monotonic() - start) * 1000), message)
