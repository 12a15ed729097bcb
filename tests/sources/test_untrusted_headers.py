"""Headers that a client may send do not replace values of the front door, of Lambda or of the bridge."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events import load_event
from tests.sources.received import CONTEXT, asgi_request, environ_of

# The form of the headers in the event of each source.
FORMS = {
    "rest_api": "both",
    "http_api": "single",
    "function_url": "single",
    "alb": "single",
    "alb_multi": "multi",
    "lattice_v1": "single",
    "lattice_v2": "lists",
    "edge_viewer_request": "fields",
    "edge_origin_request": "fields",
    "scaleway": "single",
    "rest_lambda_integration": "single",
}


def with_header(name: str, header: str, *values: str) -> Any:
    """The event of a request that has one more header."""
    event = load_event(name)
    form = FORMS[name]
    if form == "fields":
        request = event["Records"][0]["cf"]["request"]
        request["headers"][header.encode().lower().decode()] = [{"key": header, "value": value} for value in values]
    if form in ("single", "both"):
        event["headers"][header] = values[-1]
    if form in ("multi", "both"):
        event["multiValueHeaders"][header] = list(values)
    if form == "lists":
        event["headers"][header] = list(values)
    return event


@pytest.mark.parametrize("name", FORMS)
def test_a_header_with_underscores_is_not_taken_for_one_with_hyphens(name: str) -> None:
    expected = environ_of(load_event(name))
    environ = environ_of(with_header(name, "X_Forwarded_For", "198.51.100.1"))

    assert environ.get("HTTP_X_FORWARDED_FOR") == expected.get("HTTP_X_FORWARDED_FOR")
    assert environ["REMOTE_ADDR"] == expected["REMOTE_ADDR"]
    assert "198.51.100.1" not in str(sorted(item for item in environ.items() if item[0] != "serverless.event"))


@pytest.mark.parametrize("name", FORMS)
def test_the_header_proxy_does_not_become_the_variable_http_proxy(name: str) -> None:
    for header in ("Proxy", "proxy", "PROXY"):
        assert "HTTP_PROXY" not in environ_of(with_header(name, header, "http://evil.example"))


@pytest.mark.parametrize("name", FORMS)
def test_the_content_length_is_that_of_the_body(name: str) -> None:
    environ = environ_of(with_header(name, "Content-Length", "999999"))
    assert environ["CONTENT_LENGTH"] == str(len(environ["body"]))
    assert "HTTP_CONTENT_LENGTH" not in environ

    request = asgi_request(with_header(name, "Content-Length", "999999"))
    assert request.values("content-length") == [str(len(request.body)).encode()]


def test_the_content_length_of_an_empty_body_is_kept_beside_cookies() -> None:
    event = with_header("http_api", "content-length", "0") | {"cookies": ["a=1"], "body": None}
    assert asgi_request(event).values("content-length") == [b"0"]


@pytest.mark.parametrize("name", FORMS)
def test_the_transfer_encoding_is_removed(name: str) -> None:
    assert "HTTP_TRANSFER_ENCODING" not in environ_of(with_header(name, "Transfer-Encoding", "chunked"))
    assert asgi_request(with_header(name, "Transfer-Encoding", "chunked")).values("transfer-encoding") == []


@pytest.mark.parametrize("name", FORMS)
def test_no_header_replaces_a_key_of_the_environ(name: str) -> None:
    expected = environ_of(load_event(name))
    for header in ("Remote-User", "REMOTE_USER", "Script-Name", "Wsgi.Url-Scheme", "Serverless.Event", "Path-Info"):
        event = with_header(name, header, "/evil")
        environ = environ_of(event)
        for key in ("REMOTE_USER", "SCRIPT_NAME", "PATH_INFO", "wsgi.url_scheme"):
            assert environ.get(key) == expected.get(key), header
        assert environ["serverless.event"] is event


@pytest.mark.parametrize("name", ["rest_api", "http_api", "function_url", "edge_viewer_request", "edge_origin_request"])
def test_forwarded_for_is_ignored_where_the_event_names_the_client(name: str) -> None:
    event = with_header(name, "X-Forwarded-For", "198.51.100.1")
    expected = load_event(name)

    assert environ_of(event)["REMOTE_ADDR"] == environ_of(expected)["REMOTE_ADDR"]
    assert asgi_request(event).scope["client"] == asgi_request(expected).scope["client"]


@pytest.mark.parametrize("name", ["alb", "alb_multi", "lattice_v1"])
def test_the_client_is_the_last_hop_of_forwarded_for(name: str) -> None:
    event = with_header(name, "x-forwarded-for", "198.51.100.1, 198.51.100.2, 203.0.113.9")
    assert environ_of(event)["REMOTE_ADDR"] == "203.0.113.9"
    assert asgi_request(event).scope["client"] == ("203.0.113.9", 0)


@pytest.mark.parametrize("name", ["alb_multi", "lattice_v2"])
def test_the_client_is_the_last_hop_of_several_forwarded_for_headers(name: str) -> None:
    event = with_header(name, "x-forwarded-for", "198.51.100.1", "198.51.100.2, 203.0.113.9")
    assert environ_of(event)["REMOTE_ADDR"] == "203.0.113.9"


@pytest.mark.parametrize("name", ["scaleway", "kong_without_context"])
def test_the_client_is_unknown_where_an_imitator_does_not_name_it(name: str) -> None:
    event = load_event(name)
    event["headers"]["X-Forwarded-For"] = "198.51.100.1"
    assert environ_of(event)["REMOTE_ADDR"] == ""
    assert asgi_request(event).scope["client"] is None


@pytest.mark.parametrize("name", FORMS)
def test_a_forwarded_scheme_that_is_no_scheme_is_ignored(name: str) -> None:
    scheme = "http" if name in ("alb", "alb_multi", "edge_origin_request") else "https"
    header = "x-forwarded-proto" if name.startswith("alb") else "X-Forwarded-Proto"
    for proto in ("ftp", "javascript:alert(1)", "", "https\x00", "\uff48\uff54\uff54\uff50"):
        assert environ_of(with_header(name, header, proto))["wsgi.url_scheme"] == scheme, proto


@pytest.mark.parametrize("name", FORMS)
def test_a_forwarded_port_that_is_no_port_is_ignored(name: str) -> None:
    header = "X-Forwarded-Port" if name.startswith(("rest", "edge", "scaleway")) else "x-forwarded-port"
    expected = {"alb": "80", "alb_multi": "8443", "edge_origin_request": "80"}.get(name, "443")
    for port in ("0", "65536", "-1", "80x", "1e3", "٨٠"):
        assert environ_of(with_header(name, header, port))["SERVER_PORT"] == expected, port


HOSTS = [
    "evil.example/path", "user@evil.example", "a b", "<script>", "..", "*", "[::1", "[::1]:99999", "exämple.com",
    "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_the_application_receives_any_host(name: str) -> None:
    spelling = "Host" if "Host" in str(load_event(name)) else "host"
    for host in HOSTS:
        event = with_header(name, spelling, host)
        environ = environ_of(event)
        assert environ["HTTP_HOST"].encode("latin-1") == host.encode()
        assert 0 < int(environ["SERVER_PORT"]) < 65536
        assert asgi_request(event).values("host") == [host.encode()]


@pytest.mark.parametrize("name", FORMS)
def test_a_header_name_that_is_no_token_is_not_taken_for_another(name: str) -> None:
    expected, cookies = environ_of(load_event(name)), asgi_request(load_event(name)).values("cookie")
    for header in ("ﬁle", "coo\u212aie", "x-\u017fecret", "é", "\U0001f600", "x y", "x:y"):
        event = with_header(name, header, "evil")
        environ = environ_of(event)
        assert [key for key in environ if key.startswith("HTTP_") and key not in expected] == []
        assert environ.get("HTTP_COOKIE") == expected.get("HTTP_COOKIE")
        assert asgi_request(event).values("cookie") == cookies


@pytest.mark.parametrize("name", FORMS)
def test_header_values_keep_their_bytes(name: str) -> None:
    value = "grüße €\U0001f600"
    assert environ_of(with_header(name, "X-Name", value))["HTTP_X_NAME"].encode("latin-1") == value.encode()
    assert asgi_request(with_header(name, "X-Name", value)).values("x-name") == [value.encode()]


def test_the_request_id_of_the_client_is_replaced_by_lambda_s() -> None:
    for name in FORMS:
        event = with_header(name, "X-Request-Id", "forged")
        assert environ_of(event, request_id_header="X-Request-Id")["HTTP_X_REQUEST_ID"] == CONTEXT.aws_request_id
