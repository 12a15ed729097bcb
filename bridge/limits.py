"""AWS's limits and lists that the function's side and the local gateway both apply.

The sources of the numbers:

- https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
- https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
- https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
- https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
- https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from __future__ import annotations

# Bytes of a buffered payload. The documented 6 MB are enforced by the Runtime API as 6 MiB and 100 bytes.
LAMBDA_PAYLOAD_LIMIT = 6_291_556

# Bytes of a load balancer's payload, and characters of its headers.
ALB_PAYLOAD_LIMIT = 1_048_576
ALB_HEADER_LIMIT = 32_768

# Bytes of a Lambda@Edge response, headers included, for viewer and for origin events.
EDGE_VIEWER_LIMIT = 40_960
EDGE_ORIGIN_LIMIT = 1_048_576

# Response headers for which CloudFront answers 502 when a function sets them.
EDGE_REFUSED_HEADERS = frozenset(
    {
        "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "trailer", "transfer-encoding", "upgrade", "via", "x-cache", "x-forwarded-proto",
        "x-real-ip",
    }
)  # fmt: skip
EDGE_REFUSED_PREFIXES = ("x-accel-", "x-amz-cf-", "x-amzn-", "x-edge-")


def is_refused_by_edge(name: str) -> bool:
    """Whether CloudFront answers 502 for a response with this header."""
    lower = name.lower()
    return lower in EDGE_REFUSED_HEADERS or lower.startswith(EDGE_REFUSED_PREFIXES)


# A streamed response begins with a JSON prelude and a delimiter, both within the first 16 KB.
PRELUDE_LIMIT = 16_384
PRELUDE_DELIMITER = b"\0" * 8

# Bytes of a WebSocket API's message, and of one of its frames; seconds that a connection lasts, and may be idle.
WEBSOCKET_MESSAGE_LIMIT = 131_072
WEBSOCKET_FRAME_LIMIT = 32_768
WEBSOCKET_SECONDS = 7_200
WEBSOCKET_IDLE_SECONDS = 600
