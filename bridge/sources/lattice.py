"""VPC Lattice, event versions 1 and 2.

The events: https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html

=============  =====================================================================================================
path           ``path`` (``raw_path`` in version 1) as the client sent it, the query behind it
query          from the path; if it is not there, from the decoded parameters
headers        lists in version 2; in version 1 text, repeated values joined by commas
client         the last hop of ``X-Forwarded-For``
payload        one value for a header; cookies in ``cookies``, as AWS's Powertools sends them
=============  =====================================================================================================
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.request import Scope
from bridge.sources import LAMBDA_LIMIT
from bridge.sources.address import header, last_hop, set_server
from bridge.sources.text import as_text, body_of, native, query_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a Lattice event."""
    first = "raw_path" in event
    headers = event.get("headers") or {}

    source = "lattice-v1" if first else "lattice"
    scope = Scope(source, event, context, LAMBDA_LIMIT)
    scope.method = as_text(event.get("method") or "GET")
    scope.sent = headers
    scope.are_lists = not first
    scope.body = body_of(event.get("body"), event.get("is_base64_encoded" if first else "isBase64Encoded"))
    set_server(scope, headers)
    scope.client = last_hop(header(headers, "x-forwarded-for", "X-Forwarded-For"))
    path, _, query = as_text(event.get("raw_path" if first else "path")).partition("?")
    scope.set_path("", path, settings)
    parameters = event.get("query_string_parameters" if first else "queryStringParameters")
    scope.query = native(query) or query_of(parameters)
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload."""
    fields = response.fields(settings.exclude_headers)
    text, is_base64 = encode(response.body, fields, settings)
    payload: dict[str, Any] = {"statusCode": response.status, "statusDescription": response.status_line()}
    payload["headers"] = fields.joined()
    if fields.cookies:
        payload["cookies"] = fields.cookies
    payload["body"] = text
    payload["isBase64Encoded"] = is_base64
    return payload
