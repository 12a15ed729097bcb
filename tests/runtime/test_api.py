"""The Runtime API's client, against an API that does what the test says."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from bridge.runtime import api as api_module
from bridge.runtime.api import ApiError, RuntimeApi
from bridge.runtime.error_report import Fault
from bridge.runtime.protocol import LostError
from tests.runtime.scripted import OK, Asked, invocation, listening, refusal, scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Reach = Callable[[str], RuntimeApi]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSE_SECONDS", 0.001)


@pytest.fixture
async def reach() -> AsyncIterator[Callable[[str], RuntimeApi]]:
    """Clients that hang up at the end."""
    made: list[RuntimeApi] = []

    def make(address: str) -> RuntimeApi:
        made.append(RuntimeApi(address))
        return made[-1]

    yield make
    for api in made:
        api.close()
    await asyncio.sleep(0)


async def test_an_invocation_has_what_the_headers_say(reach: Reach) -> None:
    told = {
        "Lambda_Runtime_Trace_Id": "Root=1-2-3;Sampled=1",
        "Lambda_Runtime_Client_Context": '{"custom": {"a": "b"}}',
        "Lambda_Runtime_Cognito_Identity": '{"cognitoIdentityId": "me"}',
        "Lambda_Runtime_Aws_Tenant_Id": "blue",
        "Lambda_Runtime_Invocation_Id": "i-7",
    }
    async with scripted(invocation(b'{"a": 1}', "r-9", 5000, **told)) as server:
        found = await reach(server.address).next()
    assert server.asked[0].line == "GET /2018-06-01/runtime/invocation/next HTTP/1.1"
    assert server.asked[0].headers["host"] == server.address
    assert found.event() == {"a": 1}
    assert (found.request_id, found.id, found.deadline, found.tenant_id) == ("r-9", "i-7", 5000, "blue")
    assert found.arn.endswith(":function:shop")
    assert found.trace_id == "Root=1-2-3;Sampled=1"
    assert found.client_context == {"custom": {"a": "b"}}
    assert found.identity == {"cognitoIdentityId": "me"}


async def test_an_invocation_that_is_no_json_is_its_bytes(reach: Reach) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\n\xff\x00\x01"
    async with scripted(answer) as server:
        assert (await reach(server.address).next()).event() == b"\xff\x00\x01"


async def test_a_client_context_that_is_no_json_is_left_out_and_logged(
    reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(invocation(Lambda_Runtime_Client_Context="{broken")) as server:
        assert (await reach(server.address).next()).client_context is None
    assert "{broken" in caplog.text


async def test_all_of_one_poller_goes_over_one_connection_and_the_invocation_id_is_echoed(reach: Reach) -> None:
    async with scripted(invocation(Lambda_Runtime_Invocation_Id="i-1"), OK, invocation(), OK) as server:
        api = reach(server.address)
        for body in (b'"one"', b'"two"'):
            await api.respond(await api.next(), body)
    _, first, _, second = server.asked
    assert server.connections == 1
    assert first.line == "POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1"
    assert (first.body, first.headers["lambda-runtime-invocation-id"]) == (b'"one"', "i-1")
    assert second.body == b'"two"'
    assert "lambda-runtime-invocation-id" not in second.headers


async def test_an_error_has_type_message_and_stack_and_the_cause_for_x_ray(reach: Reach) -> None:
    async with scripted(invocation(), OK) as server:
        api = reach(server.address)
        found = await api.next()
        try:
            raise LookupError("no sé\n")
        except LookupError as error:
            await api.fail(found, Fault.of(error))
    asked = server.asked[1]
    assert asked.line.endswith("/invocation/r-1/error HTTP/1.1")
    assert asked.headers["lambda-runtime-function-error-type"] == "Function.LookupError"
    told = json.loads(asked.body)
    assert (told["errorType"], told["errorMessage"]) == ("LookupError", "no sé\n")
    assert "raise LookupError" in "".join(told["stackTrace"])
    cause = json.loads(asked.headers["lambda-runtime-function-xray-error-cause"])
    assert cause["exceptions"][0]["type"] == "LookupError"
    assert cause["paths"] == [__file__]


async def test_a_stream_goes_out_in_chunks_with_its_end(reach: Reach) -> None:
    async with scripted(invocation(), OK, invocation()) as server:
        api = reach(server.address)
        stream = await api.stream(await api.next(), lambda: None)
        await stream.send(b"one")
        await stream.send(b"")
        await stream.send(b"two")
        await stream.end()
        await api.next()
    asked = server.asked[1]
    assert asked.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert asked.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert (asked.body, asked.trailers) == (b"onetwo", {})
    assert server.connections == 1


async def test_a_stream_that_breaks_off_has_the_error_in_its_trailers(reach: Reach) -> None:
    async with scripted(invocation(), OK) as server:
        api = reach(server.address)
        stream = await api.stream(await api.next(), lambda: None)
        await stream.send(b"half")
        await stream.end(Fault("ValueError", "böse\r\n"))
    asked = server.asked[1]
    assert set(asked.headers["trailer"].lower().split(", ")) == set(asked.trailers)
    assert asked.trailers["lambda-runtime-function-error-type"] == "Function.ValueError"
    told = json.loads(base64.b64decode(asked.trailers["lambda-runtime-function-error-body"]))
    assert told["errorMessage"] == "böse\r\n"


async def test_who_streams_learns_that_nobody_listens(reach: Reach) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(invocation())
        await reader.readuntil(b"half\r\n")
        writer.transport.abort()

    async with listening(serve) as address:
        api = reach(address)
        stream = await api.stream(await api.next(), gone.set)
        await stream.send(b"half")
        await gone.wait()
        with pytest.raises(LostError):
            await stream.send(b"more")
        await stream.end()


async def test_a_stream_that_is_refused_in_its_middle_is_known_to_be(
    reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(invocation())
        await reader.readuntil(b"half\r\n")
        writer.write(refusal(413, "too much"))
        await reader.read()
        writer.close()

    async with listening(serve) as address:
        api = reach(address)
        stream = await api.stream(await api.next(), gone.set)
        await stream.send(b"half")
        await gone.wait()
        with pytest.raises(LostError):
            await stream.send(b"more")
        await stream.end()
        api.close()
    assert "413" in caplog.text
    assert "too much" in caplog.text


async def test_who_takes_slowly_holds_the_sender_up(reach: Reach) -> None:
    go_on = asyncio.Event()
    read = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        writer.write(invocation())
        await go_on.wait()
        while data := await reader.read(1 << 20):
            read += len(data)
            if data.endswith(b"0\r\n\r\n"):
                writer.write(OK)
        writer.close()

    async with listening(serve, limit=1024) as address:
        api = reach(address)
        stream = await api.stream(await api.next(), lambda: None)
        sent = 0

        async def send_all() -> None:
            nonlocal sent
            for _ in range(400):
                await stream.send(bytes(100_000))
                sent += 100_000
            await stream.end()

        sending = asyncio.create_task(send_all())
        before = -1
        while sent != before:  # until it stands still
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 40_000_000
        go_on.set()
        await sending
        api.close()
    assert read > 40_000_000


@pytest.mark.parametrize("times", [1, 4])
async def test_a_connection_that_breaks_while_it_waits_for_work_is_made_again(reach: Reach, times: int) -> None:
    async with scripted(*[None] * times, invocation()) as server:
        assert (await reach(server.address).next()).request_id == "r-1"
    assert server.connections == times + 1


async def test_a_response_that_a_broken_connection_may_have_lost_is_posted_again(reach: Reach) -> None:
    async with scripted(invocation(), None, OK) as server:
        api = reach(server.address)
        await api.respond(await api.next(), b'"once"')
    assert [asked.body for asked in server.asked[1:]] == [b'"once"'] * 2


async def test_a_second_try_that_the_first_made_needless_is_no_error(
    reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(invocation(), None, refusal(400, "InvalidRequestID"), invocation()) as server:
        api = reach(server.address)
        await api.respond(await api.next(), b"1")
        await api.next()
    assert "InvalidRequestID" in caplog.text


async def test_an_api_that_is_gone_is_the_end(reach: Reach, unused_tcp_port: int) -> None:
    with pytest.raises(ApiError, match=rf"127.0.0.1:{unused_tcp_port} cannot be reached.*bridge serve --runtime"):
        await reach(f"127.0.0.1:{unused_tcp_port}").next()


async def test_an_api_that_hangs_up_again_and_again_is_the_end(reach: Reach) -> None:
    async with scripted(*[None] * 9) as server:
        with pytest.raises(ApiError, match="is gone"):
            await reach(server.address).next()
    assert server.connections == 5


@pytest.mark.parametrize("status", [403, 500])
async def test_an_api_that_refuses_to_give_work_is_the_end(reach: Reach, status: int) -> None:
    async with scripted(refusal(status, "because")) as server:
        with pytest.raises(ApiError, match=f"{status}.*because"):
            await reach(server.address).next()


async def test_an_api_that_breaks_when_answered_is_the_end(reach: Reach) -> None:
    async with scripted(invocation(), refusal(500, "State.Broken")) as server:
        api = reach(server.address)
        with pytest.raises(ApiError, match=r"500.*State.Broken"):
            await api.respond(await api.next(), b"1")


async def test_a_payload_that_the_api_finds_too_large_is_posted_as_an_error(
    reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(invocation(), refusal(413), OK) as server:
        api = reach(server.address)
        await api.respond(await api.next(), b'"much"')
    assert json.loads(server.asked[2].body)["errorType"] == "Function.ResponseSizeTooLarge"
    assert "6 bytes" in caplog.text


async def test_the_errors_of_init_and_restore_go_to_their_own_places(reach: Reach) -> None:
    async with scripted(OK, refusal(200), OK) as server:
        api = reach(server.address)
        await api.fail_init(Fault("Runtime.ImportModuleError", "no such module"))
        await api.restore()
        await api.fail_restore(Fault("Runtime.AfterRestoreError", "no"))
    lines = [asked.line.split(" ")[1].removeprefix("/2018-06-01/runtime") for asked in server.asked]
    assert lines == ["/init/error", "/restore/next", "/restore/error"]
    assert server.asked[0].headers["lambda-runtime-function-error-type"] == "Runtime.ImportModuleError"
    assert server.connections == 2  # a restored sandbox has none of the old one's


async def test_a_restore_that_is_refused_is_the_end(reach: Reach) -> None:
    async with scripted(refusal(403)) as server:
        with pytest.raises(ApiError, match="restore"):
            await reach(server.address).restore()


async def test_what_is_no_http_ends_the_connection(reach: Reach, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with scripted(b"hello, who is there?\r\n\r\n", invocation()) as server:
        assert (await reach(server.address).next()).request_id == "r-1"
    assert server.connections == 2


async def test_an_answer_may_come_late_and_in_pieces(reach: Reach) -> None:
    async def slowly(asked: Asked) -> bytes:
        await asyncio.sleep(0.02)
        return invocation(b'{"is": "here"}')

    async with scripted(slowly) as server:
        found: Any = (await reach(server.address).next()).event()
    assert found == {"is": "here"}
