"""Lambda@Edge."""

from __future__ import annotations

import pytest

from bridge.response import Response
from tests.events import load_event
from tests.sources.payload_checks import CHECKS
from tests.sources.received import PNG, environ_of, payload_of, written_payload


@pytest.mark.parametrize(("encoding", "expected"), [("base64", b"a?"), ("text", b"YT8="), (None, b"YT8=")])
def test_the_body_has_the_encoding_that_the_event_names(encoding: str | None, expected: bytes) -> None:
    event = load_event("edge_origin_request")
    event["Records"][0]["cf"]["request"]["body"].update(data="YT8=", encoding=encoding)
    assert environ_of(event)["body"] == expected


@pytest.mark.parametrize("header", ["X-Forwarded-Port", "X-Forwarded-Host", "X-Forwarded-Proto"])
@pytest.mark.parametrize("name", ["edge_viewer_request", "edge_origin_request"])
def test_forwarded_headers_are_ignored_because_clients_may_send_them(name: str, header: str) -> None:
    expected = environ_of(load_event(name))
    event = load_event(name)
    fields = event["Records"][0]["cf"]["request"]["headers"]
    fields[header.lower()] = [{"key": header, "value": "8080"}]
    environ = environ_of(event)
    assert environ["SERVER_PORT"] == expected["SERVER_PORT"]
    assert environ["SERVER_NAME"] == expected["SERVER_NAME"]
    assert environ["wsgi.url_scheme"] == expected["wsgi.url_scheme"]


def test_cloudfront_s_own_headers_are_ignored_in_viewer_requests_to_which_it_has_not_added_them() -> None:
    event = load_event("edge_viewer_request")
    fields = event["Records"][0]["cf"]["request"]["headers"]
    fields["cloudfront-forwarded-proto"] = [{"key": "CloudFront-Forwarded-Proto", "value": "http"}]
    assert environ_of(event)["wsgi.url_scheme"] == "https"


def test_a_truncated_request_body_is_answered_413_without_the_application() -> None:
    payload = payload_of(load_event("edge_origin_request_truncated"), "200 OK", [], b"not this")
    CHECKS["edge"](payload)
    assert payload["status"] == "413"
    assert payload["body"] != "not this"


@pytest.mark.parametrize("name", ["edge_viewer_request", "edge_origin_request"])
def test_the_form_of_the_payload(name: str) -> None:
    headers = [("Content-Type", "image/png"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    assert payload_of(load_event(name), "200 OK", headers, PNG) == {
        "status": "200",
        "statusDescription": "OK",
        "headers": {
            "content-type": [{"key": "Content-Type", "value": "image/png"}],
            "set-cookie": [{"key": "Set-Cookie", "value": "a=1"}, {"key": "Set-Cookie", "value": "b=2"}],
        },
        "body": "iVBORw0KGgoA/w==",
        "bodyEncoding": "base64",
    }
    assert payload_of(load_event(name), "302 Found", [("Location", "/a?b=c")]) == {
        "status": "302",
        "statusDescription": "Found",
        "headers": {"location": [{"key": "Location", "value": "/a?b=c"}]},
    }


def test_the_status_description_has_no_number() -> None:
    for status, description in {404: "Not Found", 520: "Unknown"}.items():
        assert written_payload("edge_viewer_request", Response(status, [], b""))["statusDescription"] == description


@pytest.mark.parametrize(
    "header",
    ["Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
     "Proxy-Connection", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Accel-Redirect", "X-Accel-Buffering",
     "X-Amz-Cf-Id", "X-Amzn-RequestId", "X-Amzn-Trace-Id", "X-Cache", "X-Edge-Location", "X-Forwarded-Proto",
     "X-Real-IP"],
)  # fmt: skip
def test_headers_for_which_cloudfront_answers_502_are_removed(header: str) -> None:
    for spelling in (header, header.lower(), header.upper()):
        payload = written_payload("edge_viewer_request", Response(200, [(spelling, "x"), ("X-Kept", "1")], b""))
        assert list(payload["headers"]) == ["x-kept"]


@pytest.mark.parametrize("header", ["X-Cached-By", "X-Amz-Meta-A", "Viaduct", "X-Forwarded-For", "Upgrade-Insecure"])
def test_headers_with_similar_names_are_kept(header: str) -> None:
    payload = written_payload("edge_viewer_request", Response(200, [(header, "x")], b""))
    assert list(payload["headers"]) == [header.lower()]


@pytest.mark.parametrize(("name", "limit"), [("edge_viewer_request", 40_960), ("edge_origin_request", 1_048_576)])
def test_a_payload_over_the_limit_is_a_logged_500(name: str, limit: int, caplog: pytest.LogCaptureFixture) -> None:
    assert payload_of(load_event(name), body=b"x" * (limit - 600))["status"] == "200"
    assert not caplog.records

    payload = payload_of(load_event(name), body=b"x" * limit)
    assert payload["status"] == "500"
    assert str(limit) in caplog.text
    assert "bytes of JSON" in caplog.text
