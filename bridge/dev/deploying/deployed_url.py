"""The URL of a deployed stack."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from bridge.dev.deploying.aws import AwsClients
    from bridge.dev.deploying.stack_state import StackState


def deployed_url(clients: AwsClients, state: StackState) -> str:
    """Return the URL; empty if the stack has none.

    That of a load balancer without a domain is read from its listener. An emulator on this machine is reached by names
    below ``localhost``; a stack's URL with AWS's names is changed to those.
    """
    url, listener = state.outputs.get("Url", ""), state.outputs.get("ListenerArn")
    if not url and listener:
        balancing = clients.client("elbv2")
        found = balancing.describe_listeners(ListenerArns=[listener])["Listeners"][0]
        balancers = balancing.describe_load_balancers(LoadBalancerArns=[found["LoadBalancerArn"]])["LoadBalancers"]
        scheme, port = found["Protocol"].lower(), found["Port"]
        suffix = "" if (scheme, port) in (("http", 80), ("https", 443)) else f":{port}"
        url = f"{scheme}://{balancers[0]['DNSName']}{suffix}/"
    return _at_emulator(url, clients.endpoint_url) if clients.endpoint_url and url else url


def _at_emulator(url: str, endpoint_url: str) -> str:
    """Return *url* with the endpoint's scheme and port, and below ``localhost`` if the endpoint is on this machine."""
    parts, endpoint = urlsplit(url), urlsplit(endpoint_url)
    host = parts.hostname or ""
    if endpoint.hostname in ("localhost", "127.0.0.1", "::1") and not host.endswith("localhost"):
        service = next((name for name in ("lambda-url", "execute-api") if f".{name}." in host), None)
        if service == "lambda-url":
            host = f"{host.partition('.lambda-url.')[0]}.lambda-url.{clients_region(host)}.localhost"
        elif service == "execute-api":
            host = f"{host.partition('.execute-api.')[0]}.execute-api.localhost"
    port = f":{endpoint.port}" if endpoint.port else ""
    return f"{endpoint.scheme}://{host}{port}{parts.path or '/'}"


def clients_region(host: str) -> str:
    """Return the region in the host of a Function URL."""
    return host.partition(".lambda-url.")[2].partition(".")[0]
