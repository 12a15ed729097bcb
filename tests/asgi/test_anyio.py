"""anyio and sniffio, on which Starlette, FastAPI and Litestar are built, work on the application's loop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import sniffio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from tests.asgi.applications import Responding
from tests.helpers import get

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.conftest import MakeHandler


def test_task_groups_and_cancel_scopes_work(make_handler: MakeHandler) -> None:
    async def work(path: str) -> list[str]:
        results: list[str] = []
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 100)
            with anyio.move_on_after(0.01) as scope:
                await anyio.sleep_forever()
            results.append(str(scope.cancelled_caught))
            with pytest.raises(TimeoutError), anyio.fail_after(0.01):
                await anyio.sleep_forever()
            group.cancel_scope.cancel()
        return [*results, sniffio.current_async_library()]

    handler = make_handler(Responding(work))
    assert [get(handler) for _ in range(2)] == [(200, b"['True', 'asyncio']")] * 2


def test_threads_and_the_loop_call_each_other(make_handler: MakeHandler) -> None:
    async def work(path: str) -> int:
        async def two() -> int:
            await anyio.sleep(0)
            return 2

        def in_thread() -> int:
            return anyio.from_thread.run(two) + anyio.from_thread.run_sync(lambda: 1)

        return await anyio.to_thread.run_sync(in_thread)

    handler = make_handler(Responding(work))
    assert [get(handler) for _ in range(2)] == [(200, b"3")] * 2


def test_a_worker_thread_serves_one_request_after_another(make_handler: MakeHandler) -> None:
    async def work(path: str) -> int:
        return await anyio.to_thread.run_sync(threading.get_ident)

    handler = make_handler(Responding(work), lifespan="off")
    assert len({get(handler) for _ in range(5)}) == 1


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_worker_threads_end_when_the_handler_is_closed(make_handler: MakeHandler, mode: str) -> None:
    threads: list[threading.Thread] = []

    async def work(path: str) -> None:
        threads.append(await anyio.to_thread.run_sync(threading.current_thread))

    handler = make_handler(Responding(work), lifespan=mode)
    get(handler)
    handler.close()
    threads[0].join(10)
    assert not threads[0].is_alive()


def starlette() -> Starlette:
    def plain(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"thread {threading.get_ident()}")

    def stream(request: Any) -> StreamingResponse:
        def chunks() -> Iterator[str]:
            for number in range(5):
                yield f"{number} "

        return StreamingResponse(chunks())

    def async_stream(request: Any) -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            for number in range(5):
                await anyio.sleep(0)
                yield f"{number} "

        return StreamingResponse(chunks())

    def background(request: Any) -> PlainTextResponse:
        return PlainTextResponse("fine", background=BackgroundTask(request.app.state.done.append, True))

    async def add_header(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-passed"] = "1"
        return response

    app = Starlette(
        routes=[
            Route("/plain", plain),
            Route("/stream", stream),
            Route("/async-stream", async_stream),
            Route("/background", background),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=add_header)],
    )
    app.state.done = []
    return app


@pytest.mark.parametrize("path", ["/stream", "/async-stream"])
def test_a_stream_of_starlette_is_complete(make_handler: MakeHandler, path: str) -> None:
    assert get(make_handler(starlette()), path) == (200, b"0 1 2 3 4 ")


def test_background_tasks_of_starlette_end_before_the_response_is_returned(make_handler: MakeHandler) -> None:
    app = starlette()
    assert get(make_handler(app), "/background") == (200, b"fine")
    assert app.state.done == [True]


def test_synchronous_functions_of_starlette_keep_their_thread(make_handler: MakeHandler) -> None:
    handler = make_handler(starlette())
    assert len({get(handler, "/plain") for _ in range(5)}) == 1
