"""The inspector names the rules by which front door and function decide."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway.cors import Cors
from bridge.dev.gateway.routes import FunctionRoute
from tests.dev.inspector.inspected import Inspected

CONTENT_TYPE = {"/png": "image/png", "/gzip": "text/plain"}


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    headers = [("Content-Type", CONTENT_TYPE.get(path, "text/html")), ("Connection", "close"), ("X-Powered-By", "tea")]
    headers.append(("Via", "1.1 tea"))
    if path == "/gzip":
        headers.append(("Content-Encoding", "gzip"))
    start_response("200 OK", headers)
    return [b"\x00" * 3000 if path == "/large" else b"hello"]


def reason_of(inspected: Inspected, subject: str, *, after: str = "") -> str:
    reasons = inspected.reasons(1)
    matching = [reason for name, reason in reasons if name == subject and reason.startswith(after)]
    assert matching, reasons
    return matching[0]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/", "text: text/html is a text type"),
        ("/png", "base64: image/png is not a text type"),
        ("/gzip", "base64: it has a Content-Encoding"),
    ],
)
def test_the_rule_for_the_body_of_the_payload(path: str, reason: str) -> None:
    inspected = Inspected(app)
    inspected.send(path)
    assert ("body", reason) in inspected.reasons(1)


@pytest.mark.parametrize(
    ("source", "content_type", "reason"),
    [
        ("http-api", "application/json", "text: text/*, JSON, XML and JavaScript are sent as text"),
        ("http-api", "image/png", "base64: text/*, JSON, XML and JavaScript are sent as text"),
        ("rest-api", "image/png", "text: REST APIs send what matches their binaryMediaTypes (none"),
        ("alb", "image/png", "base64: load balancers send text/*"),
        ("edge", "text/plain", "base64: CloudFront sends every body as base64"),
    ],
)
def test_the_rule_for_the_body_of_the_event(source: str, content_type: str, reason: str) -> None:
    inspected = Inspected(app, source)
    inspected.send(method="POST", headers=[("Content-Type", content_type)], body=b"abc")
    assert reason_of(inspected, "body").startswith(reason)


def test_bytes_that_are_not_utf_8_are_base64_behind_a_rest_api() -> None:
    inspected = Inspected(app, "rest-api")
    inspected.send(method="POST", body=b"\xff")
    assert ("body", "base64: its bytes are not valid UTF-8") in inspected.reasons(1)


def test_a_header_that_a_rest_api_renames() -> None:
    inspected = Inspected(app, "rest-api")
    inspected.send()
    assert reason_of(inspected, "Connection").startswith("renamed to x-amzn-Remapped-Connection")


@pytest.mark.parametrize("source", ["http-api", "alb", "lattice"])
def test_a_header_of_one_connection_is_dropped(source: str) -> None:
    inspected = Inspected(app, source)
    inspected.send(headers=[("TE", "trailers")])
    assert reason_of(inspected, "TE").startswith("dropped: it concerns one connection")
    dropped = [subject for subject, reason in inspected.reasons(1) if reason.startswith("dropped")]
    assert [subject.lower() for subject in dropped] == ["te", "connection"]


def test_a_header_that_an_option_leaves_out() -> None:
    inspected = Inspected(app, exclude_headers=["x-powered-by"])
    inspected.send()
    assert ("X-Powered-By", "left out: the option exclude_headers names it") in inspected.reasons(1)


def test_a_header_that_cloudfront_refuses() -> None:
    inspected = Inspected(app, "edge")
    inspected.send()
    assert reason_of(inspected, "Via").startswith("left out: CloudFront")


def test_a_header_that_cors_adds() -> None:
    inspected = Inspected(app, cors=Cors())
    inspected.send(headers=[("Origin", "https://shop.example")])
    assert reason_of(inspected, "access-control-allow-origin").startswith("added by the front door's CORS")


@pytest.mark.parametrize(
    ("source", "settings", "path", "subject", "reason"),
    [
        ("rest-api", {"stage": "prod"}, "/prod/x", "/prod", "it is the API's stage"),
        ("http-api", {"stage": "prod"}, "/prod/x", "/prod", "it is the API's stage"),
        ("rest-api", {"base_path": "/shop"}, "/shop/x", "/shop", "it comes before the part that the resource matched"),
        ("function-url", {}, "/x", "/x", "function-url has no stage"),
        ("alb", {}, "/x", "/x", "alb has no stage"),
    ],
)
def test_where_the_path_is_cut(source: str, settings: dict[str, Any], path: str, subject: str, reason: str) -> None:
    inspected = Inspected(app, source, **settings)
    inspected.send(path)
    assert any(name == subject and reason in text for name, text in inspected.reasons(1)), inspected.reasons(1)


def test_a_path_that_an_http_api_ends_at_a_question_mark() -> None:
    inspected = Inspected(app)
    inspected.send("/a%3Fb/c")
    assert reason_of(inspected, "?b/c").startswith("cut off: an HTTP API decodes the path")


def test_the_route_that_matched() -> None:
    inspected = Inspected(app, routes=[FunctionRoute("GET", "/dogs/{id}", "bridge")])
    inspected.send("/dogs/7")
    assert ("/dogs/7", "matched GET /dogs/{id} with id = 7") in inspected.reasons(1)


def test_an_answer_of_the_front_door_has_its_explanation() -> None:
    inspected = Inspected(app, "rest-api", stage="prod")
    inspected.send("/elsewhere")
    view = inspected.view(1)
    assert view["reasons"][-1]["reason"].startswith("rest-api answered 403 itself: the path does not begin with")
    assert view["panels"]["event"] is None
    assert "answered this request itself" in view["missing"]["event"]


def test_a_warning_of_the_front_door() -> None:
    inspected = Inspected(app, "rest-api")
    inspected.send("/png")
    assert any("base64 text instead of the body's bytes" in reason for _, reason in inspected.reasons(1))


def test_a_limit_that_is_near_is_marked() -> None:
    inspected = Inspected(app, "rest-api")
    inspected.send(headers=[("X-Large", "x" * 9_000)])
    nearest, *others = inspected.view(1)["limits"]
    assert (nearest["subject"], nearest["limit"], nearest["isNear"]) == ("request headers", 10_240, True)
    assert not any(limit["isNear"] for limit in others)


def test_a_limit_that_is_exceeded_is_marked() -> None:
    inspected = Inspected(app, "rest-api")
    inspected.send(headers=[("X-Large", "x" * 11_000)])
    view = inspected.view(1)
    assert view["summary"]["status"] == 431
    assert view["limits"][0]["isNear"]


def test_all_six_stages_of_a_request_are_shown() -> None:
    inspected = Inspected(app, "rest-api", stage="prod")
    inspected.send("/prod/caf%C3%A9?x=1", method="POST", headers=[("Content-Type", "text/plain")], body="é".encode())
    panels = inspected.view(1)["panels"]
    assert panels["request"]["line"] == "POST /prod/caf%C3%A9?x=1 HTTP/1.1"
    assert '"path": "/caf%C3%A9"' in panels["event"]["json"]
    assert dict(panels["scope"]["fields"])["path"] == "/café"
    assert dict(panels["scope"]["fields"])["root_path"] == "/prod"
    assert panels["response"]["line"] == "200 OK"
    assert '"isBase64Encoded": false' in panels["payload"]["json"]
    assert panels["answer"]["line"] == "HTTP/1.1 200 OK"
    assert panels["request"]["body"]["text"] == "é"
    assert panels["answer"]["body"]["text"] == "hello"


def test_a_lambda_handler_of_its_own_has_no_scope_and_no_response() -> None:
    def handler(event: Any, context: Any) -> Any:
        return {"statusCode": 200, "body": "x"}

    handler.is_lambda_handler = True  # type: ignore[attr-defined]
    inspected = Inspected(handler)
    inspected.send()
    view = inspected.view(1)
    assert view["panels"]["scope"] is view["panels"]["response"] is None
    assert "Lambda handler" in view["missing"]["scope"]
    assert view["panels"]["answer"]["body"]["text"] == "x"


def test_a_large_body_is_shown_in_part() -> None:
    inspected = Inspected(app)
    inspected.send("/large")
    body = inspected.view(1)["panels"]["answer"]["body"]
    assert (body["size"], body["form"], body["isWhole"]) == (3000, "hex", False)
