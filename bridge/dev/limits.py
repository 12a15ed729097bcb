"""AWS's limits that more than one of the developer's tools applies, or none of the front doors.

Those that a function applies as well are in :mod:`bridge.limits`, those of one front door in its module of the gateway.
The sources of the numbers:

- https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
- https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
- https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

from __future__ import annotations

# Bytes of a request's event as JSON: 6 MiB.
LAMBDA_REQUEST_LIMIT = 6_291_456

# A function's memory in MB, its timeout in seconds, and the bytes of its environment variables.
MEMORY_RANGE = (128, 10_240)
LAMBDA_SECONDS = 900
ENVIRONMENT_LIMIT = 4_096

# The first Python that Lambda takes snapshots of: 3.12.
SNAPSTART_MINOR = 12

# Bytes of an upload, and of all files of a function with its layers.
ZIPPED_LIMIT = 50 * 1024 * 1024
UNZIPPED_LIMIT = 250 * 1024 * 1024

# Bytes of the headers of a request to API Gateway: an HTTP API counts the request line, too, a REST API that apart.
API_GATEWAY_HEADER_LIMIT = 10_240

# Seconds that an HTTP API waits for a function, and a REST API and a WebSocket API.
HTTP_API_SECONDS = 30
REST_API_SECONDS = 29
