"""The client of the Runtime API, which waits in a thread or on an event loop."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.runtime import client as client_module
from bridge.runtime.api_messages import ErrorReport
from bridge.runtime.client import ApiError, RuntimeApi, run
from tests.runtime.scripted import ACCEPTED, ReceivedRequest, invocation, listening, reply, scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    Connect = Callable[[str], "Client"]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_PAUSES", (0, 0.001, 0.002, 0.004, 0.008))


class Client:
    """A RuntimeApi whose coroutines run in a thread or on the test's loop."""

    def __init__(self, address: str, *, is_on_loop: bool) -> None:
        self.api = RuntimeApi(address)
        self._is_on_loop = is_on_loop
        if is_on_loop:
            self.api.attach(asyncio.get_running_loop())

    async def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wait_for(coroutine if self._is_on_loop else asyncio.to_thread(run, coroutine), 30)

    async def next(self) -> Any:
        return await self.wait_for(self.api.next())

    async def respond(self, invocation: Any, payload: bytes) -> None:
        await self.wait_for(self.api.respond(invocation, payload, "application/json"))

    async def start_stream(self, part: bytes, on_lost: Callable[[], object] = lambda: None) -> Any:
        """Wait for an invocation and start its response."""
        found = await self.next()
        await self.wait_for(self.api.start_stream(found, part, on_lost))
        return found

    async def send(self, part: bytes) -> None:
        await self.wait_for(self.api.send_part(part))

    async def end_stream(self, invocation: Any, report: ErrorReport | None = None) -> None:
        await self.wait_for(self.api.end_stream(invocation, report))


@pytest.fixture
async def connect(is_on_loop: bool) -> AsyncIterator[Connect]:
    """Makes clients, and closes them at the end of the test."""
    clients: list[Client] = []

    def connect(address: str) -> Client:
        clients.append(Client(address, is_on_loop=is_on_loop))
        return clients[-1]

    yield connect
    for client in clients:
        client.api.close()


async def test_all_requests_are_sent_over_one_connection_and_the_invocation_id_is_sent_back(connect: Connect) -> None:
    async with scripted(invocation(Lambda_Runtime_Invocation_Id="i-1"), ACCEPTED, invocation(), ACCEPTED) as server:
        client = connect(server.address)
        for payload in (b'"one"', b'"two"'):
            await client.respond(await client.next(), payload)

    _, first, _, second = server.requests
    assert server.connections == 1
    assert first.line == "POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1"
    assert (first.body, first.headers["lambda-runtime-invocation-id"]) == (b'"one"', "i-1")
    assert second.body == b'"two"'
    assert "lambda-runtime-invocation-id" not in second.headers


async def test_an_error_has_type_message_and_stack_and_the_cause_for_x_ray(connect: Connect) -> None:
    async with scripted(invocation(), ACCEPTED) as server:
        client = connect(server.address)
        found = await client.next()
        try:
            raise LookupError("no sé\n")
        except LookupError as error:
            await client.wait_for(client.api.fail(found, ErrorReport.of(error)))

    request = server.requests[1]
    assert request.path == "/invocation/r-1/error"
    assert request.headers["lambda-runtime-function-error-type"] == "Function.LookupError"
    report = json.loads(request.body)
    assert (report["errorType"], report["errorMessage"]) == ("LookupError", "no sé\n")
    assert "raise LookupError" in "".join(report["stackTrace"])
    cause = json.loads(request.headers["lambda-runtime-function-xray-error-cause"])
    assert cause["exceptions"][0]["type"] == "LookupError"
    assert cause["paths"] == [__file__]


async def test_a_stream_is_sent_in_chunks_and_the_connection_is_kept(connect: Connect) -> None:
    async with scripted(invocation(), ACCEPTED, invocation()) as server:
        client = connect(server.address)
        found = await client.start_stream(b"one")
        await client.send(b"two")
        await client.end_stream(found)
        await client.next()

    request = server.requests[1]
    assert request.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert request.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert (request.body, request.trailers) == (b"onetwo", {})
    assert server.connections == 1


async def test_the_error_of_a_stream_is_in_its_trailers(connect: Connect) -> None:
    async with scripted(invocation(), ACCEPTED) as server:
        client = connect(server.address)
        found = await client.start_stream(b"half")
        await client.end_stream(found, ErrorReport("ValueError", "böse\r\n"))

    request = server.requests[1]
    assert set(request.headers["trailer"].lower().split(", ")) == set(request.trailers)
    assert request.trailers["lambda-runtime-function-error-type"] == "Function.ValueError"
    report = json.loads(base64.b64decode(request.trailers["lambda-runtime-function-error-body"]))
    assert report["errorMessage"] == "böse\r\n"


@pytest.mark.parametrize("is_refused", [False, True])
async def test_a_stream_that_the_api_refuses_or_cuts_off_is_lost_and_the_next_request_has_a_new_connection(
    connect: Connect, is_refused: bool, is_on_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    connections: list[str] = []
    lost = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append("opened")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(invocation())
        if len(connections) == 1:
            await reader.readuntil(b"half\r\n")
            if is_refused:
                writer.write(reply(413, "too much"))
            else:
                writer.transport.abort()
        await reader.read()

    async with listening(serve) as address:
        client = connect(address)
        found = await client.start_stream(b"half", lost.set)
        if is_on_loop:  # without a send
            await asyncio.wait_for(lost.wait(), 30)
        while not lost.is_set():
            await client.send(b"more")
        await client.send(b"more")
        await client.end_stream(found)
        assert (await client.next()).request_id == "r-1"
        client.api.close()
    assert len(connections) == 2
    assert ("413: too much" in caplog.text) == is_refused
    assert ("The client disconnected" in caplog.text) == (not is_refused)


async def test_send_waits_while_the_api_does_not_read(connect: Connect) -> None:
    may_read = asyncio.Event()
    received = sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        writer.write(invocation())
        await may_read.wait()
        while data := await reader.read(1 << 20):
            received += len(data)
            if data.endswith(b"0\r\n\r\n"):
                writer.write(ACCEPTED)

    async def send_all() -> None:
        nonlocal sent
        found = await client.start_stream(b"start")
        for _ in range(400):
            await client.send(bytes(100_000))
            sent += 100_000
        await client.end_stream(found)

    async with listening(serve, limit=1024) as address:
        client = connect(address)
        sending = asyncio.create_task(send_all())
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 40_000_000
        may_read.set()
        await sending
        client.api.close()
    assert received > 40_000_000


@pytest.mark.parametrize("times", [1, 4])
async def test_a_connection_that_breaks_while_the_client_waits_is_replaced(connect: Connect, times: int) -> None:
    async with scripted(*[None] * times, invocation()) as server:
        assert (await connect(server.address).next()).request_id == "r-1"
    assert server.connections == times + 1


async def test_a_response_is_posted_again_after_a_broken_connection(connect: Connect) -> None:
    async with scripted(invocation(), None, ACCEPTED) as server:
        client = connect(server.address)
        await client.respond(await client.next(), b'"once"')
    assert [request.body for request in server.requests[1:]] == [b'"once"'] * 2


async def test_the_refusal_of_a_repeated_response_is_logged_and_no_error(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(invocation(), None, reply(400, "InvalidRequestID"), invocation()) as server:
        client = connect(server.address)
        await client.respond(await client.next(), b"1")
        await client.next()
    assert "InvalidRequestID" in caplog.text


async def test_a_refused_connection_is_an_error_that_names_the_address_and_the_local_command(
    connect: Connect, unused_tcp_port: int
) -> None:
    with pytest.raises(ApiError, match=rf"127.0.0.1:{unused_tcp_port} cannot be reached.*bridge serve --runtime"):
        await connect(f"127.0.0.1:{unused_tcp_port}").next()


async def test_an_api_that_closes_five_connections_is_an_error(connect: Connect) -> None:
    async with scripted(*[None] * 9) as server:
        with pytest.raises(ApiError, match="closed the connection"):
            await connect(server.address).next()
    assert server.connections == 5


@pytest.mark.parametrize("status", [403, 500])
async def test_an_api_that_sends_no_invocation_is_an_error(connect: Connect, status: int) -> None:
    async with scripted(reply(status, "because")) as server:
        with pytest.raises(ApiError, match=f"{status}: because"):
            await connect(server.address).next()


async def test_an_api_that_fails_to_take_a_response_is_an_error(connect: Connect) -> None:
    async with scripted(invocation(), reply(500, "State.Broken")) as server:
        client = connect(server.address)
        found = await client.next()
        with pytest.raises(ApiError, match=r"500: State\.Broken"):
            await client.respond(found, b"1")


async def test_a_payload_that_the_api_finds_too_large_is_posted_as_an_error(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(invocation(), reply(413), ACCEPTED) as server:
        client = connect(server.address)
        await client.respond(await client.next(), b'"much"')
    assert json.loads(server.requests[2].body)["errorType"] == "Function.ResponseSizeTooLarge"
    assert "6 bytes" in caplog.text


async def test_the_errors_of_init_and_restore_have_paths_and_a_restored_sandbox_has_a_new_connection(
    connect: Connect,
) -> None:
    async with scripted(ACCEPTED, reply(200), ACCEPTED) as server:
        client = connect(server.address)
        await client.wait_for(client.api.fail_phase("init", ErrorReport("Runtime.ImportModuleError", "no such module")))
        await client.wait_for(client.api.restore())
        await client.wait_for(client.api.fail_phase("restore", ErrorReport("Runtime.AfterRestoreError", "no")))
    assert [request.path for request in server.requests] == ["/init/error", "/restore/next", "/restore/error"]
    assert server.requests[0].headers["lambda-runtime-function-error-type"] == "Runtime.ImportModuleError"
    assert server.connections == 2


async def test_a_restore_that_the_api_refuses_is_an_error(connect: Connect) -> None:
    async with scripted(reply(403)) as server:
        client = connect(server.address)
        with pytest.raises(ApiError, match="403"):
            await client.wait_for(client.api.restore())


async def test_a_reply_that_is_not_http_ends_the_connection(connect: Connect) -> None:
    async with scripted(b"hello, who is there?\r\n\r\n", invocation()) as server:
        assert (await connect(server.address).next()).request_id == "r-1"
    assert server.connections == 2


async def test_the_client_waits_for_a_late_reply(connect: Connect) -> None:
    async def later(request: ReceivedRequest) -> bytes:
        await asyncio.sleep(0.02)
        return invocation(b'{"is": "here"}')

    async with scripted(later) as server:
        assert (await connect(server.address).next()).event() == {"is": "here"}


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_after_stop_there_is_no_next_invocation(connect: Connect, is_waiting: bool) -> None:
    async with scripted() as server:
        client = connect(server.address)
        if not is_waiting:
            client.api.stop()
        waiting = asyncio.create_task(client.next())
        if is_waiting:
            while not server.requests:
                await asyncio.sleep(0.001)
            client.api.stop()
        assert await waiting is None


async def test_stop_does_not_interrupt_a_response(connect: Connect) -> None:
    async def stop(request: ReceivedRequest) -> bytes:
        client.api.stop()
        return ACCEPTED

    async with scripted(invocation(), stop) as server:
        client = connect(server.address)
        await client.respond(await client.next(), b"1")
    assert server.requests[1].body == b"1"
    assert server.connections == 1


class TestCancelled:
    """Cancellation on an event loop, such as by an application's own timeout."""

    async def test_the_reply_to_a_cancelled_response_is_discarded(self) -> None:
        received, may_reply = asyncio.Event(), asyncio.Event()

        async def reply_later(request: ReceivedRequest) -> bytes:
            received.set()
            await may_reply.wait()
            return ACCEPTED

        async with scripted(
            invocation(request_id="r-1"), reply_later, invocation(request_id="r-2"), ACCEPTED
        ) as server:
            client = Client(server.address, is_on_loop=True)
            posting = asyncio.create_task(client.respond(await client.next(), b'"tea"'))
            await received.wait()
            posting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await posting
            polling = asyncio.create_task(client.next())
            may_reply.set()
            second = await polling
            await client.respond(second, b'"milk"')
            client.api.close()

        assert second.request_id == "r-2"
        assert [request.body for request in server.requests] == [b"", b'"tea"', b"", b'"milk"']
        assert server.connections == 1

    async def test_the_reply_to_the_cancelled_end_of_a_stream_is_discarded(self) -> None:
        lost: list[str] = []
        received, may_reply = asyncio.Event(), asyncio.Event()

        async def reply_later(request: ReceivedRequest) -> bytes:
            received.set()
            await may_reply.wait()
            return ACCEPTED

        async with scripted(invocation(), reply_later, invocation(request_id="r-2"), ACCEPTED) as server:
            client = Client(server.address, is_on_loop=True)
            first = await client.start_stream(b"tea", lambda: lost.append("first"))
            ending = asyncio.create_task(client.end_stream(first))
            await received.wait()
            ending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ending
            may_reply.set()
            second = await client.start_stream(b"milk", lambda: lost.append("second"))
            await client.end_stream(second)
            client.api.close()

        assert [request.body for request in server.requests] == [b"", b"tea", b"", b"milk"]
        assert lost == []
        assert server.connections == 1

    async def test_a_part_whose_send_is_cancelled_is_sent_before_the_next(self) -> None:
        may_read = asyncio.Event()
        received = bytearray()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(invocation())
            await may_read.wait()
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received.extend(await reader.read(1 << 20))
            writer.write(ACCEPTED)
            await reader.read()

        async with listening(serve, limit=1024) as address:
            client = Client(address, is_on_loop=True)
            found = await client.start_stream(b"start")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.send(b"x" * 30_000_000), 0.1)
            may_read.set()
            await client.end_stream(found)
            client.api.close()
        assert received.count(b"x") == 30_000_000


async def test_a_coroutine_that_waits_for_a_loop_does_not_run_in_a_thread() -> None:
    with pytest.raises(RuntimeError, match="waits for an event loop"):
        await asyncio.to_thread(run, asyncio.sleep(0))
