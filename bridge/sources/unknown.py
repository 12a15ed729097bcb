"""What an event seems to be that no source reads: loaded only to say so."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# By the keys that only it has, most telling first: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
_KINDS = (
    (("methodArn",), "API Gateway, which asks a Lambda authorizer"),
    (("routeArn",), "API Gateway, which asks a Lambda authorizer"),
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
# What makes a request of it, and what is missing then.
_HALVES = (
    (("rawPath",), "requestContext.http", "an HTTP API's or a Function URL's"),
    (("routeKey",), "requestContext.http", "an HTTP API's"),
    (("raw_path",), "method", "VPC Lattice's"),
    (("httpMethod",), "path", "a REST API's or a load balancer's"),
    (("method", "headers"), "requestPath", "a REST API's without proxy integration"),
)
_NAMES = {
    "rest_api": "a REST API",
    "http_api": "an HTTP API or a Function URL",
    "alb": "a load balancer",
    "lattice": "VPC Lattice",
    "non_proxy": "a REST API without proxy integration",
    "edge": "CloudFront",
}
_CONTEXT = "requestContext"
_EDGE = "Records.0.cf.request"
_OBJECTS = (
    "headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters",
    "query", "query_string_parameters", "identity", _CONTEXT, f"{_CONTEXT}.http", f"{_CONTEXT}.identity",
    f"{_CONTEXT}.authorizer", _EDGE, f"{_EDGE}.headers", f"{_EDGE}.body",
)  # fmt: skip
_TEXTS = (
    "rawPath", "rawQueryString", "raw_path", "requestPath", "path", "httpMethod", "method", "stage", "routeKey",
    "resource", f"{_CONTEXT}.domainName", f"{_CONTEXT}.path", f"{_CONTEXT}.stage", f"{_CONTEXT}.http.path",
    f"{_CONTEXT}.http.method", f"{_CONTEXT}.http.protocol", f"{_EDGE}.uri", f"{_EDGE}.method",
    f"{_EDGE}.querystring",
)  # fmt: skip
_JSON = {dict: "object", list: "array", str: "string", bool: "boolean"}


def seems(event: dict[str, Any]) -> str:
    """Words for what *event* seems to be, to follow "is no HTTP request from a known source"; ``""`` for no idea."""
    kind = _kind(event)
    if kind:
        return f"; it seems to come from {kind}"
    for keys, missing, whose in _HALVES:
        if all(key in event for key in keys):
            found = _at(event, missing)
            what = "is missing" if found is None else f"is a JSON {_json(found)}"
            return f"; it looks like {whose}, but {missing} {what}"
    return ""


def wrong(name: str | None, event: Any, error: Exception) -> str:
    """What is wrong with an event that a source could not read.

    Args:
        name: the source's module; None if it is the user's own.
        event: the event.
        error: what its ``read`` raised.
    """
    beginning = f"The event is not as {_NAMES.get(name or '', 'its source')} writes it"
    # In a non-proxy event `path` is a map of variables.
    objects = (*_OBJECTS, "path") if name == "non_proxy" else _OBJECTS
    wanted = {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(objects, dict), "cookies": list}
    for place, kind in wanted.items():
        found = _at(event, place)
        if found is not None and not isinstance(found, kind):
            return f"{beginning}: {place} is a JSON {_json(found)}; it must be {_article(_JSON[kind])}."
    return f"{beginning}: {error!r}."


def _kind(event: dict[str, Any]) -> str:
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records and isinstance(records[0], dict) else {}
    sender = first.get("eventSource") or first.get("EventSource") or event.get("eventSource")
    if isinstance(sender, str):
        return sender
    if "cf" in first:
        kind = _at(event, "Records.0.cf.config.eventType")
        return f"CloudFront, but is of the type {kind!r}; only viewer-request and origin-request are requests"
    if "source" in event and "detail-type" in event:
        return f"EventBridge ({event['source']}: {event['detail-type']})"
    about = event.get(_CONTEXT)
    if isinstance(about, dict) and "connectionId" in about:
        return "an API Gateway WebSocket API, which no WSGI or ASGI application can answer here"
    return next((kind for keys, kind in _KINDS if all(key in event for key in keys)), "")


def _at(event: Any, place: str) -> Any:
    """What is at a place such as ``requestContext.http``; None if there is nothing."""
    found = event
    for key in place.split("."):
        try:
            found = found[int(key) if key.isdigit() else key]
        except (LookupError, TypeError):
            return None
    return found


def _json(value: object) -> str:
    return _JSON.get(type(value), "number")


def _article(noun: str) -> str:
    return "text" if noun == "string" else f"an {noun}"
