"""The resources of each front door in a CloudFormation template."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.stack_settings import ALIAS

if TYPE_CHECKING:
    from bridge.dev.deploying.stack_settings import StackSettings

Resources = dict[str, dict[str, Any]]
# The resources whose replacement or removal changes the URL, by front door.
URL_RESOURCES = {
    "function-url": ("FunctionUrl",),
    "http-api": ("HttpApi",),
    "rest-api": ("RestApi",),
    "alb": ("ListenerRule",),
}
# A custom domain; its URL is beside that of the front door.
DOMAIN_RESOURCE = "Domain"
# The property of a load balancer's rule that has the domain.
RULE_CONDITIONS = "Conditions"
_ALIAS_ARN = {"Ref": "Alias"}
# The path of Lambda's Invoke API in the URI of a REST API's integration, buffered and streaming:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
_INVOCATIONS = "2015-03-31/functions/${Alias}/invocations"
_STREAMING_INVOCATIONS = "2021-11-15/functions/${Alias}/response-streaming-invocations"
# The bridge sends every body as it is; a REST API then needs to take every type for binary.
_BINARY_MEDIA_TYPES = ["*/*"]


def front_door_resources(stack: StackSettings) -> tuple[Resources, dict[str, Any]]:
    """Return the resources of the stack's front door, and the outputs that they add.

    The outputs are ``Url``, and for a domain ``DomainTarget``: the host that the domain's DNS record names.
    """
    makers = {"function-url": _function_url, "http-api": _http_api, "rest-api": _rest_api, "alb": _load_balancer}
    return makers[stack.front_door](stack)


def _function_url(stack: StackSettings) -> tuple[Resources, dict[str, Any]]:
    """https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html has the two permissions of a public URL."""
    resources = {
        "FunctionUrl": _resource(
            "AWS::Lambda::Url",
            depends_on="Alias",
            TargetFunctionArn={"Ref": "Function"},
            Qualifier=ALIAS,
            AuthType="NONE",
            InvokeMode="RESPONSE_STREAM" if stack.function.streaming else "BUFFERED",
        ),
        "FunctionUrlPermission": _permission("*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"),
        "FunctionUrlInvokePermission": _permission("*", InvokedViaFunctionUrl=True),
    }
    return resources, {"Url": {"Fn::GetAtt": ["FunctionUrl", "FunctionUrl"]}}


def _http_api(stack: StackSettings) -> tuple[Resources, dict[str, Any]]:
    resources = {
        "HttpApi": _resource("AWS::ApiGatewayV2::Api", Name=stack.stack_name, ProtocolType="HTTP"),
        "HttpApiIntegration": _resource(
            "AWS::ApiGatewayV2::Integration",
            ApiId={"Ref": "HttpApi"},
            IntegrationType="AWS_PROXY",
            IntegrationUri=_ALIAS_ARN,
            PayloadFormatVersion="2.0",
        ),
        "HttpApiRoute": _resource(
            "AWS::ApiGatewayV2::Route",
            ApiId={"Ref": "HttpApi"},
            RouteKey="$default",
            Target={"Fn::Sub": "integrations/${HttpApiIntegration}"},
        ),
        "HttpApiStage": _resource(
            "AWS::ApiGatewayV2::Stage",
            depends_on="HttpApiRoute",
            ApiId={"Ref": "HttpApi"},
            StageName="$default",
            AutoDeploy=True,
        ),
        "HttpApiPermission": _permission("apigateway.amazonaws.com", SourceArn=_api_arn("HttpApi")),
    }
    if stack.domain is None:
        return resources, {"Url": {"Fn::Sub": "${HttpApi.ApiEndpoint}/"}}
    resources["Domain"] = _resource(
        "AWS::ApiGatewayV2::DomainName",
        DomainName=stack.domain,
        DomainNameConfigurations=[{"CertificateArn": stack.certificate, "EndpointType": "REGIONAL"}],
    )
    resources["DomainMapping"] = _resource(
        "AWS::ApiGatewayV2::ApiMapping",
        ApiId={"Ref": "HttpApi"},
        DomainName={"Ref": "Domain"},
        Stage={"Ref": "HttpApiStage"},
    )
    return resources, _domain_outputs(stack.domain, "RegionalDomainName")


def _rest_api(stack: StackSettings) -> tuple[Resources, dict[str, Any]]:
    streaming = stack.function.streaming
    integration: dict[str, Any] = {
        "Type": "AWS_PROXY",
        "IntegrationHttpMethod": "POST",
        "Uri": {
            "Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/"
            + (_STREAMING_INVOCATIONS if streaming else _INVOCATIONS)
        },
    }
    if streaming:
        integration |= {"ResponseTransferMode": "STREAM", "TimeoutInMillis": stack.function.seconds * 1000}
    methods = {
        "RestApiRootMethod": _method({"Fn::GetAtt": ["RestApi", "RootResourceId"]}, integration),
        "RestApiProxyMethod": _method({"Ref": "RestApiProxy"}, integration),
    }
    # A deployment is a snapshot of the methods, so different methods need a new one.
    deployment = f"RestApiDeployment{digest(methods)}"
    resources = {
        "RestApi": _resource(
            "AWS::ApiGateway::RestApi",
            Name=stack.stack_name,
            BinaryMediaTypes=_BINARY_MEDIA_TYPES,
            EndpointConfiguration={"Types": ["REGIONAL"]},
        ),
        "RestApiProxy": _resource(
            "AWS::ApiGateway::Resource",
            RestApiId={"Ref": "RestApi"},
            ParentId={"Fn::GetAtt": ["RestApi", "RootResourceId"]},
            PathPart="{proxy+}",
        ),
        **methods,
        deployment: _resource("AWS::ApiGateway::Deployment", depends_on=list(methods), RestApiId={"Ref": "RestApi"}),
        "RestApiStage": _resource(
            "AWS::ApiGateway::Stage",
            RestApiId={"Ref": "RestApi"},
            DeploymentId={"Ref": deployment},
            StageName=stack.stage,
        ),
        "RestApiPermission": _permission("apigateway.amazonaws.com", SourceArn=_api_arn("RestApi")),
    }
    if stack.domain is None:
        url = f"https://${{RestApi}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{stack.stage}/"
        return resources, {"Url": {"Fn::Sub": url}}
    resources["Domain"] = _resource(
        "AWS::ApiGateway::DomainName",
        DomainName=stack.domain,
        RegionalCertificateArn=stack.certificate,
        EndpointConfiguration={"Types": ["REGIONAL"]},
        SecurityPolicy="TLS_1_2",
    )
    resources["DomainMapping"] = _resource(
        "AWS::ApiGateway::BasePathMapping",
        RestApiId={"Ref": "RestApi"},
        DomainName={"Ref": "Domain"},
        Stage={"Ref": "RestApiStage"},
    )
    return resources, _domain_outputs(stack.domain, "RegionalDomainName")


def _load_balancer(stack: StackSettings) -> tuple[Resources, dict[str, Any]]:
    condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    if stack.domain is not None:
        condition = {"Field": "host-header", "HostHeaderConfig": {"Values": [stack.domain]}}
    resources = {
        "TargetGroup": _resource(
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            depends_on="TargetGroupPermission",
            TargetType="lambda",
            Targets=[{"Id": _ALIAS_ARN}],
            TargetGroupAttributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": "true"}],
        ),
        # Registering the function needs the permission, so the permission cannot name the target group.
        "TargetGroupPermission": _permission(
            "elasticloadbalancing.amazonaws.com",
            SourceArn={
                "Fn::Sub": "arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*"
            },
        ),
        "ListenerRule": _resource(
            "AWS::ElasticLoadBalancingV2::ListenerRule",
            ListenerArn=stack.listener,
            Priority=stack.rule_priority,
            Conditions=[condition],
            Actions=[{"Type": "forward", "TargetGroupArn": {"Ref": "TargetGroup"}}],
        ),
    }
    outputs: dict[str, Any] = {"ListenerArn": stack.listener}
    if stack.domain is not None:
        outputs["Url"] = f"https://{stack.domain}/"
        if stack.certificate is not None:
            resources["ListenerCertificate"] = _resource(
                "AWS::ElasticLoadBalancingV2::ListenerCertificate",
                ListenerArn=stack.listener,
                Certificates=[{"CertificateArn": stack.certificate}],
            )
    return resources, outputs


def _resource(kind: str, *, depends_on: str | list[str] | None = None, **properties: Any) -> dict[str, Any]:
    resource = {"Type": kind, "Properties": properties}
    return resource if depends_on is None else {"Type": kind, "DependsOn": depends_on, "Properties": properties}


def _permission(principal: str, **properties: Any) -> dict[str, Any]:
    """Return the permission of a principal to invoke the alias."""
    return _resource(
        "AWS::Lambda::Permission",
        **{"Action": "lambda:InvokeFunction", "FunctionName": _ALIAS_ARN, "Principal": principal, **properties},
    )


def _method(resource: dict[str, Any], integration: dict[str, Any]) -> dict[str, Any]:
    return _resource(
        "AWS::ApiGateway::Method",
        RestApiId={"Ref": "RestApi"},
        ResourceId=resource,
        HttpMethod="ANY",
        AuthorizationType="NONE",
        Integration=integration,
    )


def _api_arn(api: str) -> dict[str, str]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/*"}


def _domain_outputs(domain: str, attribute: str) -> dict[str, Any]:
    return {"Url": f"https://{domain}/", "DomainTarget": {"Fn::GetAtt": ["Domain", attribute]}}


def digest(value: Any) -> str:
    """Return the beginning of a digest of *value*, for names of resources."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
