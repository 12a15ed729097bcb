"""The IAM policies with the permissions that a deployment needs: by tool, and for ``bridge deploy``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.deploying.init_settings import InitSettings
    from bridge.dev.deploying.stack_settings import StackSettings

_SAM_TOOLS = ("sam", "image")
_CLOUDFORMATION_TOOLS = (*_SAM_TOOLS, "serverless")
_LOGS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
# The stack of the bucket that `sam deploy --resolve-s3` uploads to; the name of the bucket begins with it.
_SAM_BUCKET_STACK = "aws-sam-cli-managed-default"

_STACK = """
    CreateChangeSet CreateStack DeleteChangeSet DeleteStack DescribeChangeSet DescribeStackEvents
    DescribeStackResources DescribeStacks ExecuteChangeSet GetTemplate ListStackResources TagResource UpdateStack
"""
_FUNCTION = """
    AddPermission CreateFunction DeleteFunction GetFunction GetFunctionConfiguration GetPolicy ListTags RemovePermission
    TagResource UntagResource UpdateFunctionCode UpdateFunctionConfiguration
"""
_URL = " CreateFunctionUrlConfig DeleteFunctionUrlConfig GetFunctionUrlConfig UpdateFunctionUrlConfig"
_ROLE = "CreateRole DeleteRole GetRole TagRole UntagRole UpdateAssumeRolePolicy"
_TABLE = """
    CreateTable DeleteTable DescribeContinuousBackups DescribeTable DescribeTimeToLive ListTagsOfResource TagResource
    UntagResource UpdateTable UpdateTimeToLive
"""
_REPOSITORY = """
    BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload CreateRepository DeleteRepository
    DeleteRepositoryPolicy DescribeImages DescribeRepositories GetDownloadUrlForLayer GetRepositoryPolicy
    InitiateLayerUpload ListImages ListTagsForResource PutImage SetRepositoryPolicy TagResource UploadLayerPart
"""
# Terraform reads every property of a bucket.
_TERRAFORM_BUCKET = """
    CreateBucket DeleteBucket GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging
    GetBucketObjectLockConfiguration GetBucketPolicy GetBucketRequestPayment GetBucketTagging GetBucketVersioning
    GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration GetReplicationConfiguration ListBucket
    ListBucketVersions PutBucketTagging
"""
_LOAD_BALANCER = """
    AddListenerCertificates AddTags CreateRule CreateTargetGroup DeleteRule DeleteTargetGroup DeregisterTargets
    DescribeListenerCertificates DescribeListeners DescribeLoadBalancers DescribeRules DescribeTags
    DescribeTargetGroupAttributes DescribeTargetGroups DescribeTargetHealth ModifyRule ModifyTargetGroup
    ModifyTargetGroupAttributes RegisterTargets RemoveListenerCertificates RemoveTags SetRulePriorities
"""
# The actions that only one tool needs, by the tool and the statement.
_MORE_ACTIONS = {
    ("serverless", "Stacks"): "DescribeStackResource",
    ("serverless", "Functions"): "ListVersionsByFunction PublishVersion",
    ("serverless", "Roles"): "DeleteRolePolicy GetRolePolicy PutRolePolicy",
    ("terraform", "Functions"): "GetFunctionCodeSigningConfig ListVersionsByFunction",
    ("terraform", "Roles"): "ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies",
}


def iam_policy(deployment: InitSettings) -> str:
    """Return the policy document as JSON."""
    if deployment.kind == "cdk":  # the roles of `cdk bootstrap` have the other permissions
        statements = [_statement("BootstrappedRoles", "sts", "AssumeRole", "arn:aws:iam::*:role/cdk-*")]
    else:
        statements = list(_statements(deployment))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def _statements(deployment: InitSettings) -> Iterator[dict[str, Any]]:
    kind, name = deployment.kind, deployment.name
    role = f"arn:aws:iam::*:role/{name}*"
    is_sam = kind in _SAM_TOOLS
    if kind in _CLOUDFORMATION_TOOLS:
        stack = f"arn:aws:cloudformation:*:*:stack/{name}*/*"
        stacks = [stack, f"arn:aws:cloudformation:*:*:stack/{_SAM_BUCKET_STACK}/*"] if is_sam else stack
        yield _statement("Stacks", "cloudformation", _STACK + _more_actions(kind, "Stacks"), stacks)
    if is_sam:
        transform = "arn:aws:cloudformation:*:aws:transform/Serverless-2016-10-31"
        yield _statement("Transform", "cloudformation", "CreateChangeSet", transform)
        yield _statement("Templates", "cloudformation", "GetTemplateSummary", "*")
        actions = "CreateBucket GetBucketLocation GetBucketPolicy ListBucket PutBucketPolicy PutBucketPublicAccessBlock"
        actions += " PutBucketTagging PutBucketVersioning PutEncryptionConfiguration"
        yield from _bucket_statements(f"{_SAM_BUCKET_STACK}-*", actions)
    if kind == "serverless":
        yield _statement("Templates", "cloudformation", "ValidateTemplate", "*")
        actions = "CreateBucket DeleteBucket DeleteBucketPolicy GetBucketLocation GetBucketPolicy GetBucketVersioning"
        actions += (
            " GetEncryptionConfiguration ListBucket ListBucketVersions PutBucketPolicy PutEncryptionConfiguration"
        )
        # CloudFormation shortens the name of the stack in the name of its bucket.
        yield from _bucket_statements(f"{name[:20]}*", actions)
    if kind == "terraform":
        yield from _bucket_statements(f"{name}-*", _TERRAFORM_BUCKET, "DeleteObjectVersion GetObjectTagging")
    logs = "CreateLogGroup DeleteLogGroup ListTagsForResource PutRetentionPolicy TagResource"
    yield _statement("Logs", "logs", logs, f"arn:aws:logs:*:*:log-group:/aws/lambda/{name}*")
    yield _statement("LogGroups", "logs", "DescribeLogGroups", "*")
    if kind == "image":
        # SAM names the repositories after the stack, without its dashes.
        repositories = f"arn:aws:ecr:*:*:repository/{name.replace('-', '')}*"
        yield _statement("Repositories", "ecr", _REPOSITORY, repositories)
        yield _statement("Registry", "ecr", "GetAuthorizationToken", "*")
    functions = _FUNCTION + (_URL if deployment.streaming else "") + _more_actions(kind, "Functions")
    yield _statement("Functions", "lambda", functions, f"arn:aws:lambda:*:*:function:{name}*")
    yield _statement("Roles", "iam", _ROLE + _more_actions(kind, "Roles"), role)
    if kind != "serverless":  # the framework puts the permissions into the role itself
        only_logs = {"ArnEquals": {"iam:PolicyARN": _LOGS_POLICY}}
        yield _statement("RolesThatWriteLogs", "iam", "AttachRolePolicy DetachRolePolicy", role, only_logs)
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    yield _statement("RolesForLambda", "iam", "PassRole", role, to_lambda)
    if deployment.websocket:
        tables = f"arn:aws:dynamodb:*:*:table/{name}*"
        yield _statement("Tables", "dynamodb", _TABLE, tables)
    if deployment.websocket and kind != "serverless":
        yield _statement("RolePolicies", "iam", "DeleteRolePolicy GetRolePolicy PutRolePolicy", role)
    if deployment.has_api:
        apis = [f"arn:aws:apigateway:*::/{path}" for path in ("apis", "apis/*", "tags/*")]
        yield _statement("HttpApis" if deployment.buffered else "Apis", "apigateway", "DELETE GET PATCH POST PUT", apis)


def deployer_policy(stack: StackSettings, bucket: str | None = None) -> str:
    """Return the policy document, as JSON, with the permissions for ``bridge deploy`` and the commands beside it.

    Args:
        stack: the stack; its front door and its options decide which permissions are needed.
        bucket: the bucket of ``--bucket``; None for that of ``bridge deploy``.
    """
    return (
        json.dumps({"Version": "2012-10-17", "Statement": list(_deployer_statements(stack, bucket))}, indent=2) + "\n"
    )


def _deployer_statements(stack: StackSettings, bucket: str | None) -> Iterator[dict[str, Any]]:
    name, function = stack.stack_name, stack.function
    role = f"arn:aws:iam::*:role/{name}-*"
    actions = f"{_STACK} ContinueUpdateRollback ListChangeSets"
    yield _statement("Stack", "cloudformation", actions, f"arn:aws:cloudformation:*:*:stack/{name}/*")
    bucket_actions = "ListBucket ListBucketMultipartUploads"
    if bucket is None:
        bucket_actions += (
            " CreateBucket GetLifecycleConfiguration PutBucketPublicAccessBlock PutEncryptionConfiguration"
            " PutLifecycleConfiguration"
        )
    place = f"arn:aws:s3:::{bucket or 'serverless-bridge-*'}"
    yield _statement("Bucket", "s3", bucket_actions, place)
    object_actions = "AbortMultipartUpload DeleteObject GetObject ListMultipartUploadParts PutObject"
    yield _statement("Artifacts", "s3", object_actions, f"{place}/{name}/*")
    actions = f"""{_FUNCTION} CreateAlias DeleteAlias GetAlias ListVersionsByFunction PublishVersion UpdateAlias
        GetFunctionConcurrency PutFunctionConcurrency DeleteFunctionConcurrency InvokeFunction ListAliases"""
    if stack.front_door == "function-url":
        actions += _URL
    functions = f"arn:aws:lambda:*:*:function:{name}"
    yield _statement("Function", "lambda", actions, [functions, f"{functions}:*"])
    yield _statement("Role", "iam", f"{_ROLE} DeleteRolePolicy GetRolePolicy PutRolePolicy", role)
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    yield _statement("RoleForLambda", "iam", "PassRole", role, to_lambda)
    logs = "CreateLogGroup DeleteLogGroup FilterLogEvents ListTagsForResource PutRetentionPolicy TagResource"
    logs += " UntagResource DeleteRetentionPolicy"
    yield _statement("Logs", "logs", logs, f"arn:aws:logs:*:*:log-group:/aws/lambda/{name}-*")
    yield _statement("LogGroups", "logs", "DescribeLogGroups", "*")
    if stack.front_door in ("http-api", "rest-api"):
        paths = ["apis", "apis/*"] if stack.front_door == "http-api" else ["restapis", "restapis/*"]
        paths += ["domainnames", "domainnames/*"] if stack.domain else []
        apis = [f"arn:aws:apigateway:*::/{path}" for path in (*paths, "tags/*")]
        yield _statement("Apis", "apigateway", "DELETE GET PATCH POST PUT", apis)
    if stack.front_door == "alb":
        yield _statement("LoadBalancers", "elasticloadbalancing", _LOAD_BALANCER, "*")
    if stack.domain and stack.certificate is None:
        yield _statement("Certificates", "acm", "ListCertificates", "*")
    if function.subnets:
        yield _statement("Vpc", "ec2", "DescribeSecurityGroups DescribeSubnets DescribeVpcs", "*")
    references = " ".join(function.secrets.values())
    if "{{resolve:ssm:" in references:
        yield _statement("Parameters", "ssm", "GetParameter GetParameters", "*")
    if "{{resolve:secretsmanager:" in references:
        yield _statement("Secrets", "secretsmanager", "DescribeSecret GetSecretValue", "*")


def _more_actions(kind: str, sid: str) -> str:
    return f" {_MORE_ACTIONS.get((kind, sid), '')}"


def _bucket_statements(name: str, actions: str, object_actions: str = "") -> Iterator[dict[str, Any]]:
    yield _statement("Bucket", "s3", actions, f"arn:aws:s3:::{name}")
    object_actions += " DeleteObject GetObject PutObject"
    yield _statement("Artifacts", "s3", object_actions, f"arn:aws:s3:::{name}/*")


def _statement(sid: str, service: str, actions: str, resource: Any, condition: Any = None) -> dict[str, Any]:
    """Return a statement that allows the *actions* of a service, which are separated by spaces."""
    names = [f"{service}:{action}" for action in sorted(actions.split())]
    statement = {"Sid": sid, "Effect": "Allow", "Action": names, "Resource": resource}
    return statement if condition is None else {**statement, "Condition": condition}
