"""A request as text that people paste: a curl command, an event, a test."""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.event_parts import decode_header
from bridge.dev.inspector.masking import is_secret, masked_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.gateway.gateway import AccessRecord
    from bridge.dev.gateway.models import Headers, Request

# curl and httpx write these themselves.
_OMITTED = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_MAX_BODY_IN_TEST = 2_000


def as_curl(record: AccessRecord, url: str, *, with_secrets: bool) -> str:
    """Return a command for POSIX shells that sends the request again.

    Args:
        record: the request.
        url: the address of the front door, such as ``"http://localhost:5000"``.
        with_secrets: whether to write credentials and cookies; otherwise these headers are left out.
    """
    request = record.request
    words = ["curl -i --globoff --path-as-is"]
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != ("POST" if request.body else "GET"):
        words.append(f"-X {_quoted(request.method)}")
    words.append(_quoted(url + request.target))
    pairs = list(_headers(request, with_secrets=with_secrets))
    if not any(name.lower() == "content-type" for name, _ in pairs) and request.body:
        pairs.append(("Content-Type", None))
    if request.header("host") not in ("", url.partition("://")[2]):
        pairs.append(("Host", request.header("host")))
    for name, value in pairs:
        if value is None:  # curl would add one of its own
            words.append(_option("-H", f"{name}:"))
        else:
            words.append(_option("-H", f"{name}: {value}" if value else f"{name};"))
    data = _decoded(request.body)
    if request.body and data is None:
        words.append("--data-binary @-")
        encoded = base64.b64encode(request.body).decode()
        return f"printf %s {encoded} | base64 -d | " + " \\\n  ".join(words)
    if data:
        words.append(_option("--data-raw", data))
    return " \\\n  ".join(words)


def as_event(record: AccessRecord, *, with_secrets: bool) -> str:
    """Return the event as JSON, for ``bridge invoke --event`` or Lambda's console; ``""`` if there is none."""
    if record.event is None:
        return ""
    event = record.event if with_secrets else masked_json(record.event)
    return json.dumps(event, indent=2, ensure_ascii=False)


def as_test(record: AccessRecord, app: str, *, with_secrets: bool) -> str:
    """Return a test for pytest with the fixture ``bridge_client``, which expects the answer that was recorded.

    Args:
        record: the request.
        app: the application, as :func:`bridge.loading.find_application` takes it.
        with_secrets: whether to write credentials and cookies; otherwise these headers are left out.
    """
    request, answer = record.request, record.answer
    imported, expression = _import_of(app)
    door = record.door
    settings: dict[str, Any] = {"source": record.source}
    if door is not None:
        settings |= {"stage": door.stage, "base_path": door.base_path, "binary_media_types": door.binary_media_types}
    arguments = "".join(f", {name}={_literal(value)}" for name, value in settings.items() if value)
    target = request.target if not request.target.startswith("//") else f"https://testserver{request.target}"
    lines = [imported, "", "", f"def test_{_name(request)}(bridge_client):"]
    lines.append(f"    client = bridge_client({expression}{arguments})")
    lines.append("    response = client.request(")
    lines += [f"        {_literal(request.method)},", f"        {_literal(target)},"]
    pairs = [(name, value) for name, value in _headers(request, with_secrets=with_secrets)]
    if request.header("host"):
        pairs.insert(0, ("host", request.header("host")))
    if pairs:
        lines += ["        headers=[", *(f"            {_pair(name, value)}," for name, value in pairs), "        ],"]
    if request.body:
        lines.append(f"        content={request.body!r},")
    lines += ["    )", f"    assert response.status_code == {answer.status}"]
    content_type = answer.header("content-type")
    if content_type:
        lines.append(f'    assert response.headers["content-type"] == {_literal(content_type)}')
    lines += [f"    {line}" for line in _body_assertions(record)]
    if not with_secrets and any(is_secret(name) for name, _ in request.headers):
        lines.insert(0, "# Credentials and cookies are left out. Show them in the inspector to copy them, too.")
    return "\n".join(lines) + "\n"


def _headers(request: Request, *, with_secrets: bool) -> Iterator[tuple[str, str | None]]:
    headers: Headers = request.headers
    for name, value in headers:
        if name.lower() not in _OMITTED and (with_secrets or not is_secret(name)):
            yield name, value


def _pair(name: str, value: str | None) -> str:
    text = decode_header(value or "")
    return f"({_literal(name)}, {_literal(text if text.isascii() else text.encode())})"


def _body_assertions(record: AccessRecord) -> list[str]:
    answer = record.answer
    if record.streamed is not None or not answer.has_body(record.request.method):
        return []
    text = _decoded(answer.body)
    if text is None or len(text) > _MAX_BODY_IN_TEST:
        return [f"assert len(response.content) == {len(answer.body)}"]
    if "json" in answer.header("content-type"):
        try:
            return [f"assert response.json() == {json.loads(text)!r}"]
        except ValueError:
            pass
    return [f"assert response.text == {_literal(text)}"]


def _literal(value: Any) -> str:
    """Return *value* as a Python literal, a string with double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) and value.isprintable() else repr(value)


def _import_of(app: str) -> tuple[str, str]:
    """Return an import and an expression for the application."""
    module, colon, attribute = app.partition(":")
    if not colon:
        module, _, attribute = app.rpartition(".")
    factory = attribute.removesuffix("()")
    if re.fullmatch(r"\w+(\.\w+)*", module) and factory.isidentifier():
        return f"from {module} import {factory}", attribute
    return "from bridge.loading import find_application", f"find_application({_literal(app)})"


def _name(request: Request) -> str:
    words = re.findall(r"[a-z0-9]+", f"{request.method} {request.path}".lower())
    return "_".join(words)[:60]


def _decoded(body: bytes) -> str | None:
    """Return a body as text; None if its bytes are not text that a terminal can take."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\n\t" for character in text) else None


def _option(name: str, value: str) -> str:
    return f"{name} {_quoted(decode_header(value))}"


def _quoted(text: Any) -> str:
    r"""Return *text* as one word for a shell; characters that could control a terminal as ``$'\x1b'``."""
    if all(character.isprintable() or character in "\n\t" for character in text):
        return shlex.quote(text)
    quoted = "".join(
        character if character.isprintable() and character not in "\\'" else _escaped(character) for character in text
    )
    return f"$'{quoted}'"


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
