"""VPC Lattice, event versions 1 and 2.

The events: https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html

=============  =====================================================================================================
path           ``path`` (``raw_path`` in version 1), as the client sent it, followed by the query
query          from the path; if it is not there, from the decoded parameters
headers        lists in version 2; in version 1 text, repeated values joined by commas
client         the last hop of ``X-Forwarded-For``
user           ``requestContext.identity.principal`` in version 2
payload        one value for each header. AWS documents ``Set-Cookie`` among them, which is one cookie; several are in
               ``cookies``, as AWS's Powertools sends them.
=============  =====================================================================================================
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.request import Scope
from bridge.sources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a Lattice event."""
    is_v1 = "raw_path" in event
    headers = parse.flat(event.get("headers") or {})

    scope = Scope("lattice-v1" if is_v1 else "lattice", event, context, LAMBDA_PAYLOAD_LIMIT)
    scope.method = parse.as_text(event.get("method") or "GET")
    scope.headers = parse.pairs_of(headers)
    scope.body = parse.body_of(event.get("body"), event.get("is_base64_encoded" if is_v1 else "isBase64Encoded"))
    scope.scheme, scope.server_name, scope.server_port = parse.server_of(headers)
    scope.client = parse.last_hop(parse.header(headers, "x-forwarded-for", "X-Forwarded-For"))
    scope.user = "" if is_v1 else parse.caller((event.get("requestContext") or {}).get("identity"))
    path, _, query = parse.as_text(event.get("raw_path" if is_v1 else "path")).partition("?")
    scope.raw_path, scope.root_path, scope.path = parse.split_path("", path, settings.base_path)
    parameters = event.get("query_string_parameters" if is_v1 else "queryStringParameters")
    scope.query = parse.native(query) or parse.query_of(parameters)
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload."""
    fields = response.fields(settings.exclude_headers)
    payload: dict[str, Any] = {"statusCode": response.status, "statusDescription": response.status_line()}
    payload["headers"] = fields.joined()
    if fields.cookies and len(fields.cookies) == 1:
        payload["headers"][fields.cookie_name] = fields.cookies[0]
    elif fields.cookies:
        payload["cookies"] = fields.cookies
    payload["body"], payload["isBase64Encoded"] = encode(response.body, fields, settings.is_text)
    return payload
