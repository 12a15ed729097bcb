"""A client may write into its request what it likes; it must not pass for what a front door or the bridge writes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events import load_event
from tests.sources.seen import asgi_of, environ_of

# For each source: where its event keeps headers, and in which form.
SHAPES = {
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
    """The event, had its client sent this header too."""
    event = load_event(name)
    shape = SHAPES[name]
    if shape == "fields":
        request = event["Records"][0]["cf"]["request"]
        request["headers"][header.encode().lower().decode()] = [{"key": header, "value": value} for value in values]
    if shape in ("single", "both"):
        event["headers"][header] = values[-1]
    if shape in ("multi", "both"):
        event["multiValueHeaders"][header] = list(values)
    if shape == "lists":
        event["headers"][header] = list(values)
    return event


@pytest.mark.parametrize("name", SHAPES)
def test_a_header_with_underscores_does_not_pass_for_one_with_hyphens(name: str) -> None:
    honest = environ_of(load_event(name))
    environ = environ_of(with_header(name, "X_Forwarded_For", "198.51.100.1"))

    assert environ.get("HTTP_X_FORWARDED_FOR") == honest.get("HTTP_X_FORWARDED_FOR")
    assert environ["REMOTE_ADDR"] == honest["REMOTE_ADDR"]
    assert "198.51.100.1" not in str(sorted(item for item in environ.items() if item[0] != "serverless.event"))


@pytest.mark.parametrize("name", SHAPES)
def test_no_header_becomes_the_setting_http_proxy(name: str) -> None:
    for header in ("Proxy", "proxy", "PROXY"):
        assert "HTTP_PROXY" not in environ_of(with_header(name, header, "http://evil.example"))


@pytest.mark.parametrize("name", SHAPES)
def test_the_length_of_the_body_is_not_the_client_s_word(name: str) -> None:
    environ = environ_of(with_header(name, "Content-Length", "999999"))
    assert environ["CONTENT_LENGTH"] == str(len(environ["body"]))
    assert "HTTP_CONTENT_LENGTH" not in environ

    seen = asgi_of(with_header(name, "Content-Length", "999999"))
    assert seen.values("content-length") == [str(len(seen.body)).encode()]


def test_the_length_of_an_empty_body_is_told_beside_cookies() -> None:
    event = with_header("http_api", "content-length", "0") | {"cookies": ["a=1"], "body": None}
    for _ in range(2):  # while the names are new, and when they are known
        assert asgi_of(event).values("content-length") == [b"0"]


@pytest.mark.parametrize("name", SHAPES)
def test_a_body_that_is_here_is_not_chunked(name: str) -> None:
    assert "HTTP_TRANSFER_ENCODING" not in environ_of(with_header(name, "Transfer-Encoding", "chunked"))
    assert asgi_of(with_header(name, "Transfer-Encoding", "chunked")).values("transfer-encoding") == []


@pytest.mark.parametrize("name", SHAPES)
def test_no_header_replaces_a_key_of_the_environ(name: str) -> None:
    honest = environ_of(load_event(name))
    for header in ("Remote-User", "REMOTE_USER", "Script-Name", "Wsgi.Url-Scheme", "Serverless.Event", "Path-Info"):
        event = with_header(name, header, "/evil")
        environ = environ_of(event)
        for key in ("REMOTE_USER", "SCRIPT_NAME", "PATH_INFO", "wsgi.url_scheme"):
            assert environ.get(key) == honest.get(key), header
        assert environ["serverless.event"] is event


@pytest.mark.parametrize("name", ["rest_api", "http_api", "function_url", "edge_viewer_request", "edge_origin_request"])
def test_where_the_event_names_the_client_forwarded_for_does_not(name: str) -> None:
    event = with_header(name, "X-Forwarded-For", "198.51.100.1")
    honest = load_event(name)

    assert environ_of(event)["REMOTE_ADDR"] == environ_of(honest)["REMOTE_ADDR"]
    assert asgi_of(event).scope["client"] == asgi_of(honest).scope["client"]


@pytest.mark.parametrize(
    ("name", "header"),
    [("alb", "x-forwarded-for"), ("alb_multi", "x-forwarded-for"), ("lattice_v1", "x-forwarded-for")],
)
def test_of_forwarded_for_only_the_last_hop_is_believed(name: str, header: str) -> None:
    event = with_header(name, header, "198.51.100.1, 198.51.100.2, 203.0.113.9")
    assert environ_of(event)["REMOTE_ADDR"] == "203.0.113.9"
    assert asgi_of(event).scope["client"] == ("203.0.113.9", 0)


@pytest.mark.parametrize("name", ["alb_multi", "lattice_v2"])
def test_of_several_forwarded_for_headers_the_last_one_is_believed(name: str) -> None:
    event = with_header(name, "x-forwarded-for", "198.51.100.1", "198.51.100.2, 203.0.113.9")
    assert environ_of(event)["REMOTE_ADDR"] == "203.0.113.9"


@pytest.mark.parametrize("name", ["scaleway", "kong_without_context"])
def test_an_imitator_that_names_no_client_leaves_the_client_unknown(name: str) -> None:
    event = load_event(name)
    event["headers"]["X-Forwarded-For"] = "198.51.100.1"
    assert environ_of(event)["REMOTE_ADDR"] == ""
    assert asgi_of(event).scope["client"] is None


@pytest.mark.parametrize("name", SHAPES)
def test_a_scheme_that_is_none_changes_nothing(name: str) -> None:
    scheme = "http" if name in ("alb", "alb_multi", "edge_origin_request") else "https"
    header = "x-forwarded-proto" if name.startswith("alb") else "X-Forwarded-Proto"
    for proto in ("ftp", "javascript:alert(1)", "", "https\x00", "\uff48\uff54\uff54\uff50"):
        assert environ_of(with_header(name, header, proto))["wsgi.url_scheme"] == scheme, proto


@pytest.mark.parametrize("name", SHAPES)
def test_a_port_that_is_none_changes_nothing(name: str) -> None:
    header = "X-Forwarded-Port" if name.startswith(("rest", "edge", "scaleway")) else "x-forwarded-port"
    expected = {"alb": "80", "alb_multi": "8443", "edge_origin_request": "80"}.get(name, "443")
    for port in ("0", "65536", "-1", "80x", "1e3", "٨٠"):
        assert environ_of(with_header(name, header, port))["SERVER_PORT"] == expected, port


@pytest.mark.parametrize("header", ["X-Forwarded-Port", "X-Forwarded-Host", "X-Forwarded-Proto"])
@pytest.mark.parametrize("name", ["edge_viewer_request", "edge_origin_request"])
def test_cloudfront_writes_no_forwarded_port_so_it_is_the_client_s_word(name: str, header: str) -> None:
    honest = environ_of(load_event(name))
    environ = environ_of(with_header(name, header, "8080"))
    assert environ["SERVER_PORT"] == honest["SERVER_PORT"]
    assert environ["SERVER_NAME"] == honest["SERVER_NAME"]
    assert environ["wsgi.url_scheme"] == honest["wsgi.url_scheme"]


def test_cloudfront_adds_its_headers_after_the_viewer_request() -> None:
    lie = with_header("edge_viewer_request", "CloudFront-Forwarded-Proto", "http")
    assert environ_of(lie)["wsgi.url_scheme"] == "https"


HOSTS = [
    "evil.example/path",
    "user@evil.example",
    "a b",
    "<script>",
    "..",
    "*",
    "[::1",
    "[::1]:99999",
    "exämple.com",
    "x" * 300,
]


@pytest.mark.parametrize("name", SHAPES)
def test_a_junk_host_reaches_the_application_for_it_to_judge_and_breaks_nothing(name: str) -> None:
    spelling = "Host" if "Host" in str(load_event(name)) else "host"
    for host in HOSTS:
        event = with_header(name, spelling, host)
        environ = environ_of(event)
        assert environ["HTTP_HOST"].encode("latin-1") == host.encode()
        assert 0 < int(environ["SERVER_PORT"]) < 65536
        assert asgi_of(event).values("host") == [host.encode()]


@pytest.mark.parametrize("host", ["[2001:db8::7]:8443", "[2001:db8::7]"])
def test_an_ipv6_host_is_a_name_in_brackets_for_wsgi_and_without_for_asgi(host: str) -> None:
    event = load_event("alb")
    event["headers"]["host"] = host
    del event["headers"]["x-forwarded-port"]
    port = "8443" if host.endswith("8443") else "80"

    environ = environ_of(event)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["HTTP_HOST"]) == ("[2001:db8::7]", port, host)
    assert asgi_of(event).scope["server"] == ("2001:db8::7", int(port))


@pytest.mark.parametrize("name", SHAPES)
def test_a_header_name_that_is_no_token_cannot_pass_for_another_nor_do_harm(name: str) -> None:
    honest, cookies = environ_of(load_event(name)), asgi_of(load_event(name)).values("cookie")
    for header in ("ﬁle", "coo\u212aie", "x-\u017fecret", "é", "\U0001f600", "x y", "x:y"):
        event = with_header(name, header, "evil")
        environ = environ_of(event)
        assert {key for key in environ if key.startswith("HTTP_")} == {key for key in honest if key.startswith("HTTP_")}
        assert environ.get("HTTP_COOKIE") == honest.get("HTTP_COOKIE")
        assert asgi_of(event).values("cookie") == cookies


@pytest.mark.parametrize("name", SHAPES)
def test_header_values_keep_their_bytes(name: str) -> None:
    value = "grüße €\U0001f600"
    assert environ_of(with_header(name, "X-Name", value))["HTTP_X_NAME"].encode("latin-1") == value.encode()
    assert asgi_of(with_header(name, "X-Name", value)).values("x-name") == [value.encode()]


def test_a_request_id_from_the_client_gives_way_to_lambda_s_own() -> None:
    for name in SHAPES:
        event = with_header(name, "X-Request-Id", "forged")
        assert environ_of(event, request_id_header="X-Request-Id")["HTTP_X_REQUEST_ID"] == (
            "6c1f1f2e-7a53-4b0d-9d6e-3b7a4f0f3f21"
        )
