"""The ASGI lifespan: one for the life of the process, whatever the application makes of it."""

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
    """An application that remembers what it was told, and whose lifespan is a function of receive, send and state."""

    def __init__(self, live: Callable[[Any, Any, Any], Any]) -> None:
        self._live = live
        self.seen: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.seen.append("lifespan")
            await self._live(receive, send, scope["state"])
            self.seen.append("end")
        else:
            self.seen.append("http")
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": repr(scope.get("state")).encode()})


async def usual(receive: Any, send: Any, state: Any) -> None:
    assert await receive() == {"type": "lifespan.startup"}
    state["pool"] = []
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    await send({"type": "lifespan.shutdown.complete"})


async def unsupported(receive: Any, send: Any, state: Any) -> None:
    raise KeyError("I know of no lifespan")


async def broken(receive: Any, send: Any, state: Any) -> None:
    await receive()
    raise OSError("no database")


async def leaving(receive: Any, send: Any, state: Any) -> None:
    """Returns before it has answered."""


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


def test_it_starts_once_before_the_first_request_and_ends_with_the_handler(make_handler: MakeHandler) -> None:
    app = App(usual)
    handler = make_handler(app)
    assert app.seen == []
    for _ in range(3):
        assert get(handler) == (200, b"{'pool': []}")
    assert app.seen == ["lifespan", "http", "http", "http"]
    handler.close()
    handler.close()
    assert app.seen == ["lifespan", "http", "http", "http", "end"]


def test_it_may_be_started_before_the_first_request(make_handler: MakeHandler) -> None:
    app = App(usual)
    handler = make_handler(app)
    handler.startup()
    handler.startup()
    assert app.seen == ["lifespan"]
    get(handler)
    assert app.seen == ["lifespan", "http"]


def test_a_handler_that_was_never_used_may_be_closed(make_handler: MakeHandler) -> None:
    app = App(usual)
    make_handler(app).close()
    assert app.seen == []


def test_the_state_is_copied_for_each_request_and_what_is_in_it_is_shared(make_handler: MakeHandler) -> None:
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


def test_off_means_that_it_is_never_asked_for(make_handler: MakeHandler) -> None:
    app = App(usual)
    assert get(make_handler(app, lifespan="off")) == (200, b"None")
    assert app.seen == ["http"]


class TestAuto:
    @pytest.mark.parametrize("live", [unsupported, broken, leaving, cancelled])
    def test_an_application_without_one_is_served_without(self, live: Any, make_handler: MakeHandler) -> None:
        handler = make_handler(App(live))
        assert get(handler) == (200, b"None")
        assert get(handler) == (200, b"None")

    def test_an_application_without_one_is_asked_once(self, make_handler: MakeHandler) -> None:
        app = App(unsupported)
        handler = make_handler(app)
        get(handler)
        get(handler)
        assert app.seen == ["lifespan", "http", "http"]

    def test_an_application_without_one_is_nothing_to_talk_about(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        get(make_handler(App(unsupported)))
        assert caplog.text == ""

    def test_a_startup_that_breaks_is_logged(self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture) -> None:
        get(make_handler(App(broken)))
        assert "no database" in caplog.text
        assert "Traceback" in caplog.text

    @pytest.mark.parametrize("live", [failing, failing_and_listening])
    def test_a_startup_that_failed_is_an_error(
        self, live: Any, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        handler = make_handler(App(live))
        with pytest.raises(bridge.LifespanError, match="no database"):
            handler.startup()
        assert get(handler)[0] == 500
        assert "no database" in caplog.text

    @pytest.mark.parametrize("told", ["not today", "Traceback (most recent call last):\n …\nOSError: no database\n"])
    def test_what_it_raises_after_it_said_so_is_told_once(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture, told: str
    ) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": told})
            raise OSError("no database")

        with pytest.raises(bridge.LifespanError) as caught:
            make_handler(App(live)).startup()
        assert "".join(traceback.format_exception(caught.value)).count("OSError: no database") == 1
        assert not caplog.records

    def test_the_next_event_tries_again(self, make_handler: MakeHandler) -> None:
        left = [failing, failing_and_listening, usual]

        async def live(receive: Any, send: Any, state: Any) -> None:
            await left.pop(0)(receive, send, state)

        handler = make_handler(App(live))
        assert [get(handler)[0] for _ in range(4)] == [500, 500, 200, 200]
        assert left == []

    def test_starlette_s_lifespan_that_raises_is_an_error(self, make_handler: MakeHandler) -> None:
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
    def test_an_application_without_one_is_an_error(self, live: Any, make_handler: MakeHandler) -> None:
        handler = make_handler(App(live), lifespan="on")
        with pytest.raises(bridge.LifespanError):
            handler.startup()
        assert get(handler)[0] == 500

    def test_the_cause_is_told(self, make_handler: MakeHandler) -> None:
        with pytest.raises(bridge.LifespanError, match="no database") as caught:
            make_handler(App(broken), lifespan="on").startup()
        assert isinstance(caught.value.__cause__, OSError)


class TestShutdown:
    def test_what_surrounds_the_application_s_own_lifespan_may_end_in_peace(self, make_handler: MakeHandler) -> None:
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

    def test_its_failure_is_logged(self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.failed", "message": "cannot let go"})

        handler = make_handler(App(live))
        handler.startup()
        handler.close()
        assert "cannot let go" in caplog.text

    def test_its_exception_is_logged_once(self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            raise OSError("cannot let go")

        handler = make_handler(App(live))
        handler.startup()
        handler.close()
        assert caplog.text.count("OSError: cannot let go") == 1

    def test_a_lifespan_that_broke_long_before_is_logged_once(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            raise OSError("broke")

        handler = make_handler(App(live))
        assert get(handler)[0] == 200
        handler.close()
        assert caplog.text.count("OSError: broke") == 1

    def test_a_lifespan_that_ended_after_the_startup_needs_none(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})

        handler = make_handler(App(live))
        assert get(handler) == (200, b"{}")
        handler.close()
        assert caplog.text == ""

    def test_a_lifespan_that_listens_on_is_told_that_it_is_over(self, make_handler: MakeHandler) -> None:
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

    def test_a_lifespan_that_does_not_answer_is_not_waited_for_forever(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await asyncio.Event().wait()

        monkeypatch.setattr(lifespan_module, "PATIENCE_SECONDS", 0.01)
        handler = make_handler(App(live))
        handler.startup()
        handler.close()
        assert "does not shut down" in caplog.text

    def test_a_lifespan_without_startup_gets_none(self, make_handler: MakeHandler) -> None:
        app = App(unsupported)
        handler = make_handler(app)
        get(handler)
        handler.close()
        assert app.seen == ["lifespan", "http"]


class TestMessages:
    @pytest.mark.parametrize(
        "kind", ["lifespan.shutdown.complete", "lifespan.shutdown.failed", "http.response.start", "lifespan.startup"]
    )
    def test_nothing_else_answers_the_startup(self, kind: str, make_handler: MakeHandler) -> None:
        async def live(receive: Any, send: Any, state: Any) -> None:
            await receive()
            with pytest.raises(bridge.InterfaceError, match=kind):
                await send({"type": kind})
            await usual_after_startup(receive, send)

        app = App(live)
        handler = make_handler(app, lifespan="on")
        handler.startup()
        handler.close()
        assert app.seen == ["lifespan", "end"]

    def test_the_startup_is_answered_once(self, make_handler: MakeHandler) -> None:
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
        assert app.seen == ["lifespan", "end"]

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
        assert app.seen == ["lifespan", "end"]


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


def test_a_lifespan_that_its_loop_ends_before_anybody_shuts_it_down_ends_silently(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes = []

    @asynccontextmanager
    async def live(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            notes.append("ends")

    handler = bridge.asgi_handler(Starlette(lifespan=live))

    async def start() -> None:
        assert handler.hosted is not None
        await handler.hosted.startup_here()

    asyncio.run(start())  # which cancels what is left
    assert notes == ["ends"]
    assert caplog.records == []


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("mode", ["auto", "on"])
def test_what_is_no_exception_is_not_swallowed(
    error: type[BaseException], mode: str, make_handler: MakeHandler
) -> None:
    async def live(receive: Any, send: Any, state: Any) -> None:
        await receive()
        raise error

    handler = make_handler(App(live), lifespan=mode)
    with pytest.raises(error):
        handler.startup()
