"""The one path from event to payload: the same for a call and for a server's loop, for one thread and for many."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

import bridge
from bridge.asgi import cycle as asgi_module
from bridge.dev.gateway import SOURCES, Request, compose, interpret
from bridge.wsgi import call as wsgi_module
from bridge.wsgi import environ as environ_module
from tests.helpers import get, event, run_script

if TYPE_CHECKING:
    from collections.abc import Iterable


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ValueError("what went wrong")
    if path == "/exit":
        raise SystemExit(3)
    status = "304 Not Modified" if path == "/same" else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [path.encode("latin-1"), b" ", environ["wsgi.input"].read()]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    path = scope["path"]
    await asyncio.sleep(0)
    if path == "/fail":
        raise ValueError("what went wrong")
    if path == "/exit":
        raise SystemExit(3)
    message = await receive()
    headers = [(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 304 if path == "/same" else 200, "headers": headers})
    await send({"type": "http.response.body", "body": path.encode() + b" " + message["body"]})


def request(path: str, method: str = "GET", body: bytes = b"") -> Request:
    return Request(method, path, "", [("host", "shop.example"), ("content-type", "text/plain")], body)


REQUESTS = [
    request("/caf%C3%A9", "POST", b"body"),
    request("/page", "HEAD"),
    request("/same"),
    request("/fail"),
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("asked", REQUESTS, ids=lambda asked: asked.path)
async def test_a_payload_is_the_same_on_every_way(source: str, asked: Request) -> None:
    given = compose(asked, source)
    untouched = deepcopy(given)
    called = bridge.asgi_handler(asgi)
    served = bridge.asgi_handler(asgi)
    payloads = [bridge.wsgi_handler(wsgi)(given, None), called(given, None), await served.answer(given, None)]
    assert payloads[0] == payloads[1] == payloads[2]
    assert given == untouched
    answer = interpret(json.loads(json.dumps(payloads[0])), source, asked)
    assert answer.status == {"/same": 304, "/fail": 500}.get(asked.path, 200)
    if asked.path not in ("/fail", "/same"):
        assert answer.body == (b"" if asked.method == "HEAD" else "/café ".encode() + asked.body)
    called.close()
    assert served.hosted is not None
    await served.hosted.close_here()


class TestAnswer:
    """What a server of many requests awaits, beside what a call does."""

    async def test_other_events_go_the_same_way(self) -> None:
        handler = bridge.asgi_handler(asgi, other_events=lambda event, context: {"seen": event})
        assert await handler.answer({"Records": []}) == {"seen": {"Records": []}}
        assert await handler.answer({"source": "aws.events"}) == {}
        with pytest.raises(bridge.EventError, match="odd"):
            await bridge.asgi_handler(asgi).answer({"odd": 1})

    async def test_options_count(self) -> None:
        handler = bridge.asgi_handler(asgi, base_path="/shop", exclude_headers=["Set-Cookie"], lifespan="off")
        payload = await handler.answer(event("/shop/page"))
        assert payload["headers"] == {"Content-Type": "text/plain"}
        assert payload["body"] == "/shop/page "

    async def test_a_failure_is_a_logged_500(self, caplog: pytest.LogCaptureFixture) -> None:
        payload = await bridge.asgi_handler(asgi, lifespan="off").answer(event("/fail"))
        assert payload["statusCode"] == 500
        assert "what went wrong" in caplog.text

    async def test_a_startup_that_fails_is_a_logged_500_and_tried_again(self) -> None:
        failures = [OSError("no database")]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await asgi(scope, receive, send)
                return
            await receive()
            if failures:
                await send({"type": "lifespan.startup.failed", "message": str(failures.pop())})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

        handler = bridge.asgi_handler(app)
        assert [(await handler.answer(event()))["statusCode"] for _ in range(3)] == [500, 200, 200]
        assert handler.hosted is not None
        await handler.hosted.close_here()

    def test_which_handlers_have_it(self) -> None:
        assert not bridge.wsgi_handler(wsgi).is_async
        assert bridge.asgi_handler(asgi).is_async
        assert bridge.asgi_handler(wsgi).is_async  # in a thread


@pytest.mark.parametrize("app", [wsgi, asgi])
def test_many_threads_get_each_its_own_answer(app: Any) -> None:
    handler = bridge.handler(app)
    barrier = threading.Barrier(8)
    sources = list(SOURCES)

    def call(number: int) -> list[bytes]:
        barrier.wait()
        answers = []
        for turn in range(10):
            source = sources[(number + turn) % len(sources)]
            payload = handler(compose(request(f"/{number}/{turn}", "POST", b"%d" % number), source), None)
            answers.append(interpret(payload, source).body)
        return answers

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(call, range(8)))
    handler.close()
    assert found == [[f"/{number}/{turn} {number}".encode() for turn in range(10)] for number in range(8)]


class Context:
    """A context object that can be looked after with a weak reference."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.mark.parametrize("app", [wsgi, asgi])
@pytest.mark.parametrize("path", ["/", "/fail", "/exit"])
def test_nothing_of_a_request_is_kept(app: Any, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("bridge"), "disabled", True)  # pytest keeps what is logged

    def call(handler: bridge.Handler) -> ref[Context]:
        context = Context()
        with contextlib.suppress(SystemExit):
            handler(event(path), context)
        return ref(context)

    handler = bridge.handler(app)
    kept = call(handler)
    call(handler)
    gc.collect()
    assert kept() is None
    handler.close()


@pytest.mark.parametrize("make", [bridge.wsgi_handler, bridge.asgi_handler])
def test_what_is_remembered_of_clients_and_applications_does_not_grow_without_end(make: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(f"200 {environ['PATH_INFO']}", [])
        return []

    handler = make(app)
    for number in range(30):
        handler(event(f"/{number}", headers={f"x-{number}-{part}": "1" for part in range(100)}), None)
        for part in range(20):
            handler(event(f"/{number}-{part}"), None)
    handler.close()
    assert len(environ_module.keys) <= environ_module._REMEMBER < 3000
    assert len(asgi_module._lower) <= asgi_module._REMEMBER < 3000
    assert len(wsgi_module._codes) <= wsgi_module._REMEMBER < 600


def test_a_handler_works_while_logging_fails(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.format(record)
            self.handleError(record)

    broken = Broken()
    logging.getLogger("bridge").addHandler(broken)
    try:
        assert get(bridge.wsgi_handler(wsgi), "/fail")[0] == 500
    finally:
        logging.getLogger("bridge").removeHandler(broken)


@pytest.mark.skipif(sys.platform == "win32", reason="resource is not there on Windows")
@pytest.mark.parametrize("options", ["", ", base_path='/shop'"])
@pytest.mark.parametrize(("interface", "before"), [("wsgi", 0), ("wsgi", 1), ("wsgi", 2), ("asgi", 1), ("asgi", 2)])
def test_an_application_that_has_used_up_its_file_descriptors_is_answered_for(
    interface: str, options: str, before: int
) -> None:
    """Also before the third request, from which on nothing has to be read from a file any more, whatever goes wrong."""
    done = run_script(f"""
import json
import logging
import os
import resource
import bridge

logging.basicConfig()  # as AWS's client has it loaded
try:
    json.loads("")
except ValueError:
    logging.exception("A traceback, for which Python 3.13 loads what it needs to show lines of files")
left = []

def use_up():
    while True:
        left.append(os.open("/dev/null", os.O_RDONLY))

def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/leak":
        use_up()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]

async def asgi(scope, receive, send):
    if scope["path"] == "/leak":
        use_up()
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}})
    await send({{"type": "http.response.body", "body": b"fine"}})

handler = bridge.handler({interface}, lifespan="off"{options})

def status(path):
    event = {{"requestContext": {{"elb": {{}}}}, "httpMethod": "GET", "path": path, "headers": {{}}}}
    return handler(event, None)["statusCode"]

from bridge.sources import source_named
source_named("alb")  # which is loaded with the first event
assert [status("/") for _ in range({before})] == [200] * {before}
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
assert [status("/leak"), status("/"), status("/leak"), status("/")] == [500, 200, 500, 200]
for file in left:
    os.close(file)
""")
    assert "Too many open files" in done.stderr
