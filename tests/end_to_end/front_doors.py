"""Every front door of AWS's that ministack has, put before a function by boto3.

Where ministack makes an event that AWS does not make, the client sends something else, so that the event is AWS's
after all (``sent``). It asks for no permissions, so none are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from tests.end_to_end.ministack import REGION, Internet, Ministack

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
    """Where clients reach a function.

    Attributes:
        url: the URL that AWS gives it; of the application's own paths it is what comes before.
        sent: see :class:`Internet`.
    """

    url: str
    sent: Callable[[str], str] = str

    @property
    def prefix(self) -> str:
        """What comes before the application's own paths, in a URL without its host."""
        return httpx.URL(self.url).path.rstrip("/")

    def visitor(self, ministack: Ministack) -> httpx.Client:
        """A client that asks there, and comes without cookies."""
        return httpx.Client(base_url=self.url, transport=Internet(ministack, self.sent), timeout=30)


def http_api(ministack: Ministack, function: str) -> FrontDoor:
    """An HTTP API with its default stage."""
    return FrontDoor(f"https://{_http_api(ministack, function, '$default')}.execute-api.{REGION}.amazonaws.com")


def http_api_with_a_stage(ministack: Ministack, function: str) -> FrontDoor:
    """An HTTP API with a stage that has a name.

    AWS leaves the stage at the beginning of ``rawPath``, ministack takes it off. So the client says it twice.
    """
    api = _http_api(ministack, function, STAGE)
    return FrontDoor(f"https://{api}.execute-api.{REGION}.amazonaws.com/{STAGE}", lambda target: f"/{STAGE}{target}")


def http_api_on_a_domain(ministack: Ministack, function: str) -> FrontDoor:
    """An HTTP API on a base path of a domain of one's own; the function has to know it, by ``BRIDGE_BASE_PATH``.

    AWS leaves the base path at the beginning of ``rawPath``, ministack takes it off. So the client says it twice.
    """
    gateway: ApiGatewayV2Client = ministack.client("apigatewayv2")
    api = _http_api(ministack, function, "$default")
    domain = f"{api}.example.com"
    gateway.create_domain_name(DomainName=domain)
    gateway.create_api_mapping(DomainName=domain, ApiId=api, Stage="$default", ApiMappingKey=BASE_PATH)
    return FrontDoor(f"https://{domain}/{BASE_PATH}", lambda target: f"/{BASE_PATH}{target}")


def rest_api(ministack: Ministack, function: str) -> FrontDoor:
    """A REST API with a stage, which it always has, and binary media types.

    Its event says ``"version": "1.0"``, as only an HTTP API's does on AWS, so the bridge takes it for one with payload
    1.0; the path is a REST API's: without the stage. It is decoded once too often.
    """
    gateway: APIGatewayClient = ministack.client("apigateway")
    api = gateway.create_rest_api(name="shop", binaryMediaTypes=["*/*"])["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    every = gateway.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
    for resource in (root, every):
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
    return FrontDoor(f"https://{api}.execute-api.{REGION}.amazonaws.com/{STAGE}", _path_encoded_again)


def function_url(ministack: Ministack, function: str, *, streams: bool = False) -> FrontDoor:
    """A Function URL that is open to all. Its path is decoded once too often, its query sorted by name."""
    lambdas: LambdaClient = ministack.client("lambda")
    made = lambdas.create_function_url_config(
        FunctionName=function, AuthType="NONE", InvokeMode="RESPONSE_STREAM" if streams else "BUFFERED"
    )
    return FrontDoor(made["FunctionUrl"].rstrip("/"), _path_encoded_again)


def alb(ministack: Ministack, function: str) -> FrontDoor:
    """A load balancer. Its path is decoded once too often."""
    return FrontDoor(f"http://{_alb(ministack, function, 'single', multi_value='false')}", _path_encoded_again)


def alb_with_multi_value_headers(ministack: Ministack, function: str) -> FrontDoor:
    """A load balancer whose target group has multi-value headers. Path and query are decoded once too often."""
    return FrontDoor(f"http://{_alb(ministack, function, 'multi', multi_value='true')}", _all_encoded_again)


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


def _path_encoded_again(target: str) -> str:
    path, mark, query = target.partition("?")
    return path.replace("%", "%25") + mark + query


def _all_encoded_again(target: str) -> str:
    path, mark, query = target.partition("?")
    return path.replace("%", "%25") + mark + query.replace("%", "%25").replace("+", "%2B")


DOORS: list[Callable[[Ministack, str], FrontDoor]] = [
    http_api,
    http_api_with_a_stage,
    http_api_on_a_domain,
    rest_api,
    function_url,
    alb,
    alb_with_multi_value_headers,
]
