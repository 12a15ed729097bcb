"""Stores: the same rules for DynamoDB and for memory."""

# ruff: noqa: N803 - the arguments of botocore's client

from __future__ import annotations

import json
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway.websocket_memory_store import MemoryStore
from bridge.dev.gateway.websocket_sqlite_store import SqliteStore
from bridge.errors import SettingError, WebSocketError
from bridge.websocket import store as store_module
from bridge.websocket.store import DynamoStore, find_store, save_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ITEM = {"connect": {"headers": [["a", "é"]]}, "session": {"count": 1}, "kept": ["x", None]}


class FailedConditionError(Exception):
    pass


class FakeTable:
    """DynamoDB, as far as the store calls it, with pages of two entries and batches that are half done.

    Attributes:
        failures: status and type of errors to answer, the first one first.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], dict[str, Any]] = {}
        self.postponed = 2
        self.failures: list[tuple[int, str]] = []

    def request(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        assert (method, url) == ("POST", "https://dynamodb.eu-west-1.amazonaws.com/")
        version, _, operation = headers["X-Amz-Target"].partition(".")
        assert version == "DynamoDB_20120810"
        if self.failures:
            status, kind = self.failures.pop(0)
            return status, json.dumps({"__type": f"com.amazonaws#{kind}", "message": "slow down"}).encode()
        name = re.sub("(?<!^)(?=[A-Z])", "_", operation).lower()
        try:
            return 200, json.dumps(getattr(self, name)(**json.loads(body)) or {}).encode()
        except FailedConditionError:
            kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
            return 400, json.dumps({"__type": kind, "message": "The conditional request failed"}).encode()

    def get_item(self, *, Key: Any, **_options: Any) -> Any:
        entry = self.entries.get((Key["pk"]["S"], Key["sk"]["S"]))
        return {} if entry is None else {"Item": entry}

    def put_item(self, *, Item: Any, ExpressionAttributeValues: Any = None, **_options: Any) -> None:
        key = (Item["pk"]["S"], Item["sk"]["S"])
        if ExpressionAttributeValues is not None:
            version = ExpressionAttributeValues[":version"]
            if self.entries.get(key, {}).get("version") != version:
                raise FailedConditionError
        self.entries[key] = Item

    def query(self, *, ExpressionAttributeValues: Any, ExclusiveStartKey: Any = None, **_options: Any) -> Any:
        pk, now = ExpressionAttributeValues[":pk"]["S"], int(ExpressionAttributeValues[":now"]["N"])
        start = ExclusiveStartKey["sk"]["S"] if ExclusiveStartKey else ""
        keys = sorted(key for key in self.entries if key[0] == pk and key[1] > start)
        entries = [self.entries[key] for key in keys[:2]]
        page: dict[str, Any] = {"Items": [entry for entry in entries if int(entry["expires"]["N"]) > now]}
        if len(keys) > 2:
            page["LastEvaluatedKey"] = {"pk": {"S": pk}, "sk": {"S": keys[1][1]}}
        return page

    def batch_write_item(self, *, RequestItems: Any) -> Any:
        ((table, requests),) = RequestItems.items()
        assert 0 < len(requests) <= 25
        left = []
        for request in requests:
            if len(requests) > 1 and self.postponed:
                self.postponed -= 1
                left.append(request)
            elif "PutRequest" in request:
                item = request["PutRequest"]["Item"]
                self.entries[item["pk"]["S"], item["sk"]["S"]] = item
            else:
                key = request["DeleteRequest"]["Key"]
                self.entries.pop((key["pk"]["S"], key["sk"]["S"]), None)
        return {"UnprocessedItems": {table: left} if left else {}}


def dynamo_store() -> DynamoStore:
    store = DynamoStore("connections")
    fake: Any = FakeTable()
    store._client = fake
    return store


def use_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=[MemoryStore, SqliteStore, dynamo_store], ids=["memory", "SQLite", "DynamoDB"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    use_credentials(monkeypatch)
    monkeypatch.setenv("BRIDGE_WEBSOCKET_FILE", str(tmp_path / "connections"))
    make: Callable[[], Any] = request.param
    store = make()
    yield store
    if isinstance(store, SqliteStore):
        store.close()


def test_what_is_stored_of_a_connection(store: Any) -> None:
    assert store.get("a=") is None
    assert store.put("a=", ITEM)
    assert store.get("a=") == {**ITEM, "version": 1}
    assert store.put("a=", {**ITEM, "session": {}}, 1)
    assert store.get("a=") == {**ITEM, "session": {}, "version": 2}
    assert not store.put("a=", ITEM, 1)
    assert store.get("a=")["session"] == {}
    store.delete("a=")
    assert store.get("a=") is None
    assert not store.put("a=", ITEM, 2)
    store.delete("a=")


def test_groups(store: Any) -> None:
    before = time.time() - 2
    members = [f"c{number}=" for number in range(7)]
    for member in members:
        store.join("room", member)
        store.join("other", member)
    assert sorted(store.members("room")) == members
    assert all(before <= joined <= time.time() for joined in store.members("room").values())
    store.leave("room", "c0=")
    store.put("c1=", ITEM)
    store.delete("c1=")
    assert sorted(store.members("room")) == members[2:]
    assert sorted(store.members("other")) == ["c0=", *members[2:]]
    assert store.members("none") == {}


def test_a_connection_in_many_groups_leaves_them_all(store: Any) -> None:
    for number in range(60):
        store.join(f"room {number}", "a=")
    store.delete("a=")
    assert [number for number in range(60) if store.members(f"room {number}")] == []


def test_processes_share_a_file(tmp_path: Path) -> None:
    stores = [SqliteStore(str(tmp_path / "connections")) for _ in range(2)]
    assert stores[0].put("a=", ITEM)
    stores[0].join("room", "a=")
    assert stores[1].get("a=") == {**ITEM, "version": 1}
    assert stores[1].put("a=", ITEM, 1)
    assert not stores[0].put("a=", ITEM, 1)
    assert list(stores[1].members("room")) == ["a="]
    for store in stores:
        store.close()


def test_connections_whose_disconnect_event_never_came_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    use_credentials(monkeypatch)
    store: Any = dynamo_store()
    store.put("a=", ITEM)
    store.join("room", "a=")
    now = time.time()
    expiries = [int(entry["expires"]["N"]) - now for entry in store._client.entries.values()]
    assert all(7_190 < expiry < 8_000 for expiry in expiries)
    monkeypatch.setattr(time, "time", lambda: now + 8_000)
    assert store.members("room") == {}


@pytest.mark.parametrize(
    ("mine", "theirs", "merged"),
    [
        ({"count": 1, "a": 2}, {"count": 1, "b": 3}, {"count": 1, "a": 2, "b": 3}),
        ({}, {"count": 1, "b": 3}, {"b": 3}),
        ({"count": 2}, {"count": 1}, {"count": 2}),
    ],
)
def test_a_session_is_merged_with_one_that_was_stored_meanwhile(
    store: Any, mine: Any, theirs: Any, merged: Any
) -> None:
    store.put("a=", ITEM)
    item = store.get("a=")
    store.put("a=", {**ITEM, "session": theirs}, 1)
    save_session(store, "a=", item, mine)
    assert store.get("a=")["session"] == merged


def test_a_session_that_others_store_again_and_again_is_an_error(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a=", ITEM)
    item = store.get("a=")
    put = store.put
    versions = iter(range(1, 9))

    def put_after_another(connection_id: str, new: Any, version: int = 0) -> Any:
        put(connection_id, {**ITEM, "session": {"count": 1, "other": version}}, next(versions))
        return put(connection_id, new, version)

    monkeypatch.setattr(store, "put", put_after_another)
    with pytest.raises(WebSocketError, match="were handled at once and changed mine of its session"):
        save_session(store, "a=", item, {"count": 1, "mine": 2})


class TestFind:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use_credentials(monkeypatch)

    def test_without_the_variable_there_is_none(self) -> None:
        assert find_store() is None

    def test_a_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BRIDGE_WEBSOCKET_STORE", "dynamodb:connections")
        assert isinstance(find_store(), DynamoStore)
        assert find_store() is find_store()

    def test_an_object_or_its_class(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BRIDGE_WEBSOCKET_STORE", "bridge.dev.gateway.websocket_memory_store:MemoryStore")
        assert isinstance(find_store(), MemoryStore)
        assert find_store() is find_store()

    @pytest.mark.parametrize("name", ["memory", "dynamodb:", "no_such_module:store", "redis:6379"])
    def test_other_values_are_errors(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BRIDGE_WEBSOCKET_STORE", name)
        with pytest.raises(SettingError, match="allowed is dynamodb:TABLE or module:attribute"):
            find_store()

    def test_a_table_without_botocore_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BRIDGE_WEBSOCKET_STORE", "dynamodb:connections")
        monkeypatch.setitem(sys.modules, "botocore.auth", None)
        with pytest.raises(WebSocketError, match="install boto3"):
            find_store()

    def test_a_table_that_is_unavailable_is_an_error_that_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        store = DynamoStore("connections")
        for call in (lambda: store.get("a="), lambda: store.join("room", "a="), lambda: store.members("room")):
            with pytest.raises(WebSocketError, match=r"The DynamoDB table 'connections', named by .* cannot be used"):
                call()


class TestFailures:
    @pytest.fixture
    def table(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        use_credentials(monkeypatch)
        monkeypatch.setattr(store_module, "_RETRIES", (0.0, 0.0))
        return dynamo_store()

    @pytest.mark.parametrize(
        "failure", [(400, "ProvisionedThroughputExceededException"), (400, "ThrottlingException"), (500, "Internal")]
    )
    def test_operations_that_are_throttled_or_fail_on_aws_s_side_are_tried_again(
        self, failure: Any, table: Any
    ) -> None:
        table._client.failures += [failure] * 2
        assert table.put("a=", ITEM)
        assert table._client.failures == []

    @pytest.mark.parametrize(
        ("failure", "count"), [((400, "ResourceNotFoundException"), 1), ((400, "ThrottlingException"), 3)]
    )
    def test_others_are_errors_with_aws_s_reason(self, failure: Any, count: int, table: Any) -> None:
        table._client.failures += [failure] * count
        with pytest.raises(WebSocketError, match=f"cannot be used: PutItem was answered 400, {failure[1]}: slow down"):
            table.put("a=", ITEM)
        assert table._client.failures == []

    @pytest.mark.parametrize(
        ("variables", "url"),
        [
            ({"AWS_REGION": "cn-north-1"}, "https://dynamodb.cn-north-1.amazonaws.com.cn/"),
            ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
            ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:2"},
             "http://127.0.0.1:2"),
        ],
    )  # fmt: skip
    def test_the_endpoint_is_that_of_the_region_or_of_the_environment(
        self, variables: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_credentials(monkeypatch)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert DynamoStore("connections")._url == url
