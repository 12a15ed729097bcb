"""Behaviour that all front doors share."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.dev.gateway import FRONT_DOORS, Answer, FrontDoorConfig, RefusedError, Request, compose, interpret
from bridge.dev.gateway.models import json_answer
from bridge.dev.gateway.payload_validation import through_lambda
from bridge.errors import SettingError
from bridge.limits import LAMBDA_PAYLOAD_LIMIT

FAILED = json_answer(500, {"message": "failed"})

_scalars = st.sampled_from((None, True, False, 0, -1, 200, 2.5, 1e300, "", "200", "text")) | st.text(max_size=4)
_json = _scalars | st.lists(_scalars, max_size=2) | st.dictionaries(st.text(max_size=4), _scalars, max_size=2)
_names = st.sampled_from(("Content-Type", "set-cookie", "X-A", "x-a", "a b", "", "Connection", "X-Cache", "é"))
_items = _json | st.fixed_dictionaries({"value": _json}, optional={"key": _names})
_headers = st.dictionaries(_names, _json | st.lists(_items, max_size=2), max_size=2)
_almost = st.fixed_dictionaries(
    {},
    optional={
        "statusCode": st.sampled_from((200, "200", 204, "²", 99)) | _json,
        "status": st.sampled_from(("200", "204", "x")) | _json,
        "statusDescription": st.just("200 OK") | _json,
        "headers": _headers | _json,
        "multiValueHeaders": _headers | _json,
        "cookies": st.lists(st.text(max_size=4) | _json, max_size=2) | _json,
        "body": st.text(max_size=8) | _json,
        "isBase64Encoded": _json,
        "bodyEncoding": st.sampled_from(("text", "base64")) | _json,
    },
)


@pytest.mark.slow
@pytest.mark.parametrize("source", FRONT_DOORS)
@settings(max_examples=100, deadline=None)
@given(payload=_json | _almost)
def test_any_payload_becomes_a_valid_response_or_is_refused_with_an_explanation(source: str, payload: Any) -> None:
    payload = json.loads(json.dumps(payload))
    try:
        answer = interpret(payload, source, binary_media_types=("*/*",))
    except RefusedError as refusal:
        answer = refusal.answer
        assert answer.status in (500, 502)
        assert re.search("must be|omit|return|requires|accept|use a|remove|not base64", answer.explanation)
    assert 200 <= answer.status <= 599
    assert type(answer.body) is bytes
    for name, value in answer.headers:
        assert re.fullmatch("[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)
        assert not re.search("[\r\n\0]", value)
        value.encode("latin-1")


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_each_front_door_has_answers_for_failures_timeouts_and_missing_routes(
    source: str,
) -> None:
    door = FRONT_DOORS[source]
    expected = {
        "rest-api": (502, 504, 403, 29),
        "http-api": (500, 503, 404, 30),
        "http-api-v1": (500, 503, 404, 30),
        "function-url": (502, 502, 404, 900),
        "alb": (502, 502, 404, 900),
        "alb-multi": (502, 502, 404, 900),
        "lattice": (500, 504, 404, 60),
        "lattice-v1": (500, 504, 404, 60),
        "edge": (502, 503, 404, 5),
    }
    assert (door.failed.status, door.timed_out.status, door.no_route.status, door.timeout) == expected[source]
    for answer in (door.failed, door.timed_out, door.no_route):
        assert answer.header("content-type")
        assert answer.body


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (FRONT_DOORS["rest-api"].failed, "Internal server error"),
        (FRONT_DOORS["rest-api"].timed_out, "Endpoint request timed out"),
        (FRONT_DOORS["rest-api"].no_route, "Missing Authentication Token"),
        (FRONT_DOORS["http-api"].failed, "Internal Server Error"),
        (FRONT_DOORS["http-api"].timed_out, "Service Unavailable"),
        (FRONT_DOORS["http-api"].no_route, "Not Found"),
    ],
)
def test_api_gateways_own_answers_have_its_messages(answer: Answer, message: str) -> None:
    assert json.loads(answer.body) == {"message": message}


def test_a_payload_passes_through_json() -> None:
    assert through_lambda({1: ("a", None)}, FAILED) == {"1": ["a", None]}


def test_a_payload_that_json_cannot_represent_is_an_error() -> None:
    with pytest.raises(TypeError, match="bytes is not JSON serializable"):
        through_lambda({"body": b"x"}, FAILED)


def test_a_payload_over_6_mb_is_refused() -> None:
    fits = "a" * (LAMBDA_PAYLOAD_LIMIT - 2)
    assert through_lambda(fits, FAILED) == fits
    with pytest.raises(RefusedError) as caught:
        through_lambda(fits + "a", FAILED)
    assert (caught.value.answer.status, caught.value.answer.body) == (500, FAILED.body)
    assert "6291557 bytes of JSON, but Lambda accepts 6291556; answer with less" in caught.value.answer.explanation


def test_the_size_of_a_payload_counts_utf_8() -> None:
    fits = "é" * (LAMBDA_PAYLOAD_LIMIT // 2 - 1)
    assert through_lambda(fits, FAILED) == fits


@pytest.mark.parametrize("call", [lambda: compose(Request(), "http-ape"), lambda: interpret({}, "http-ape")])
def test_an_unknown_source_is_an_error_that_lists_the_sources(call: Any) -> None:
    with pytest.raises(SettingError, match=r"no source 'http-ape'\. The sources are: rest-api, http-api, "):
        call()


@pytest.mark.parametrize(
    ("stage", "base_path", "prefix"),
    [
        ("", "", ""),
        ("/prod/", "", "/prod"),
        ("prod", "", "/prod"),
        ("$default", "", ""),
        ("", "shop/", "/shop"),
        ("", "/", ""),
        ("prod", "shop", "/prod"),
        ("$default", "shop", "/shop"),
    ],
)
def test_slashes_around_stage_and_base_path_are_optional(stage: str, base_path: str, prefix: str) -> None:
    assert FrontDoorConfig(stage=stage, base_path=base_path).prefix == prefix


def test_an_empty_path_becomes_a_slash() -> None:
    assert Request(path="").path == "/"
    assert Request(path="", query="a").target == "/?a"


@pytest.mark.parametrize("source", [source for source in FRONT_DOORS if source != "edge"])
def test_each_request_has_its_own_trace(source: str) -> None:
    traces = set()
    for _ in range(2):
        traces |= set(re.findall("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", json.dumps(compose(Request(), source))))
    assert len(traces) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"headers": {"accept": "*/*"}}, r"The request's headers are a dict; they must be a list of pairs"),
        (
            {"headers": [("accept", b"*/*")]},
            r"headers are a list; they must be a list of pairs, \[\('accept', '\*/\*'\)\]",
        ),
        ({"headers": [("accept",)]}, "headers are a list; they must be a list of pairs"),
        ({"body": "text"}, "The request's body is a str; it must be bytes."),
        ({"query": {"a": 1}}, "The request's query is {'a': 1}; it must be a string, as it is on the wire."),
        ({"path": b"/"}, "The request's path is b'/'; it must be a string"),
        ({"method": None}, "The request's method is None; it must be a string"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        compose(Request(**fields), "alb")
    with pytest.raises(TypeError, match=message):
        interpret({"statusCode": 200}, "rest-api", Request(**fields))
