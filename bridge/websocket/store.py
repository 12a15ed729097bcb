"""What is kept of WebSocket connections between invocations, and which groups they are in.

``BRIDGE_WEBSOCKET_STORE`` is ``dynamodb:TABLE``, or ``module:attribute`` for an object, or its class, with the methods
of :class:`DynamoStore`. The table has the keys ``pk`` and ``sk``, both strings, and ``expires`` as its TTL attribute:

===================  ===============  =====================================================
``pk``               ``sk``           further attributes
===================  ===============  =====================================================
``connection#ID``    ``connection``   ``item`` (JSON), ``version`` (number), ``expires``
``connection#ID``    ``group#NAME``   ``expires``
``group#NAME``       ``ID``           ``expires``
===================  ===============  =====================================================
"""

from __future__ import annotations

import json
import os
import time
from functools import lru_cache

from bridge.errors import ApplicationNotFoundError, SettingError, WebSocketError
from bridge.limits import WEBSOCKET_SECONDS
from bridge.websocket.aws_client import AwsClient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    # JSON values: "connect" (the fields of the connect event), "session", "kept" (messages to send) and "version".
    Item = dict[str, Any]

VARIABLE = "BRIDGE_WEBSOCKET_STORE"
_FAILED_CONDITION = "ConditionalCheckFailedException"
_THROTTLED = ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")
# Seconds before the attempts that follow one that was throttled or failed on DynamoDB's side.
_RETRIES = (0.05, 0.2, 0.8)
_EXPIRY_SECONDS = WEBSOCKET_SECONDS + 600  # from the last write on; a $disconnect event may fail to come


class DynamoStore:
    """A store in a DynamoDB table.

    Args:
        table: the table's name.
    """

    def __init__(self, table: str) -> None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        url = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL")
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._table = table
        self._url = url or f"https://dynamodb.{region}.{suffix}/"
        self._client = AwsClient(self._url, "dynamodb", region)

    def get(self, connection_id: str) -> Item | None:
        """Return what is stored of a connection; None if nothing is."""
        key = _key(f"connection#{connection_id}", "connection")
        attributes = self._call("GetItem", TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if attributes is None:
            return None
        return {**json.loads(attributes["item"]["S"]), "version": int(attributes["version"]["N"])}

    def put(self, connection_id: str, item: Item, version: int = 0) -> bool:
        """Store an item as the one after *version*, 0 for a new one; False if another version is there."""
        attributes = {
            **_record(f"connection#{connection_id}", "connection"),
            "item": {"S": json.dumps({**item, "version": None})},
            "version": {"N": str(version + 1)},
        }
        condition: dict[str, Any] = {}
        if version:
            condition["ConditionExpression"] = "version = :version"
            condition["ExpressionAttributeValues"] = {":version": {"N": str(version)}}
        return _FAILED_CONDITION not in self._call("PutItem", TableName=self._table, Item=attributes, **condition)

    def delete(self, connection_id: str) -> None:
        """Remove a connection, also from its groups."""
        pk = f"connection#{connection_id}"
        names = [name for name, _ in self._query(pk)]
        keys = [_key(pk, name) for name in names]
        keys += [_key(name, connection_id) for name in names if name.startswith("group#")]
        self._write([{"DeleteRequest": {"Key": key}} for key in keys])

    def join(self, group: str, connection_id: str) -> None:
        """Add a connection to a group."""
        pairs = ((f"group#{group}", connection_id), (f"connection#{connection_id}", f"group#{group}"))
        self._write([{"PutRequest": {"Item": _record(*pair)}} for pair in pairs])

    def leave(self, group: str, connection_id: str) -> None:
        """Remove a connection from a group."""
        pairs = ((f"group#{group}", connection_id), (f"connection#{connection_id}", f"group#{group}"))
        self._write([{"DeleteRequest": {"Key": _key(*pair)}} for pair in pairs])

    def members(self, group: str) -> dict[str, float]:
        """Return the connections of a group, with the time when each joined."""
        return {member: expires - _EXPIRY_SECONDS for member, expires in self._query(f"group#{group}")}

    def _query(self, pk: str) -> Iterator[tuple[str, float]]:
        """The sort keys of *pk* and when they expire. DynamoDB removes expired entries late; they are left out here."""
        parameters = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "FilterExpression": "expires > :now",
            "ProjectionExpression": "sk, expires",
            "ExpressionAttributeValues": {":pk": {"S": pk}, ":now": {"N": str(int(time.time()))}},
            "ConsistentRead": True,
        }
        while True:
            page = self._call("Query", **parameters)
            for attributes in page["Items"]:
                yield attributes["sk"]["S"], float(attributes["expires"]["N"])
            if "LastEvaluatedKey" not in page:
                return
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _write(self, requests: list[dict[str, Any]]) -> None:
        """Write or delete any number of entries; those that DynamoDB postpones are tried again."""
        pause = 0.05
        while requests:
            answer = self._call("BatchWriteItem", RequestItems={self._table: requests[:25]})
            left = answer.get("UnprocessedItems", {}).get(self._table, [])
            requests = [*left, *requests[25:]]
            if left:
                time.sleep(pause)
                pause = min(2 * pause, 1)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer to an operation of DynamoDB's API; ``{_FAILED_CONDITION: True}`` if its condition has failed."""
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        body = json.dumps(parameters).encode()
        for pause in (*_RETRIES, None):
            try:
                status, text = self._client.request("POST", self._url, body, headers)
                answer: dict[str, Any] = json.loads(text or b"{}")
            except (WebSocketError, ValueError) as error:
                raise self._error(str(error)) from error
            if status == 200:
                return answer
            kind = str(answer.get("__type")).rpartition("#")[2]
            if kind == _FAILED_CONDITION:
                return {_FAILED_CONDITION: True}
            if pause is None or (status < 500 and kind not in _THROTTLED):
                break
            time.sleep(pause)
        raise self._error(
            f"{operation} was answered {status}, {kind}: {answer.get('message') or answer.get('Message')}"
        )

    def _error(self, reason: str) -> WebSocketError:
        return WebSocketError(f"The DynamoDB table {self._table!r}, named by {VARIABLE}, cannot be used: {reason}")


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _record(pk: str, sk: str) -> dict[str, Any]:
    return {**_key(pk, sk), "expires": {"N": str(int(time.time()) + _EXPIRY_SECONDS)}}


def save_session(store: Any, connection_id: str, item: Item, session: dict[str, Any]) -> None:
    """Store the session of a connection, whose messages may be handled at the same time.

    If another message has stored its own meanwhile, what this one has changed is applied to that.

    Raises:
        WebSocketError: both have changed the same value, or a third one has stored its session, too.
    """
    before = item["session"]
    changes = {key: value for key, value in session.items() if key not in before or before[key] != value}
    removed = before.keys() - session.keys()
    for _ in range(2):
        if store.put(connection_id, {**item, "session": session}, item["version"]):
            return
        stored: Item | None = store.get(connection_id)
        if stored is None:  # it has been closed
            return
        item, current = stored, stored["session"]
        if any(current.get(key) != before.get(key) for key in {*changes, *removed}):
            break
        session = {key: value for key, value in {**current, **changes}.items() if key not in removed}
    raise WebSocketError(
        f"Several messages of the WebSocket connection {connection_id} were handled at once and changed "
        f"{', '.join(sorted({*changes, *removed}))} of its session. What this one changed is not stored. Let clients "
        "wait for the answer to a message that changes the session, or keep the value elsewhere."
    )


def find_store() -> Any:
    """The store that the environment names; None without one.

    Raises:
        SettingError: the variable names no store.
        WebSocketError: the store cannot be used.
    """
    name = os.environ.get(VARIABLE)
    return _store_named(name) if name else None


def required_store() -> Any:
    """The store that the environment names.

    Raises:
        SettingError: the variable names no store.
        WebSocketError: there is none, or it cannot be used.
    """
    store = find_store()
    if store is None:
        raise WebSocketError(f"Groups of WebSocket connections need a store: set {VARIABLE} to dynamodb:TABLE.")
    return store


@lru_cache
def _store_named(name: str) -> Any:
    kind, _, rest = name.partition(":")
    if kind == "dynamodb" and rest:
        return DynamoStore(rest)
    from bridge.loading import find_application

    try:
        store = find_application(name)
    except ApplicationNotFoundError as error:
        raise SettingError(f"{VARIABLE} is {name!r}; allowed is dynamodb:TABLE or module:attribute. {error}") from error
    return store() if isinstance(store, type) else store
