"""Applications that are cancelled while their answer is on its way: by a timeout of their own, or at the deadline."""

from __future__ import annotations

import asyncio

import pytest

from bridge.runtime.api import RuntimeApi
from tests.runtime.scripted import OK, Asked, invocation, scripted


class Held:
    """An answer that waits until it is let go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, asked: Asked) -> bytes:
        self.asked.set()
        await self.go.wait()
        return OK


@pytest.fixture
async def held() -> Held:
    return Held()


async def test_a_response_that_nobody_waits_for_any_more_is_not_taken_for_the_next_invocation(held: Held) -> None:
    async with scripted(invocation(request_id="r-1"), held, invocation(request_id="r-2"), OK) as server:
        api = RuntimeApi(server.address)
        first = await api.next()
        posting = asyncio.create_task(api.respond(first, b'"tea"'))
        await held.asked.wait()
        posting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await posting
        asking = asyncio.create_task(api.next())
        held.go.set()
        second = await asking
        await api.respond(second, b'"milk"')
        api.close()

    assert second.request_id == "r-2"
    assert [asked.body for asked in server.asked] == [b"", b'"tea"', b"", b'"milk"']
    assert server.connections == 1


async def test_the_end_of_a_stream_that_nobody_waits_for_is_not_taken_for_an_answer_to_the_next_stream(
    held: Held,
) -> None:
    lost: list[str] = []
    async with scripted(invocation(), held, invocation(request_id="r-2"), OK) as server:
        api = RuntimeApi(server.address)
        stream = await api.stream(await api.next(), lambda: lost.append("first"))
        await stream.send(b"tea")
        ending = asyncio.create_task(stream.end())
        await held.asked.wait()
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        asking = asyncio.create_task(api.next())
        held.go.set()
        stream = await api.stream(await asking, lambda: lost.append("second"))
        await stream.send(b"milk")
        await stream.end()
        api.close()

    assert [asked.body for asked in server.asked] == [b"", b"tea", b"", b"milk"]
    assert lost == []
    assert server.connections == 1


async def test_an_answer_that_nobody_waits_for_may_come_in_the_middle_of_a_stream(held: Held) -> None:
    lost: list[str] = []
    async with scripted(invocation(), held, OK) as server:
        api = RuntimeApi(server.address)
        first = await api.next()
        posting = asyncio.create_task(api.respond(first, b'"tea"'))
        await held.asked.wait()
        posting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await posting
        stream = await api.stream(first, lambda: lost.append("stream"))
        held.go.set()
        await stream.send(b"milk")
        while len(server.asked) < 3:
            await asyncio.sleep(0)
        await stream.send(b" and sugar")
        await stream.end()
        api.close()

    assert server.asked[-1].body == b"milk and sugar"
    assert lost == []
