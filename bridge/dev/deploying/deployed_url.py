"""The URL of a deployed stack."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from bridge.dev.deploying.aws import AwsClients
    from bridge.dev.deploying.deployed_stack import StackState


def deployed_url(clients: AwsClients, state: StackState) -> str:
    """Return the URL; empty if the stack has none.

    That of a load balancer without a domain is read from its listener. AWS's own host names are changed to those under
    which an emulator answers.
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
    """Return *url* with the endpoint's scheme and port, and with a host that is the endpoint's machine."""
    parts, endpoint = urlsplit(url), urlsplit(endpoint_url)
    host, path = parts.hostname or "", parts.path or "/"
    name, api, domain = host.partition(".execute-api.")
    if api and parts.port is None:  # not from the emulator, but of the template of a REST API
        return f"{endpoint_url.rstrip('/')}/_aws/execute-api/{name}{path}"
    name, lambda_url, domain = host.partition(".lambda-url.")
    if lambda_url and endpoint.hostname in ("localhost", "127.0.0.1", "::1"):
        host = f"{name}.lambda-url.{domain.partition('.')[0]}.localhost"
    port = f":{endpoint.port}" if endpoint.port else ""
    return f"{endpoint.scheme}://{host}{port}{path}"
