"""Requests are sent again, also behind another front door, and compared."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.dev.inspector.inspected import Inspected, request


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "image/png"), ("Connection", "close")])
    return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']} {environ['wsgi.input'].read()!r}".encode()]


def replay(inspected: Inspected, content: Any = None) -> tuple[int, Any]:
    """Replay the first request until it is answered; return status and content of the inspector's response."""

    async def run() -> tuple[int, bytes]:
        body = json.dumps(content or {}).encode()
        status, answer = await request(inspected.app, "POST", "/api/requests/1/replay", body=body)
        if status == 200:
            async with asyncio.timeout(5):
                while not inspected.recorder.entries[json.loads(answer)["number"]].is_over:
                    await asyncio.sleep(0.01)
        return status, answer

    status, answer = asyncio.run(run())
    return status, json.loads(answer) if status == 200 else answer.decode()


def test_a_replay_is_a_request_like_the_first_one() -> None:
    inspected = Inspected(app)
    first = inspected.send("/a?b=1", method="POST", body=b"c", headers=[("x-a", "1")])
    assert replay(inspected) == (200, {"number": 2})
    second = inspected.recorder.entries[2]
    assert second.record.request == first.record.request
    assert second.record.answer == first.record.answer
    assert (second.record.replay_of, second.record.source) == (1, "http-api")
    assert inspected.get("/api/compare/1/2") == (200, [])


@pytest.mark.parametrize(
    "source",
    ["http-api", "http-api-v1", "rest-api", "function-url", "alb", "alb-multi", "lattice", "lattice-v1", "edge"],
)
def test_a_replay_behind_another_source_gets_the_answer_of_that_front_door(source: str) -> None:
    inspected = Inspected(app, "http-api")
    inspected.send("/a/b", method="POST", body=b"c")
    assert replay(inspected, {"source": source}) == (200, {"number": 2})
    record = inspected.recorder.entries[2].record
    assert (record.source, record.answer.status) == (source, 200)
    assert inspected.view(2)["panels"]["scope"]["body"]["text"] == "c"


def test_the_differences_between_front_doors_are_listed() -> None:
    inspected = Inspected(app, "function-url")
    inspected.send("/a")
    replay(inspected, {"source": "rest-api"})
    differences = {
        (row["part"], row["name"]): (row["before"], row["after"]) for row in inspected.get("/api/compare/1/2")[1]
    }
    assert differences["HTTP response", "header x-amzn-remapped-connection"] == (None, "close")
    before, after = differences["HTTP response", "body"]
    assert before == " /a b''"
    assert after.startswith("IC9")  # base64, since the API has no binary media types
    assert ("Application's response", "body") not in differences


@pytest.mark.parametrize(
    ("settings", "path", "source", "replayed"),
    [
        ({"stage": "prod"}, "/prod/a", "alb", "/a"),
        ({"stage": "prod"}, "/prod", "alb", "/"),
        ({"stage": "prod"}, "/prod/a", "rest-api", "/prod/a"),
        ({"base_path": "/shop"}, "/shop/a", "function-url", "/shop/a"),
    ],
)
def test_a_stage_is_removed_for_front_doors_without_one(
    settings: dict[str, Any], path: str, source: str, replayed: str
) -> None:
    inspected = Inspected(app, "http-api", **settings)
    inspected.send(path)
    replay(inspected, {"source": source})
    assert inspected.recorder.entries[2].record.request.path == replayed
    assert inspected.recorder.entries[2].record.answer.status == 200


def test_a_refusal_of_the_other_front_door_is_a_difference() -> None:
    inspected = Inspected(app, "http-api")
    inspected.send(headers=[("x-forwarded-for", ", ".join(["192.0.2.1"] * 31))])
    replay(inspected, {"source": "alb"})
    rows = {(row["part"], row["name"]): row for row in inspected.get("/api/compare/1/2")[1]}
    assert rows["HTTP response", "answered by"]["after"] == "front door"
    assert rows["HTTP response", "status"]["after"].startswith("463")


@pytest.mark.parametrize("content", [{"source": "nowhere"}, {"source": 1}])
def test_another_source_is_refused(content: Any) -> None:
    inspected = Inspected(app)
    inspected.send()
    assert replay(inspected, content)[0] == 400
    assert list(inspected.recorder.entries) == [1]


def test_secrets_are_hidden_in_differences() -> None:
    inspected = Inspected(app)
    inspected.send(headers=[("authorization", "Bearer secret-1")])
    inspected.send(headers=[("authorization", "Basic secret-2")])
    assert "secret-" not in json.dumps(inspected.get("/api/compare/1/2"))
    assert "secret-" in json.dumps(inspected.get("/api/compare/1/2?secrets=1"))
