"""One browser's request as the event of each source.

The request fetches a list from an API, with the headers that a current browser and the front door send, three cookies,
and a query with a repeated name, an escape and a blank value. The events have every field that AWS documents for the
source, including those that the bridge does not read.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

_PATH = "/shop/api/orders"
_QUERY = [("tag", "new"), ("tag", "paid"), ("search", "caffè latte"), ("page", "2"), ("after", "")]
_COOKIES = ["session=3f1c9a2e7b5d4c60a8e1f2b3c4d5e6f7", "theme=dark", "_ga=GA1.1.1822914378.1764000000"]
_CLIENT = "203.0.113.86"
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
_TRACE = "Root=1-69245e10-5a1c2b3d4e5f60718293a4b5"
_ACCOUNT = "123456789012"
_REQUEST_ID = "f3d5c1a0-8a52-4a0e-9d4c-6d0f7c1b2a39"
_EPOCH_MS = 1764057616000

_REST_HOST = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
_URL_HOST = "k3xq5w2rj7m4nbvc6tz8plsd0ahyfueg.lambda-url.eu-central-1.on.aws"

_BROWSER = {
    "Accept": "application/json, text/plain, */*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "Authorization": "Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0NzExIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
    "Cookie": "; ".join(_COOKIES),
    "Priority": "u=1, i",
    "Referer": "https://www.example.com/shop/orders?page=1",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "User-Agent": _AGENT,
}


def _headers(host: str) -> dict[str, str]:
    """Return the host and 18 headers, those of the browser and those of the front door."""
    return {
        "Host": host,
        **_BROWSER,
        "X-Amzn-Trace-Id": _TRACE,
        "X-Forwarded-For": _CLIENT,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _lists(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _rest_api() -> dict[str, Any]:
    headers = _headers(_REST_HOST)
    return {
        "resource": "/{proxy+}",
        "path": _PATH,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": _lists([*headers.items()]),
        "queryStringParameters": dict(_QUERY),
        "multiValueQueryStringParameters": _lists(_QUERY),
        "pathParameters": {"proxy": _PATH[1:]},
        "stageVariables": None,
        "requestContext": {
            "resourceId": "9zk2xq",
            "resourcePath": "/{proxy+}",
            "httpMethod": "GET",
            "extendedRequestId": "UqZ3tGx4liAEMbQ=",
            "requestTime": "25/Nov/2025:08:00:16 +0000",
            "path": f"/prod{_PATH}",
            "accountId": _ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "domainPrefix": "a1b2c3d4e5",
            "requestTimeEpoch": _EPOCH_MS,
            "requestId": _REQUEST_ID,
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": _CLIENT,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": _AGENT,
                "user": None,
            },
            "domainName": _REST_HOST,
            "deploymentId": "m7n8b9",
            "apiId": "a1b2c3d4e5",
        },
        "body": None,
        "isBase64Encoded": False,
    }


def _version_2(host: str, api: str, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": _PATH,
        "rawQueryString": urlencode(_QUERY),
        "cookies": _COOKIES,
        "headers": headers,
        "queryStringParameters": {name: ",".join(values) for name, values in _lists(_QUERY).items()},
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": api,
            "domainName": host,
            "domainPrefix": api,
            "http": {
                "method": "GET",
                "path": _PATH,
                "protocol": "HTTP/1.1",
                "sourceIp": _CLIENT,
                "userAgent": _AGENT,
            },
            "requestId": _REQUEST_ID,
            "routeKey": "$default",
            "stage": "$default",
            "time": "25/Nov/2025:08:00:16 +0000",
            "timeEpoch": _EPOCH_MS,
        },
        "isBase64Encoded": False,
    }


def _http_api() -> dict[str, Any]:
    headers = _lower(_headers(_REST_HOST))
    del headers["cookie"]  # an HTTP API sends cookies in `cookies` only
    return _version_2(_REST_HOST, "a1b2c3d4e5", headers)


def _function_url() -> dict[str, Any]:
    return _version_2(_URL_HOST, _URL_HOST.partition(".")[0], _lower(_headers(_URL_HOST)))


def _alb(*, multi: bool) -> dict[str, Any]:
    headers = _lower(_headers("www.example.com"))
    query = [pair.split("=") for pair in urlencode(_QUERY).split("&")]
    pairs = [(name, value) for name, value in query]
    group = f"arn:aws:elasticloadbalancing:eu-central-1:{_ACCOUNT}:targetgroup/orders/6d0ecf831eec9f09"
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": "GET",
        "path": _PATH,
    }
    if multi:
        event["multiValueQueryStringParameters"] = _lists(pairs)
        event["multiValueHeaders"] = _lists([*headers.items()])
    else:
        event["queryStringParameters"] = dict(pairs)
        event["headers"] = headers
    return {**event, "body": "", "isBase64Encoded": False}


EVENTS = {
    "rest-api": _rest_api(),
    "http-api": _http_api(),
    "alb": _alb(multi=False),
    "alb-multi": _alb(multi=True),
    "function-url": _function_url(),
}
