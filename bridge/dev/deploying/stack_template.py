"""The CloudFormation template of a stack, of plain resources.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/introduction.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.front_door_resources import digest, front_door_resources
from bridge.dev.deploying.stack_settings import ALIAS, DEPLOYABLE_FRONT_DOORS, MARK

if TYPE_CHECKING:
    from bridge.dev.deploying.stack_settings import StackSettings

# Resources that outlive the stack, unless the deployment that creates them fails.
_RETAINED = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
_VPC_ACTIONS = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "UnassignPrivateIpAddresses",
)


def stack_template(stack: StackSettings, artifact: str, *, key: str | None = None) -> dict[str, Any]:
    """Return the template of a stack.

    Args:
        stack: the stack.
        artifact: the SHA-256 of the artifact; another one makes the template publish another version.
        key: the default of the parameter with the artifact's key in its bucket.

    Returns:
        A template with the parameters ``ArtifactBucket`` and ``ArtifactKey``, and the outputs ``FunctionName``,
        ``LogGroup``, ``Version`` and, except for a load balancer without a domain, ``Url``.
    """
    function = _function(stack)
    version = f"Version{digest([artifact, _published_properties(function)])}"
    front_door, outputs = front_door_resources(stack)
    resources = {
        "LogGroup": {
            "Type": "AWS::Logs::LogGroup",
            **_RETAINED,
            "Properties": {"LogGroupName": _log_group_name(stack), "RetentionInDays": stack.retention},
        },
        "Role": _role(stack),
        "Function": function,
        version: {"Type": "AWS::Lambda::Version", **_RETAINED, "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": ALIAS,
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
            },
        },
        **front_door,
    }
    all_outputs = {
        **outputs,
        "FunctionName": {"Ref": "Function"},
        "LogGroup": {"Ref": "LogGroup"},
        "Version": {"Fn::GetAtt": [version, "Version"]},
        "FrontDoor": stack.front_door,
    }
    key_default = {"Default": key} if key else {}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{MARK}: {stack.name}, stage {stack.stage}, behind {DEPLOYABLE_FRONT_DOORS[stack.front_door]}.",
        "Parameters": {
            "ArtifactBucket": {"Type": "String", "Description": "The bucket with the zip of bridge package."},
            "ArtifactKey": {"Type": "String", "Description": "The key of the zip in the bucket.", **key_default},
        },
        "Resources": resources,
        "Outputs": {name: {"Value": value} for name, value in all_outputs.items()},
    }


def _function(stack: StackSettings) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": stack.stack_name,
            **stack.function.properties,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "LoggingConfig": {"LogGroup": {"Ref": "LogGroup"}},
            "Code": {"S3Bucket": {"Ref": "ArtifactBucket"}, "S3Key": {"Ref": "ArtifactKey"}},
        },
    }


def _published_properties(function: dict[str, Any]) -> dict[str, Any]:
    """Return the properties that are part of a version: without a change of one, Lambda publishes no other version."""
    return {name: value for name, value in function["Properties"].items() if name != "ReservedConcurrentExecutions"}


def _log_group_name(stack: StackSettings) -> dict[str, Any]:
    """Return a name with the last part of the stack's id: the logs of an earlier stack of the same name may exist."""
    uuid = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    suffix = {"Fn::Select": [4, {"Fn::Split": ["-", uuid]}]}
    return {"Fn::Join": ["-", [f"/aws/lambda/{stack.stack_name}", suffix]]}


def _role(stack: StackSettings) -> dict[str, Any]:
    statements = [
        {
            "Sid": "WriteLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["LogGroup", "Arn"]},
        }
    ]
    if stack.function.subnets:
        statements.append(
            {
                "Sid": "ConnectToVpc",
                "Effect": "Allow",
                "Action": [f"ec2:{action}" for action in _VPC_ACTIONS],
                "Resource": "*",
            }
        )
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "function",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                }
            ],
        },
    }
