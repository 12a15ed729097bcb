"""A client that sends HTTP requests through a front door of this machine to a handler, and keeps cookies."""

from __future__ import annotations

import json
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from bridge.dev.gateway import Answer, Request, compose, interpret

if TYPE_CHECKING:
    from bridge import Handler

HOST = "shop.example.com"
ORIGIN = f"https://{HOST}"


class Browser:
    """One visitor.

    Args:
        handler: what answers.
        source: the front door between.
        prefix: what the visitor's URLs begin with.
        **door: how the front door is set up.

    Attributes:
        cookies: those that the shop has set.
    """

    def __init__(self, handler: Handler, source: str, prefix: str = "", **door: Any) -> None:
        self._handler = handler
        self._source = source
        self._prefix = prefix
        # Without this a REST API gives base64 to those who ask for an image.
        self._door = {"binary_media_types": ("*/*",), **door}
        self.cookies: dict[str, str] = {}

    def request(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None, **more: Any
    ) -> Answer:
        """Send one request; the event and the payload pass through JSON, as on AWS."""
        path, _, query = target.partition("?")
        fields = {"host": HOST, "accept": "*/*", "user-agent": "tests", **(headers or {})}
        if body:
            fields["content-length"] = str(len(body))
        if self.cookies:
            fields["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = Request(method, self._prefix + path, query, list(fields.items()), body, client="203.0.113.7")
        event = json.loads(json.dumps(compose(request, self._source, **self._door)))
        payload = json.loads(json.dumps(self._handler(event, None)))
        answer = interpret(payload, self._source, request, **self._door)
        self._keep_cookies(answer)
        return answer

    def get(self, target: str, **headers: str) -> Answer:
        """Get a page."""
        return self.request("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def submit(self, target: str, **fields: str) -> Answer:
        """Submit a form."""
        form = {"content-type": "application/x-www-form-urlencoded"}
        return self.request("POST", target, urlencode(fields).encode(), form)

    def upload(self, target: str, filename: str, content: bytes) -> Answer:
        """Submit a form with a file in the field ``file``."""
        border = b"----aBorder7MA4YWxkTrZu0gW"
        disposition = f'Content-Disposition: form-data; name="file"; filename="{filename}"'.encode()
        head = b"\r\n".join([b"--" + border, disposition, b"Content-Type: application/octet-stream", b"", b""])
        body = head + content + b"\r\n--" + border + b"--\r\n"
        return self.request("POST", target, body, {"content-type": f"multipart/form-data; boundary={border.decode()}"})

    def follow(self, answer: Answer, at: str) -> Answer:
        """Go where *answer*, that of the page *at*, redirects to."""
        url = urlsplit(urljoin(f"{ORIGIN}{self._prefix}{at}", answer.header("location")))
        assert (url.scheme, url.netloc) == ("https", HOST)
        assert url.path.startswith(self._prefix + "/")
        return self.get(url.path.removeprefix(self._prefix))

    def _keep_cookies(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                parsed = SimpleCookie(value)
                assert len(parsed) == 1, f"not one cookie: {value}"
                key, _, rest = value.strip().partition("=")
                self.cookies[key] = rest.partition(";")[0]
