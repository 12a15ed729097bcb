"""Messages about events that no source can read; imported only when there is such an event."""

from __future__ import annotations

from bridge.sources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Senders by keys that only their events have, the most telling first:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
_SENDERS = (
    (("methodArn",), "API Gateway, for a Lambda authorizer"),
    (("routeArn",), "API Gateway, for a Lambda authorizer"),
    (("awslogs",), "CloudWatch Logs"),
    (("deliveryStreamArn",), "Amazon Data Firehose"),
    (("triggerSource", "userPoolId"), "a Cognito user pool"),
    (("RequestType", "ResponseURL"), "CloudFormation, for a custom resource"),
    (("CodePipeline.job",), "CodePipeline"),
    (("messageVersion", "actionGroup"), "a Bedrock agent"),
    (("info", "arguments"), "AppSync"),
    (("bot", "sessionState"), "Lex"),
    (("invokingEvent", "configRuleName"), "AWS Config"),
    (("StateMachine", "Execution"), "Step Functions"),
    (("TaskToken",), "Step Functions"),
    (("taskToken",), "Step Functions"),
)
# Keys of requests, with the field that is then required, and the source.
_INCOMPLETE = (
    (("rawPath",), "requestContext.http", "an HTTP API or a Function URL"),
    (("routeKey",), "requestContext.http", "an HTTP API"),
    (("raw_path",), "method", "VPC Lattice"),
    (("httpMethod",), "path", "a REST API or a load balancer"),
    (("method", "headers"), "requestPath", "a REST API without proxy integration"),
)
_SOURCES = {
    "rest_api": "a REST API",
    "http_api": "an HTTP API or a Function URL",
    "alb": "a load balancer",
    "vpc_lattice": "VPC Lattice",
    "rest_api_non_proxy": "a REST API without proxy integration",
    "lambda_edge": "CloudFront",
}
_CONTEXT = "requestContext"
_EDGE = "Records.0.cf.request"
_OBJECTS = (
    "headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters",
    "query", "query_string_parameters", "identity", _CONTEXT, f"{_CONTEXT}.http", f"{_CONTEXT}.identity",
    f"{_CONTEXT}.authorizer", _EDGE, f"{_EDGE}.headers", f"{_EDGE}.body",
)  # fmt: skip
_STRINGS = (
    "rawPath", "rawQueryString", "raw_path", "requestPath", "path", "httpMethod", "method", "stage", "routeKey",
    "resource", f"{_CONTEXT}.domainName", f"{_CONTEXT}.path", f"{_CONTEXT}.stage", f"{_CONTEXT}.http.path",
    f"{_CONTEXT}.http.method", f"{_CONTEXT}.http.protocol", f"{_EDGE}.uri", f"{_EDGE}.method",
    f"{_EDGE}.querystring",
)  # fmt: skip
_JSON_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean"}


def likely_sender(event: dict[str, Any]) -> str:
    """The likely sender of *event*, as a clause that follows "is not an HTTP request"; ``""`` for an unknown one."""
    sender = _sender(event)
    if sender:
        return f"; it seems to come from {sender}"
    for keys, required, source in _INCOMPLETE:
        if all(key in event for key in keys):
            value = parse.field(event, required)
            problem = "is missing" if value is None else f"is a JSON {_json_type(value)}"
            return f"; it looks like a request from {source}, but {required} {problem}"
    return ""


def unreadable(source: str | None, event: Any, error: Exception) -> str:
    """The message for an event that its source could not read: *error*; *source* is None for one of the user's own."""
    start = f"The event does not have the form in which {_SOURCES.get(source or '', 'its source')} sends it"
    # In a non-proxy event `path` is a map of variables.
    objects = (*_OBJECTS, "path") if source == "rest_api_non_proxy" else _OBJECTS
    required = {**dict.fromkeys(_STRINGS, str), **dict.fromkeys(objects, dict), "cookies": list}
    for path, kind in required.items():
        value = parse.field(event, path)
        if value is not None and not isinstance(value, kind):
            required_type = "text" if kind is str else f"an {_JSON_TYPES[kind]}"
            return f"{start}: {path} is a JSON {_json_type(value)}; it must be {required_type}."
    return f"{start}: {error!r}."


def _sender(event: dict[str, Any]) -> str:
    for path in ("Records.0.eventSource", "Records.0.EventSource", "eventSource"):
        if (sender := parse.field(event, path)) and isinstance(sender, str):
            return sender
    if parse.field(event, "Records.0.cf"):
        kind = parse.field(event, "Records.0.cf.config.eventType")
        return f"CloudFront, with the event type {kind!r}; only viewer-request and origin-request are requests"
    if "source" in event and "detail-type" in event:
        return f"EventBridge ({event['source']}: {event['detail-type']})"
    if parse.field(event, "requestContext.connectionId") and "methodArn" not in event:
        return (
            "an API Gateway WebSocket API. Beside a WSGI application such events need the options on_connect, "
            "on_message and on_disconnect; see docs/websockets.md"
        )
    return next((sender for keys, sender in _SENDERS if all(key in event for key in keys)), "")


def _json_type(value: object) -> str:
    return _JSON_TYPES.get(type(value), "number")
