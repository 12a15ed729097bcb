"""Who asked, and for which host.

The rule of trust: an address is believed only from what the front door itself wrote. API Gateway, Function URLs
and CloudFront name the client in a field of the event that no client can set. An ALB and VPC Lattice append it to
``X-Forwarded-For``, so the last hop is theirs and everything before it is the client's word. (With an ALB set to
``preserve`` or ``remove`` instead of ``append``, that header is the client's own: do not rely on the address then.)
"""

from __future__ import annotations

from bridge.sources.text import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bridge.request import Scope

_ADDRESS = frozenset("0123456789abcdefABCDEF:.")
default_ports = {"http": "80", "https": "443"}
_REMEMBER = 256

# The server's name by Host, for a function has few of them: parsing one takes a tenth of what reading an event does.
# Clients may make some up, so only so many.
names: dict[Any, str] = {}


def header(headers: Mapping[str, Any], lower: str, title: str) -> str:
    """The last value of a header that the event spells *lower*, *title* or otherwise; ``""`` without one."""
    value = headers.get(lower) or headers.get(title)
    if value is None:
        for name in headers:
            if name.lower() == lower:
                value = headers[name]
    if isinstance(value, list):
        value = value[-1] if value else ""
    return value if isinstance(value, str) else ""


def set_server(scope: Scope, headers: Mapping[str, Any], host: str = "", scheme: str = "https") -> None:
    """Set scheme, server name and server port of *scope* from ``Host`` and ``X-Forwarded-Proto``, ``-Port``.

    Of several forwarded values the last one is the front door's. A port or scheme that is none is passed over.

    Args:
        scope: the scope to complete.
        headers: the event's headers, with one value or a list of values.
        host: the front door's own name, where no header tells.
        scheme: the scheme, where no header tells.
    """
    scope.scheme, scope.server_name, scope.server_port = server_of(headers, host, scheme)


def server_of(headers: Mapping[str, Any], host: str, scheme: str) -> tuple[str, str, str]:
    """Scheme, server name and server port, as :func:`set_server` sets them."""
    try:
        # As nearly always: one spelling, a known host, the port that goes with the scheme.
        if "host" in headers:
            name, proto, port = headers["host"], headers["x-forwarded-proto"], headers["x-forwarded-port"]
        elif not ("x-forwarded-proto" in headers or "x-forwarded-port" in headers):
            name, proto, port = headers["Host"], headers["X-Forwarded-Proto"], headers["X-Forwarded-Port"]
        else:
            raise LookupError
        if type(name) is list and type(proto) is type(port) is list:
            name, proto, port = name[-1], proto[-1], port[-1]
        if port and port == default_ports.get(proto):
            return proto, names[name], port
    except (LookupError, TypeError):  # a new one; one of them is missing, or a list, or null
        pass
    return _parsed(
        header(headers, "host", "Host") or host,
        header(headers, "x-forwarded-proto", "X-Forwarded-Proto"),
        header(headers, "x-forwarded-port", "X-Forwarded-Port"),
        scheme,
    )


def _parsed(host: str, proto: str, port: str, scheme: str) -> tuple[str, str, str]:
    """Scheme, server name and server port."""
    name, host_port = _split(host) if ":" in host else (host, "")
    name = native(name) or "lambda"
    if host and len(names) < _REMEMBER:
        names[host] = name
    proto = proto.rpartition(",")[2].strip().lower()
    port = port.rpartition(",")[2].strip()
    if proto in default_ports:
        scheme = proto
    if not _is_port(port):
        port = host_port if _is_port(host_port) else default_ports[scheme]
    return scheme, name, port


def last_hop(forwarded_for: str) -> str:
    """The address that the front door appended to ``X-Forwarded-For``; ``""`` if that is none.

    The port that an ALB adds if asked to is taken off, and IPv6 addresses lose their brackets.
    """
    hop = forwarded_for.rpartition(",")[2].strip()
    if hop.startswith("["):
        hop = _split(hop)[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    return hop if ("." in hop or ":" in hop) and _ADDRESS.issuperset(hop) else ""


def _split(host: str) -> tuple[str, str]:
    """Name and port of ``name:port`` or ``[address]:port``; an address without brackets has no port."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    if host.count(":") > 1:
        return host, ""
    name, _, port = host.partition(":")
    return name, port


def _is_port(text: str) -> bool:
    return len(text) < 6 and text.isascii() and text.isdigit() and text[0] != "0" and int(text) < 65536


def principal(authorizer: Any) -> str:
    """Whom an authorizer let in: ``principalId`` of a Lambda authorizer, a token's ``sub``, an IAM user id."""
    if not isinstance(authorizer, dict):
        return ""
    user = authorizer.get("principalId")
    for holder, key in (("claims", "sub"), ("jwt", "claims"), ("iam", "userId")):
        if user:
            break
        held = authorizer.get(holder)
        user = held.get(key) if isinstance(held, dict) else None
        if isinstance(user, dict):
            user = user.get("sub")
    return native(user) if isinstance(user, str) else ""
