"""The client of the ``@connections`` endpoint."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

import bridge.websocket
from bridge.errors import GoneError, MessageTooLargeError, WebSocketError
from bridge.limits import WEBSOCKET_MESSAGE_LIMIT
from bridge.request import CurrentRequest, current
from bridge.websocket import connections
from bridge.websocket.aws_client import AwsClient
from bridge.websocket.connections import ConnectionsClient, client_for, encode, endpoint_of
from tests.websocket.api import event

if TYPE_CHECKING:
    from tests.websocket.api import FakeApi


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_RETRIES", (0.0, 0.0))


class TestSend:
    def test_a_message_reaches_the_connection(self, api: FakeApi) -> None:
        api.open("a/b=")
        bridge.websocket.send("a/b=", "héllo")
        bridge.websocket.send("a/b=", b"bytes")
        assert api.received["a/b="] == ["héllo", "bytes"]

    async def test_so_does_one_of_the_asynchronous_twin(self, api: FakeApi) -> None:
        api.open("a=")
        await bridge.websocket.asend("a=", "hello")
        await bridge.websocket.aclose("a=")
        assert api.received["a="] == ["hello", None]
        assert bridge.websocket.asend.__doc__ == "Asynchronous :func:`send`."
        assert bridge.websocket.asend.__qualname__ == "asend"  # in the warning of a coroutine that was never awaited

    @pytest.mark.parametrize("data", [5, {"tea": 1}, ["tea"], None])
    def test_what_is_neither_text_nor_bytes_is_an_error_with_the_remedy(self, data: Any, api: FakeApi) -> None:
        api.open("a=")
        with pytest.raises(TypeError, match=rf"text or bytes, not {type(data).__name__}: use json\.dumps\(\) for JSON"):
            bridge.websocket.send("a=", data)
        assert api.requests == []

    def test_an_endpoint_may_be_passed(self, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("BRIDGE_WEBSOCKET_ENDPOINT")
        api.open("a=")
        bridge.websocket.send("a=", "hello", endpoint=api.endpoint)
        bridge.websocket.close("a=", endpoint=api.endpoint)
        assert api.received["a="] == ["hello", None]

    def test_a_closed_connection_is_an_os_error(self, api: FakeApi) -> None:
        with pytest.raises(GoneError, match="connection a= is closed") as caught:
            bridge.websocket.send("a=", "hello")
        assert isinstance(caught.value, OSError)

    @pytest.mark.parametrize("data", ["x" * (WEBSOCKET_MESSAGE_LIMIT + 1), b"x" * (WEBSOCKET_MESSAGE_LIMIT + 1)])
    def test_a_message_that_is_too_large_is_not_sent(self, data: Any, api: FakeApi) -> None:
        with pytest.raises(MessageTooLargeError, match="The message has 131073 bytes"):
            bridge.websocket.send("a=", data)
        assert api.requests == []

    def test_what_api_gateway_finds_too_large_is_the_same_error(self, api: FakeApi) -> None:
        api.failures.append(413)
        with pytest.raises(MessageTooLargeError):
            bridge.websocket.send("a=", "hello")

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_throttled_and_failed_requests_are_tried_again(self, status: int, api: FakeApi) -> None:
        api.open("a=")
        api.failures += [status, status]
        bridge.websocket.send("a=", "hello")
        assert api.received["a="] == ["hello"]

    @pytest.mark.parametrize(("status", "count"), [(429, 3), (500, 3), (400, 1), (403, 1)])
    def test_other_failures_are_errors_with_the_answer(self, status: int, count: int, api: FakeApi) -> None:
        api.failures += [status] * count
        with pytest.raises(WebSocketError, match=f"@connections/a= was answered {status}") as caught:
            bridge.websocket.send("a=", "hello")
        assert ("execute-api:ManageConnections" in str(caught.value)) == (status == 403)
        assert api.failures == []

    @pytest.mark.parametrize("data", [b"\xff", bytearray(b"\xc3"), memoryview(b"a\x80")])
    def test_binary_data_is_an_error(self, data: Any) -> None:
        with pytest.raises(WebSocketError, match="API Gateway sends no binary messages"):
            encode(data)


class TestEndpoint:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("BRIDGE_WEBSOCKET_ENDPOINT", raising=False)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    @pytest.mark.parametrize(
        ("context", "region", "expected"),
        [
            ({}, "eu-west-1", "https://w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com/prod"),
            (
                {"domainName": "chat.example"},
                "eu-west-1",
                "https://w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com/prod",
            ),
            (
                {"domainName": "chat.example"},
                "cn-north-1",
                "https://w1x2y3z4a5.execute-api.cn-north-1.amazonaws.com.cn/prod",
            ),
            ({"domainName": "chat.example"}, "", "https://chat.example/prod"),
        ],
    )
    def test_it_is_that_of_the_event(
        self, context: Any, region: str, expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_REGION", region)
        assert endpoint_of(event("MESSAGE", context=context)) == expected

    @pytest.mark.parametrize("other", [None, {}, {"requestContext": None}, {"requestContext": {"stage": "prod"}}, []])
    def test_other_events_have_none(self, other: Any) -> None:
        assert endpoint_of(other) is None

    @pytest.mark.parametrize("request_", [None, CurrentRequest({"Records": []}, None)])
    def test_without_one_it_is_an_error(self, request_: Any) -> None:
        token = current.set(request_)
        with pytest.raises(WebSocketError, match="Set BRIDGE_WEBSOCKET_ENDPOINT"):
            bridge.websocket.send("a=", "hello")
        current.reset(token)

    @pytest.mark.parametrize("endpoint", ["chat.example/prod", "wss://chat.example/prod", "https:///prod"])
    def test_what_is_no_url_is_an_error(self, endpoint: str) -> None:
        with pytest.raises(WebSocketError, match="is not the URL of a WebSocket API's stage"):
            bridge.websocket.send("a=", "hello", endpoint=endpoint)

    def test_a_path_and_a_port_are_kept(self) -> None:
        requests: list[tuple[str, str, bytes]] = []

        class Client:
            def request(self, method: str, url: str, body: bytes) -> tuple[int, bytes]:
                requests.append((method, url, body))
                return 200, b""

        client: Any = ConnectionsClient("http://127.0.0.1:8000/base/")
        client._client = Client()
        client.send("a/b=", b"hello")
        assert requests == [("POST", "http://127.0.0.1:8000/base/@connections/a%2Fb%3D", b"hello")]


class TestSignature:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def test_it_is_the_one_that_boto3_makes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import datetime

        import boto3
        import botocore.auth
        import botocore.compat

        now = datetime.datetime(2026, 11, 17, 10, 15, 32, tzinfo=datetime.UTC)
        for module in (botocore.auth, botocore.compat):
            if hasattr(module, "get_current_datetime"):
                monkeypatch.setattr(module, "get_current_datetime", lambda **_options: now.replace(tzinfo=None))
        url = "https://w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com/prod"
        sent: list[Any] = []
        boto = boto3.client("apigatewaymanagementapi", endpoint_url=url, region_name="eu-west-1")

        def record(request: Any, **_options: Any) -> Any:
            from botocore.awsrequest import AWSResponse
            from botocore.compat import HTTPHeaders

            sent.append(request)
            response: Any = AWSResponse(request.url, 200, HTTPHeaders(), None)
            response._content = b""
            return response

        boto.meta.events.register("before-send.apigatewaymanagementapi", record)
        boto.post_to_connection(ConnectionId="UBM0afLKjoECIHA=", Data=b"hello")
        theirs = {name.lower(): value for name, value in sent[0].headers.items()}
        assert sent[0].url == f"{url}/@connections/UBM0afLKjoECIHA%3D"

        signer = AwsClient(sent[0].url, "execute-api", "eu-west-1")
        ours = {name.lower(): value for name, value in signer.signed("POST", sent[0].url, b"hello", {}).items()}
        text = {name: value.decode() if isinstance(value, bytes) else value for name, value in theirs.items()}
        assert ours["x-amz-security-token"] == text["x-amz-security-token"] == "token"
        assert ours["x-amz-date"] == text["x-amz-date"]
        assert "Credential=AKIDEXAMPLE/20261117/eu-west-1/execute-api/aws4_request" in ours["authorization"]
        assert ours["authorization"].split("SignedHeaders=")[0] == text["authorization"].split("SignedHeaders=")[0]

    def test_credentials_of_a_profile_sign(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"):
            monkeypatch.delenv(name, raising=False)
        (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = x\n")
        (tmp_path / "config").write_text("[default]\nregion = eu-north-1\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        headers = AwsClient("https://chat.example", "execute-api").signed(
            "POST", "https://chat.example/a", b"hello", {}
        )
        assert "Credential=AKIDPROFILE/" in headers["Authorization"]
        assert "/eu-north-1/execute-api/aws4_request" in headers["Authorization"]

    def test_without_botocore_it_is_an_error_that_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "botocore.auth", None)
        with pytest.raises(WebSocketError, match="install boto3"):
            ConnectionsClient("https://w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com/prod")

    def test_without_credentials_it_is_an_error(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        with pytest.raises(WebSocketError, match="There are no AWS credentials"):
            ConnectionsClient("https://w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com/prod")


class TestPool:
    def test_connections_are_used_again(self, api: FakeApi) -> None:
        api.open("a=")
        for number in range(5):
            bridge.websocket.send("a=", str(number))
        assert len(client_for(api.endpoint)._client._idle) == 1

    def test_one_that_the_endpoint_has_closed_meanwhile_is_replaced(self, api: FakeApi) -> None:
        api.open("a=")
        bridge.websocket.send("a=", "one")
        (connection,) = client_for(api.endpoint)._client._idle
        assert connection.sock is not None
        connection.sock.shutdown(2)
        bridge.websocket.send("a=", "two")
        assert api.received["a="] == ["one", "two"]

    def test_an_endpoint_that_does_not_answer_is_an_error(self) -> None:
        with pytest.raises(WebSocketError, match=r"http://127.0.0.1:9 does not answer: ConnectionRefused"):
            bridge.websocket.send("a=", "hello", endpoint="http://127.0.0.1:9/prod")
