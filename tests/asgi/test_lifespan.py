"""The ASGI lifespan: one for the life of the process."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import bridge
from bridge.asgi import lifespan as lifespan_module
from tests.helpers import get

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.conftest import MakeHandler


class App:
    """An application whose lifespan is a function of receive, send and state, and that records its calls.

    Attributes:
        calls: ``"lifespan"`` and ``"http"`` for each call, ``"end"`` when the lifespan has returned.
    """

    def __init__(self, live: Callable[[Any, Any, Any], Any]) -> None:
        self._live = live
        self.calls: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.calls.append("lifespan")
            await self._live(receive, send, scope["state"])
            self.calls.append("end")
        else:
            self.calls.append("http")
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": repr(scope.get("state")).encode()})


async def usual(receive: Any, send: Any, state: Any) -> None:
    assert await receive() == {"type": "lifespan.startup"}
    state["pool"] = []
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    await send({"type": "lifespan.shutdown.complete"})


async def unsupported(receive: Any, send: Any, state: Any) -> None:
    raise KeyError("there is no lifespan")


async def broken(receive: Any, send: Any, state: Any) -> None:
    await receive()
    raise OSError("no database")


async def leaving(receive: Any, send: Any, state: Any) -> None:
    """Return before the answer."""


async def failing(receive: Any, send: Any, state: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def failing_and_listening(receive: Any, send: Any, state: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.failed", "message": "no database"})


async def cancelled(receive: Any, send: Any, state: Any) -> None:
    await receive()
    raise asyncio.CancelledError


def test_it_starts_once_with_the_first_request_and_ends_with_the_handler(make_handler: MakeHandler) -> None:
    app = App(usual)
    handler = make_handler(app)
    assert app.calls == []
    for _ in range(3):
        assert get(handler) == (200, b"{'pool': []}")
    assert app.calls == ["lifespan", "http", "http", "http"]
    handler.close()
    handler.close()
    assert app.calls == ["lifespan", "http", "http", "http", "end"]


def test_it_may_be_started_before_the_first_request(make_handler: MakeHandler) -> None:
    app = App(usual)
    handler = make_handler(app)
    handler.startup()
    handler.startup()
    assert app.calls == ["lifespan"]
    get(handler)
    assert app.calls == ["lifespan", "http"]


def test_a_handler_without_requests_has_no_lifespan_to_shut_down(make_handler: MakeHandler) -> None:
    app = App(usual)
    make_handler(app).close()
    assert app.calls == []


def test_each_request_gets_a_shallow_copy_of_the_state(make_handler: MakeHandler) -> None:
    bodies = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await usual(receive, send, scope["state"])
            return
        bodies.append(dict(scope["state"]))
        scope["state"]["own"] = True
        scope["state"]["pool"].append(1)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    handler = make_handler(app)
    get(handler)
    get(handler)
    assert [set(state) for state in bodies] == [{"pool"}, {"pool"}]
    assert bodies[0]["pool"] is bodies[1]["pool"]
    assert bodies[0]["pool"] == [1, 1]


def test_there_is_none_with_the_option_off(make_handler: MakeHandler) -> None:
    app = App(usual)
    assert get(make_handler(app, lifespan="off")) == (200, b"None")
    assert app.calls == ["http"]


class TestAuto:
    @pytest.mark.parametrize("live", [unsupported, broken, leaving, cancelled])
    def test_an_application_without_lifespan_is_served(self, live: Any, make_handler: MakeHandler) -> None:
        handler = make_handler(App(live))
        assert get(handler) == (200, b"None")
        assert get(handler) == (200, b"None")

    def test_the_lifespan_of_an_application_without_one_is_called_once_and_not_logged(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = App(unsupported)
        handler = make_handler(app)
        get(handler)
        get(handler)
        assert app.calls == ["lifespan", "http", "http"]
        assert caplog.text == ""

    def test_an_exception_of_the_startup_is_logged(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        get(make_handler(App(broken)))
        assert "no database" in caplog.text
        assert "Traceback" in caplog.text

    @pytest.mark.parametrize("live", [failing, failing_and_listening])
    def test_a_failed_startup_is_an_error(
        self, live: Any, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        handler = make_handler(App(live))
        with pytest.raises(bridge.LifespanError, match="no database"):
            handler.startup()
        assert get(handler)[0] == 500
        assert "no database" in caplog.text

    @pytest.mark.parametrize("message", ["not today", "Traceback (most recent call last):\n …\nOSError: no database\n"])
    def test_the_exception_of_a_failed_startup_is_in_the_error_once(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture, message: str
    ) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": message})
            raise OSError("no database")

        with pytest.raises(bridge.LifespanError) as caught:
            make_handler(App(live)).startup()
        assert "".join(traceback.format_exception(caught.value)).count("OSError: no database") == 1
        assert not caplog.records

    def test_the_next_request_tries_again(self, make_handler: MakeHandler) -> None:
        left = [failing, failing_and_listening, usual]

        async def live(receive: Any, send: Any, state: Any) -> None:
            await left.pop(0)(receive, send, state)

        handler = make_handler(App(live))
        assert [get(handler)[0] for _ in range(4)] == [500, 500, 200, 200]
        assert left == []

    def test_an_exception_of_starlette_s_lifespan_is_an_error(self, make_handler: MakeHandler) -> None:
        @asynccontextmanager
        async def live(app: Starlette) -> AsyncIterator[None]:
            if app.routes == []:
                raise OSError("no database")
            yield

        handler = make_handler(Starlette(lifespan=live))
        with pytest.raises(bridge.LifespanError, match="no database"):
            handler.startup()


class TestOn:
    @pytest.mark.parametrize("live", [unsupported, broken, leaving, failing, failing_and_listening, cancelled])
    def test_an_application_without_lifespan_is_an_error(self, live: Any, make_handler: MakeHandler) -> None:
        handler = make_handler(App(live), lifespan="on")
        with pytest.raises(bridge.LifespanError):
            handler.startup()
        assert get(handler)[0] == 500

    def test_the_exception_of_the_startup_is_the_cause(self, make_handler: MakeHandler) -> None:
        with pytest.raises(bridge.LifespanError, match="no database") as caught:
            make_handler(App(broken), lifespan="on").startup()
        assert isinstance(caught.value.__cause__, OSError)


async def fail_to_shut_down(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "cannot let go"})


async def raise_at_shutdown(receive: Any, send: Any) -> None:
    await receive()
    raise OSError("cannot let go")


async def raise_before_shutdown(receive: Any, send: Any) -> None:
    raise OSError("broke")


async def never_answer(receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


class TestShutdown:
    def test_context_managers_around_the_lifespan_may_release_resources(self, make_handler: MakeHandler) -> None:
        ended = []

        async def live(receive: Any, send: Any, state: Any) -> None:
            try:
                await usual(receive, send, state)
            finally:
                await asyncio.sleep(0.01)
                ended.append(True)

        handler = make_handler(App(live))
        handler.startup()
        handler.close()
        assert ended == [True]

    @pytest.mark.parametrize(
        ("after_startup", "log"),
        [
            (fail_to_shut_down, "cannot let go"),
            (raise_at_shutdown, "OSError: cannot let go"),
            (raise_before_shutdown, "OSError: broke"),
            (never_answer, "failed to shut down: no answer in 0.01 s"),
        ],
    )
    def test_an_error_after_the_startup_is_logged_once(
        self,
        after_startup: Any,
        log: str,
        make_handler: MakeHandler,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await after_startup(receive, send)

        monkeypatch.setattr(lifespan_module, "SHUTDOWN_SECONDS", 0.01)
        handler = make_handler(App(live))
        assert get(handler)[0] == 200
        handler.close()
        assert caplog.text.count(log) == 1

    def test_a_lifespan_that_returned_after_the_startup_is_not_shut_down(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})

        handler = make_handler(App(live))
        assert get(handler) == (200, b"{}")
        handler.close()
        assert caplog.text == ""

    def test_a_lifespan_that_receives_after_the_shutdown_is_cancelled(self, make_handler: MakeHandler) -> None:
        ended = []

        async def live(receive: Any, send: Any, state: Any) -> None:
            try:
                while True:
                    message = await receive()
                    await send({"type": f"{message['type']}.complete"})
            except asyncio.CancelledError:
                ended.append(True)
                raise

        handler = make_handler(App(live))
        handler.startup()
        handler.close()
        assert ended == [True]

    def test_an_application_without_lifespan_is_not_shut_down(self, make_handler: MakeHandler) -> None:
        app = App(unsupported)
        handler = make_handler(app)
        get(handler)
        handler.close()
        assert app.calls == ["lifespan", "http"]


class TestMessages:
    @pytest.mark.parametrize(
        "kind", ["lifespan.shutdown.complete", "lifespan.shutdown.failed", "http.response.start", "lifespan.startup"]
    )
    def test_other_messages_are_an_error_during_the_startup(self, kind: str, make_handler: MakeHandler) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            with pytest.raises(bridge.InterfaceError, match=kind):
                await send({"type": kind})
            await usual_after_startup(receive, send)

        app = App(live)
        handler = make_handler(app, lifespan="on")
        handler.startup()
        handler.close()
        assert app.calls == ["lifespan", "end"]

    def test_a_second_answer_to_the_startup_is_an_error(self, make_handler: MakeHandler) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            with pytest.raises(bridge.InterfaceError):
                await send({"type": "lifespan.startup.complete"})
            await receive()
            await asyncio.sleep(0.01)
            await send({"type": "lifespan.shutdown.complete"})

        app = App(live)
        handler = make_handler(app, lifespan="on")
        handler.startup()
        handler.close()
        assert app.calls == ["lifespan", "end"]

    def test_the_startup_may_be_answered_before_it_is_received(self, make_handler: MakeHandler) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

        app = App(live)
        handler = make_handler(app, lifespan="on")
        handler.startup()
        handler.close()
        assert app.calls == ["lifespan", "end"]


async def usual_after_startup(receive: Any, send: Any) -> None:
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def test_a_context_manager_opened_at_startup_is_closed_in_the_same_task(make_handler: MakeHandler) -> None:
    tasks = []

    @asynccontextmanager
    async def live(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with asyncio.TaskGroup() as group:
            tasks.append(asyncio.current_task())
            ticker = group.create_task(asyncio.sleep(100))
            yield {"ticker": ticker}
            tasks.append(asyncio.current_task())
            ticker.cancel()

    def home(request: Any) -> PlainTextResponse:
        return PlainTextResponse(str(request.state.ticker.done()))

    handler = make_handler(Starlette(routes=[Route("/", home)], lifespan=live))
    assert get(handler) == (200, b"False")
    handler.close()
    assert tasks[0] is tasks[1]


def test_a_lifespan_that_is_cancelled_with_its_loop_ends_without_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = []

    @asynccontextmanager
    async def live(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            events.append("end")

    handler = bridge.asgi_handler(Starlette(lifespan=live))

    async def start() -> None:
        assert handler.asgi is not None
        await handler.asgi.startup_here()

    asyncio.run(start())  # cancels the lifespan's task at its end
    assert events == ["end"]
    assert caplog.records == []


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("mode", ["auto", "on"])
def test_exceptions_that_are_not_of_the_class_exception_pass(
    error: type[BaseException], mode: str, make_handler: MakeHandler
) -> None:
    async def live(receive: Any, send: Any, state: Any) -> None:
        await receive()
        raise error

    handler = make_handler(App(live), lifespan=mode)
    with pytest.raises(error):
        handler.startup()
