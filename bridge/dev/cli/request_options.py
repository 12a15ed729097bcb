"""Options that describe one HTTP request, named as curl's."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from bridge.dev.errors import UsageError
from bridge.dev.gateway import Request
from bridge.response import TOKEN

if TYPE_CHECKING:
    import argparse

# RFC 3986: the characters of a path that need no escape, and the percent sign of the escapes that are there.
_PATH_CHARACTERS = "/%:@!$&'()*+,;=-._~"
_QUERY_CHARACTERS = _PATH_CHARACTERS + "?"


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """Add the URL, the method, the headers and the body."""
    add = parser.add_argument
    add("url", nargs="?", metavar="URL", help="a path with its query, or a whole URL; default: /")
    add("-X", "--request", metavar="METHOD", help="the method; default: GET, or POST with a body")
    add("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="a header; repeatable")
    body = parser.add_mutually_exclusive_group().add_argument
    body("-d", "--data", action="append", default=[], help="a form body, or @FILE; repeatable, joined by &")
    body("--data-binary", metavar="DATA", help="a body that is sent unchanged, @FILE, or @- for standard input")


def request_from(options: argparse.Namespace) -> Request:
    """Return the request that the options describe.

    Raises:
        UsageError: an option is malformed, or names a file that cannot be read.
    """
    text = options.url or "/"
    try:
        url = urlsplit(text if re.match(r"https?://", text) else f"https://localhost/{text.removeprefix('/')}")
    except ValueError as error:
        raise UsageError(f"{text!r} is not a URL: {error}. Write a path such as /tea, or an absolute URL.") from None
    if options.request is not None and not (options.request and TOKEN.issuperset(options.request)):
        raise UsageError(f"-X {options.request!r} is not an HTTP method. Write one such as -X PUT.")
    headers = [_header(line) for line in options.header]
    names = {name.lower() for name, _ in headers}
    defaults = (("host", url.netloc), ("user-agent", "bridge"), ("accept", "*/*"))
    headers = [*(pair for pair in defaults if pair[0] not in names), *headers]
    body = _body(options)
    if body is not None:
        if "content-type" not in names:
            headers.append(("content-type", "application/x-www-form-urlencoded"))
        headers.append(("content-length", str(len(body))))
    return Request(
        method=options.request or ("GET" if body is None else "POST"),
        path=quote(os.fsencode(url.path or "/"), safe=_PATH_CHARACTERS),
        query=quote(os.fsencode(url.query), safe=_QUERY_CHARACTERS),
        headers=headers,
        body=body or b"",
        scheme=url.scheme,
    )


def _header(line: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not colon and name.endswith(";"):  # curl's notation for a header without a value
        name, colon = name[:-1].rstrip(), ":"
    if not colon or not name:
        raise UsageError(f"-H {line!r} is not a header. Write it as 'Name: value'.")
    if not TOKEN.issuperset(name):
        raise UsageError(
            f"-H {line!r}: HTTP does not allow {name!r} as the name of a header. Use letters, digits and hyphens."
        )
    if re.search(r"[\r\n\0]", value):
        raise UsageError(f"-H {line!r}: HTTP does not allow a line break in the value of a header. Remove it.")
    return name, os.fsencode(value).decode("latin-1")


def _body(options: argparse.Namespace) -> bytes | None:
    if options.data_binary is not None:
        return _content(options.data_binary)
    if not options.data:
        return None
    # As curl does, -d removes the line breaks of a file.
    return b"&".join(
        _content(item).translate(None, b"\r\n") if item.startswith("@") else os.fsencode(item) for item in options.data
    )


def _content(item: str) -> bytes:
    if not item.startswith("@"):
        return os.fsencode(item)
    if item == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(item[1:]).read_bytes()
    except OSError as error:
        raise UsageError(f"{item[1:]} cannot be read: {error.strerror}.") from None
