"""The front doors that ministack emulates, created by boto3.

Where ministack makes another event of a request than AWS, the client rewrites the request so that the event is the one
that AWS makes. ministack checks no permissions, so none are created.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from tests.end_to_end.ministack import REGION, Ministack, MinistackTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_lambda import LambdaClient

STAGE = "prod"
BASE_PATH = "shop"


@dataclass(frozen=True)
class FrontDoor:
    """A front door before a function.

    Attributes:
        url: the URL of the application's root.
        rewrite: see :class:`MinistackTransport`.
    """

    url: str
    rewrite: Callable[[str], str] = str

    @property
    def prefix(self) -> str:
        """The path of the application's root, without a slash at its end."""
        return httpx.URL(self.url).path.rstrip("/")

    def client(self, ministack: Ministack) -> httpx.Client:
        """Return a client for it, without cookies."""
        return httpx.Client(base_url=self.url, transport=MinistackTransport(ministack, self.rewrite), timeout=30)


def http_api(ministack: Ministack, function: str) -> FrontDoor:
    """Create an HTTP API with the default stage."""
    return FrontDoor(f"https://{_http_api(ministack, function, '$default')}.execute-api.{REGION}.amazonaws.com")


def http_api_with_a_stage(ministack: Ministack, function: str) -> FrontDoor:
    """Create an HTTP API with a named stage.

    On AWS ``rawPath`` begins with the stage. ministack removes it, so the client sends it twice.
    """
    api = _http_api(ministack, function, STAGE)
    return FrontDoor(f"https://{api}.execute-api.{REGION}.amazonaws.com/{STAGE}", lambda target: f"/{STAGE}{target}")


def http_api_on_a_domain(ministack: Ministack, function: str) -> FrontDoor:
    """Create an HTTP API on a base path of a custom domain. The function needs ``BRIDGE_BASE_PATH``.

    On AWS ``rawPath`` begins with the base path. ministack removes it, so the client sends it twice.
    """
    gateway: ApiGatewayV2Client = ministack.client("apigatewayv2")
    api = _http_api(ministack, function, "$default")
    domain = f"{api}.example.com"
    gateway.create_domain_name(DomainName=domain)
    gateway.create_api_mapping(DomainName=domain, ApiId=api, Stage="$default", ApiMappingKey=BASE_PATH)
    return FrontDoor(f"https://{domain}/{BASE_PATH}", lambda target: f"/{BASE_PATH}{target}")


def rest_api(ministack: Ministack, function: str) -> FrontDoor:
    """Create a REST API with binary media types.

    ministack's event has ``"version": "1.0"``, as on AWS only that of an HTTP API with payload 1.0, so the bridge reads
    it as one. Its path is a REST API's, without the stage, but decoded once too often.
    """
    gateway: APIGatewayClient = ministack.client("apigateway")
    api = gateway.create_rest_api(name="shop", binaryMediaTypes=["*/*"])["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    proxy = gateway.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
    for resource in (root, proxy):
        gateway.put_method(restApiId=api, resourceId=resource, httpMethod="ANY", authorizationType="NONE")
        gateway.put_integration(
            restApiId=api,
            resourceId=resource,
            httpMethod="ANY",
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations",
        )
    gateway.create_deployment(restApiId=api, stageName=STAGE)
    return FrontDoor(f"https://{api}.execute-api.{REGION}.amazonaws.com/{STAGE}", _encode_path)


def function_url(ministack: Ministack, function: str, *, streams: bool = False) -> FrontDoor:
    """Create a public Function URL. ministack decodes the path once too often, and sorts the query by name."""
    client: LambdaClient = ministack.client("lambda")
    config = client.create_function_url_config(
        FunctionName=function, AuthType="NONE", InvokeMode="RESPONSE_STREAM" if streams else "BUFFERED"
    )
    return FrontDoor(config["FunctionUrl"].rstrip("/"), _encode_path)


def alb(ministack: Ministack, function: str) -> FrontDoor:
    """Create a load balancer. ministack decodes the path once too often."""
    return FrontDoor(f"http://{_alb(ministack, function, 'single', multi_value='false')}", _encode_path)


def alb_with_multi_value_headers(ministack: Ministack, function: str) -> FrontDoor:
    """Create a load balancer with multi-value headers. ministack decodes path and query once too often."""
    return FrontDoor(f"http://{_alb(ministack, function, 'multi', multi_value='true')}", _encode_path_and_query)


def _http_api(ministack: Ministack, function: str, stage: str) -> str:
    gateway: ApiGatewayV2Client = ministack.client("apigatewayv2")
    api = gateway.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName=stage, AutoDeploy=True)
    return api


def _alb(ministack: Ministack, function: str, kind: str, *, multi_value: str) -> str:
    balancing: ElasticLoadBalancingv2Client = ministack.client("elbv2")
    name = f"{function.rpartition(':')[2]}-{kind}"
    balancer = balancing.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][0]
    group = balancing.create_target_group(Name=name, TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
    balancing.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": multi_value}]
    )
    balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": function}])
    balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return balancer["DNSName"]


def _encode_path(target: str) -> str:
    path, mark, query = target.partition("?")
    return path.replace("%", "%25") + mark + query


def _encode_path_and_query(target: str) -> str:
    path, mark, query = target.partition("?")
    return path.replace("%", "%25") + mark + query.replace("%", "%25").replace("+", "%2B")


FRONT_DOORS: list[Callable[[Ministack, str], FrontDoor]] = [
    http_api,
    http_api_with_a_stage,
    http_api_on_a_domain,
    rest_api,
    function_url,
    alb,
    alb_with_multi_value_headers,
]
