"""The URL of a stack, the certificate of its domain, and the requests that check the URL."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.dev.deploying.aws import AwsTarget
from bridge.dev.deploying.certificates import find_certificate
from bridge.dev.deploying.deployed_stack import StackState
from bridge.dev.deploying.deployed_url import deployed_url
from bridge.dev.deploying.function_settings import FunctionSettings
from bridge.dev.deploying.stack_settings import StackSettings
from bridge.dev.deploying.url_check import call_url, check_url
from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.deploying.aws import AwsClients

LISTENER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/tea/1/2"


class FakeClients:
    """Clients of an account with a load balancer and certificates."""

    region = "eu-west-1"

    def __init__(self, endpoint_url: str | None = None, protocol: str = "HTTPS", port: int = 443) -> None:
        self.endpoint_url = AwsTarget(endpoint_url=endpoint_url).endpoint
        self._listener = {"Protocol": protocol, "Port": port, "LoadBalancerArn": "balancer"}

    def client(self, _service: str) -> FakeClients:
        return self

    def describe_listeners(self, **_arguments: Any) -> dict[str, Any]:
        return {"Listeners": [self._listener]}

    def describe_load_balancers(self, **_arguments: Any) -> dict[str, Any]:
        return {"LoadBalancers": [{"DNSName": "tea.eu-west-1.elb.amazonaws.com"}]}

    def get_paginator(self, _name: str) -> FakeClients:
        return self

    def paginate(self, **_arguments: Any) -> list[dict[str, Any]]:
        certificates = [
            {"CertificateArn": "one", "DomainName": "example.org"},
            {"CertificateArn": "many", "DomainName": "x.org", "SubjectAlternativeNameSummaries": ["*.Example.com"]},
        ]
        return [{"CertificateSummaryList": certificates[:1]}, {"CertificateSummaryList": certificates[1:]}]


@pytest.fixture(autouse=True)
def without_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.mark.parametrize(
    ("outputs", "clients", "url"),
    [
        ({"Url": "https://a.lambda-url.eu-west-1.on.aws/"}, {}, "https://a.lambda-url.eu-west-1.on.aws/"),
        ({"ListenerArn": LISTENER}, {}, "https://tea.eu-west-1.elb.amazonaws.com/"),
        (
            {"ListenerArn": LISTENER},
            {"protocol": "HTTP", "port": 8080},
            "http://tea.eu-west-1.elb.amazonaws.com:8080/",
        ),
        ({"ListenerArn": LISTENER, "Url": "https://tea.example.com/"}, {}, "https://tea.example.com/"),
        ({}, {}, ""),
        (
            {"Url": "https://a.lambda-url.eu-west-1.on.aws/"},
            {"endpoint_url": "http://localhost:4566"},
            "http://a.lambda-url.eu-west-1.localhost:4566/",
        ),
        (
            {"Url": "https://a.execute-api.eu-west-1.amazonaws.com/dev/"},
            {"endpoint_url": "http://localhost:4566"},
            "http://localhost:4566/_aws/execute-api/a/dev/",
        ),
        (
            {"Url": "http://a.execute-api.localhost:4566/"},
            {"endpoint_url": "http://127.0.0.1:4566"},
            "http://a.execute-api.localhost:4566/",
        ),
    ],
)
def test_the_url_is_that_of_the_front_door(outputs: dict[str, str], clients: dict[str, Any], url: str) -> None:
    assert deployed_url(cast("AwsClients", FakeClients(**clients)), StackState("shop-dev", outputs=outputs)) == url


@pytest.mark.parametrize(
    ("domain", "certificate"), [("example.org", "one"), ("tea.example.com", "many"), ("TEA.example.com", "many")]
)
def test_the_certificate_has_the_name_of_the_domain_or_a_wildcard(domain: str, certificate: str) -> None:
    assert find_certificate(cast("AwsClients", FakeClients()), stack("http-api", domain)).certificate == certificate


@pytest.mark.parametrize("domain", ["example.com", "a.tea.example.com", "www.example.org"])
def test_without_a_certificate_there_is_an_error_except_behind_a_load_balancer(domain: str) -> None:
    with pytest.raises(CommandError, match="has no valid certificate for it in eu-west-1"):
        find_certificate(cast("AwsClients", FakeClients()), stack("http-api", domain))
    assert find_certificate(cast("AwsClients", FakeClients()), stack("alb", domain)).certificate is None


def stack(front_door: str, domain: str) -> StackSettings:
    return StackSettings("shop", "dev", FunctionSettings("3.13", "arm64"), front_door, domain=domain)


class Site:
    """A server that answers with one status after the other, and with the last of them from then on."""

    def __init__(self, *statuses: int) -> None:
        self.hosts: list[str] = []
        site, left = self, list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.hosts.append(self.headers["Host"])
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(*request.param)
    yield site
    site.close()


@pytest.mark.parametrize("site", [(302,), (404,), (500,), (200,)], indirect=True)
def test_a_check_is_two_requests_without_redirects(site: Site) -> None:
    checks = check_url(site.url)
    assert len({check.status for check in checks}) == 1
    assert [check.error for check in checks] == ["", ""]
    assert len(site.hosts) == 2


@pytest.mark.parametrize("site", [(403, 403, 200)], indirect=True)
def test_a_new_url_is_called_until_aws_answers_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    assert [check.status for check in check_url(site.url, is_new=True)] == [200, 200]


@pytest.mark.parametrize("site", [(200,)], indirect=True)
def test_an_emulator_gets_the_host_of_the_url(site: Site) -> None:
    assert call_url("http://a.lambda-url.eu-west-1.localhost:1/", site.url).status == 200
    assert site.hosts == ["a.lambda-url.eu-west-1.localhost:1"]


def test_no_response_has_a_reason() -> None:
    check = call_url("http://127.0.0.1:9/")
    assert (check.status, "refused" in check.error) == (None, True)
