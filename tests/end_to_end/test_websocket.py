"""The chats of ``examples/`` as functions: behind AWS's emulator with both clients, and on ministack as artifacts."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.dev.cli.packages import HOST
from tests.end_to_end.deployments import Packager, deploy
from tests.end_to_end.emulator import AWS_CLIENT, BRIDGE_CLIENT
from tests.end_to_end.ministack import CREDENTIALS
from tests.end_to_end.ministack import ministack as ministack
from tests.examples.applications import EXAMPLES
from tests.websocket.api import FakeApi, event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.ministack import Ministack

pytestmark = [pytest.mark.aws, pytest.mark.slow]

APPS = {"FastAPI": ("chat", "app:app"), "Channels": ("channels", "chat.asgi:application")}
TABLE = "connections"
SECONDS = 60.0


@pytest.fixture
def api() -> Iterator[FakeApi]:
    api = FakeApi()
    yield api
    api.close()


@pytest.mark.parametrize("command", [AWS_CLIENT, BRIDGE_CLIENT], ids=["AWS's client", "bridge.runtime"])
@pytest.mark.parametrize("name", APPS)
def test_a_chat_answers_under_both_clients(name: str, command: Sequence[str], api: FakeApi, start: Start) -> None:
    folder, app = APPS[name]
    variables = {
        "BRIDGE_APP": app,
        "BRIDGE_WEBSOCKET_ENDPOINT": api.endpoint,
        "BRIDGE_WEBSOCKET_STORE": "bridge.dev.gateway.websocket_memory_store:STORE",
    }
    function = start(EXAMPLES / folder, "bridge.entrypoint.handler", variables=variables, command=command)
    for client in ("ann", "bob"):
        connect_event = event("CONNECT", client, queryStringParameters={"name": client})
        assert function.invoke(connect_event) == {"statusCode": 200}
        api.open(client)
    assert function.invoke(event("MESSAGE", "ann", body="hello")) == {"statusCode": 200}
    api.drop("bob")
    assert function.invoke(event("DISCONNECT", "bob")) == {"statusCode": 200}
    # What is sent within a connect event waits for the client's first message: AWS's client cannot send it after the
    # answer, and the emulator holds the answer back until the runtime asks for the next event.
    assert api.received["ann"] == ["bob has joined", "ann has joined", "ann (1): hello", "bob has left"]


class DeployedChat:
    """A chat on ministack, behind a WebSocket API.

    Attributes:
        url: where clients connect.
    """

    def __init__(self, ministack: Ministack, name: str, package: Packager) -> None:
        folder, app = APPS[name]
        gateway = ministack.client("apigatewayv2")
        api = gateway.create_api(Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")[
            "ApiId"
        ]
        path = f"/_aws/execute-api/{api}/prod"
        variables = {
            "BRIDGE_APP": app,
            "BRIDGE_WEBSOCKET_STORE": f"dynamodb:{TABLE}",
            "BRIDGE_WEBSOCKET_ENDPOINT": ministack.url + path,
            "AWS_ENDPOINT_URL": ministack.url,
            **CREDENTIALS,
        }
        function = deploy(ministack, f"chat-{name}", package(EXAMPLES / folder, app), variables)
        integration = gateway.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function)[
            "IntegrationId"
        ]
        for route in ("$connect", "$default", "$disconnect"):
            gateway.create_route(ApiId=api, RouteKey=route, Target=f"integrations/{integration}")
        gateway.create_stage(ApiId=api, StageName="prod", AutoDeploy=True)
        self.url = ministack.url.replace("http:", "ws:") + path


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Packager:
    return Packager(tmp_path_factory.mktemp, cache)


@pytest.fixture(scope="module")
def table(ministack: Ministack) -> Any:
    client = ministack.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    client.update_time_to_live(TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    return client


async def read_until(socket: ClientConnection, last: str) -> list[Any]:
    messages: list[Any] = []
    async with asyncio.timeout(SECONDS):
        while last not in messages:
            messages.append(await socket.recv())
    return messages


@pytest.mark.skipif(HOST is None, reason="Lambda has no processors of this architecture")
@pytest.mark.parametrize("name", APPS)
async def test_a_packaged_chat_works_on_ministack(
    name: str, ministack: Ministack, table: Any, package: Packager
) -> None:
    chat = DeployedChat(ministack, name, package)
    async with connect(f"{chat.url}?name=ann", open_timeout=SECONDS) as ann:
        async with connect(f"{chat.url}?name=bob", open_timeout=SECONDS) as bob:
            assert await read_until(ann, "bob has joined") == ["bob has joined"]
            await ann.send("hello")
            # The emulator runs functions with AWS's client.
            assert await read_until(ann, "ann (1): hello") == ["ann has joined", "ann (1): hello"]
            assert await read_until(bob, "ann (1): hello") == ["ann (1): hello"]
            await bob.send("hi, ann")
            assert await read_until(bob, "bob (1): hi, ann") == ["bob has joined", "bob (1): hi, ann"]
            assert await read_until(ann, "bob (1): hi, ann") == ["bob (1): hi, ann"]
            items = table.scan(TableName=TABLE)["Items"]
            assert sorted(item["pk"]["S"].partition("#")[0] for item in items) == ["connection"] * 4 + ["group"] * 2
        assert await read_until(ann, "bob has left") == ["bob has left"]
        await ann.send("bye")
        assert await read_until(ann, "ann (2): bye") == ["ann (2): bye"]
    deadline = time.monotonic() + SECONDS
    while items := table.scan(TableName=TABLE)["Items"]:
        assert time.monotonic() < deadline, items
        await asyncio.sleep(0.1)
    with pytest.raises(ConnectionClosed):
        await ann.recv()
