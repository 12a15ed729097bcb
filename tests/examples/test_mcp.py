"""The example of an MCP server, called by the SDK's own client."""

from __future__ import annotations

import json
import shutil
import sys
from base64 import b64encode
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from bridge.dev.gateway import Request, compose, interpret
from tests.dev.cli.serve_process import ServeProcess
from tests.docs.pages import DOCS, blocks
from tests.end_to_end.bridge_runtime import parse_stream
from tests.examples.applications import EXAMPLES
from tests.observability.lambda_service import LambdaService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

CLIENTS = {"AWS's client": "awslambdaric", "bridge.runtime": "bridge.runtime"}
# The protocol of 2026, and the one before it, with a handshake.
PROTOCOLS = ["auto", "legacy"]


class FunctionTransport(httpx2.AsyncBaseTransport):
    """Sends requests through a front door to a function."""

    def __init__(self, service: LambdaService, source: str) -> None:
        self._service = service
        self._source = source
        self.streamed: list[bool] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        sent = Request(request.method, request.url.path, headers=list(request.headers.items()), body=body)
        event = compose(sent, self._source)
        invocation = await anyio.to_thread.run_sync(self._service.invoke, event, "")
        assert invocation.kind == "response", invocation.payload
        self.streamed.append(invocation.is_streamed)
        if invocation.is_streamed:
            prelude, content = parse_stream(invocation.payload)
            payload: Any = {**prelude, "body": b64encode(content).decode(), "isBase64Encoded": True}
        else:
            payload = json.loads(invocation.payload)
        answer = interpret(payload, self._source, sent)
        return httpx2.Response(answer.status, headers=answer.headers, content=answer.body)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LambdaService]]:
    """Starts the server under a runtime client, once for each mode of its responses."""
    services: dict[tuple[str, str, int], LambdaService] = {}
    with ExitStack() as stack:

        def start(client: str, mode: str, concurrency: int = 1) -> LambdaService:
            if (client, mode, concurrency) not in services:
                folder = tmp_path_factory.mktemp("mcp")
                shutil.copy(EXAMPLES / "mcp/server.py", folder)
                variables = {"BRIDGE_APP": "server:app", "BRIDGE_RESPONSE_MODE": mode}
                command = [sys.executable, "-m", CLIENTS[client], "bridge.entrypoint.handler"]
                service = LambdaService(command, folder, folder / "log", variables, concurrency)
                services[client, mode, concurrency] = stack.enter_context(service)
            return services[client, mode, concurrency]

        yield start


async def use(server: Any, protocol: str) -> list[float]:
    """Use the tools as a client does, and return the progress that was reported."""
    reported: list[float] = []

    async def record(progress: float, total: float | None, message: str | None) -> None:
        reported.append(progress)

    async with Client(server, mode=protocol) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["price", "brew"]
        for tea, price in (("sencha", 4), ("assam", 3)):
            assert (await client.call_tool("price", {"tea": tea})).structured_content == {"result": price}
        failed = await client.call_tool("price", {"tea": "coffee"})
        assert failed.is_error
        brewed = await client.call_tool("brew", {"tea": "sencha", "minutes": 2}, progress_callback=record)
        assert brewed.structured_content == {"result": "A cup of sencha"}
    return reported


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("mode", ["buffer", "stream"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_uses_the_tools_of_a_function(
    client: str, mode: str, protocol: str, start: Callable[..., LambdaService]
) -> None:
    function = start(client, mode)
    transport = FunctionTransport(function, "function-url")

    async with httpx2.AsyncClient(transport=transport) as http:
        progress = await use(streamable_http_client("https://teas.example/mcp", http_client=http), protocol)

    assert progress == ([1, 2] if mode == "stream" else []), function.log
    assert set(transport.streamed) == {client == "bridge.runtime" and mode == "stream"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("source", ["http-api", "alb"])
async def test_a_client_uses_the_tools_behind_a_front_door_that_does_not_stream(
    source: str, protocol: str, start: Callable[..., LambdaService]
) -> None:
    transport = FunctionTransport(start("bridge.runtime", "stream"), source)

    async with httpx2.AsyncClient(transport=transport) as http:
        progress = await use(streamable_http_client("https://teas.example/mcp", http_client=http), protocol)

    assert progress == [1, 2], "the events arrive at the end"
    assert set(transport.streamed) == {False}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("options", [(), ("--runtime", "--response-mode", "stream")], ids=["in process", "runtime"])
async def test_a_client_uses_the_tools_through_bridge_serve(
    options: tuple[str, ...], protocol: str, tmp_path: Path
) -> None:
    shutil.copy(EXAMPLES / "mcp/server.py", tmp_path)
    with ServeProcess(tmp_path, "--source", "function-url", *options, "server.py:app") as serve:
        progress = await use(f"{serve.url}/mcp", protocol)

    assert progress == ([1, 2] if options else [])


@pytest.mark.parametrize("client", CLIENTS)
async def test_several_clients_use_the_tools_at_once(client: str, start: Callable[..., LambdaService]) -> None:
    function = start(client, "stream", concurrency=3)

    async def connect() -> None:
        transport = FunctionTransport(function, "function-url")
        async with httpx2.AsyncClient(transport=transport) as http:
            server = streamable_http_client("https://teas.example/mcp", http_client=http)
            assert await use(server, "auto") == [1, 2]

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(connect)


async def test_progress_arrives_while_the_tool_works(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "mcp/server.py", tmp_path)
    parameters = {"name": "brew", "arguments": {"tea": "assam", "minutes": 20}, "_meta": {"progressToken": 1}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters}
    options = ["--runtime", "--source", "function-url", "--response-mode", "stream"]
    with ServeProcess(tmp_path, *options, "server.py:app") as serve:
        async with httpx2.AsyncClient() as http:
            headers = {"Accept": "application/json, text/event-stream"}
            async with http.stream("POST", f"{serve.url}/mcp", headers=headers, json=call) as response:
                first = await anext(response.aiter_text())

    assert '"progress":1' in first
    assert '"progress":20' not in first


@pytest.mark.parametrize("mode", ["buffer", "stream"])
async def test_a_client_that_listens_for_messages_of_a_stateless_server_is_refused(
    mode: str, start: Callable[..., LambdaService]
) -> None:
    transport = FunctionTransport(start("bridge.runtime", mode), "function-url")

    async with httpx2.AsyncClient(transport=transport) as http:
        answer = await http.get("https://teas.example/mcp", headers={"Accept": "text/event-stream"})

    assert answer.status_code == 405


def test_the_guide_has_the_example() -> None:
    (file,) = [block for block in blocks(DOCS / "guides/mcp.md") if block.kind == "file"]
    assert file.text == (EXAMPLES / "mcp/server.py").read_text()
