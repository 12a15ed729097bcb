"""What the credentials of the one who deploys must be allowed, by tool."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.deploying.plan import Plan

_SAM, _STACKS = ("sam", "image"), ("sam", "image", "serverless")
_LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
# SAM's bucket, and the stack that has it: `sam deploy --resolve-s3`.
_SAM_BUCKET = "aws-sam-cli-managed-default"

_STACK = """
    CreateChangeSet CreateStack DeleteChangeSet DeleteStack DescribeChangeSet DescribeStackEvents
    DescribeStackResources DescribeStacks ExecuteChangeSet GetTemplate ListStackResources TagResource UpdateStack
"""
_FUNCTION = """
    AddPermission CreateFunction DeleteFunction GetFunction GetFunctionConfiguration GetPolicy ListTags RemovePermission
    TagResource UntagResource UpdateFunctionCode UpdateFunctionConfiguration
"""
_URL = "CreateFunctionUrlConfig DeleteFunctionUrlConfig GetFunctionUrlConfig UpdateFunctionUrlConfig"
_ROLE = "CreateRole DeleteRole GetRole TagRole UntagRole UpdateAssumeRolePolicy"
_REPOSITORY = """
    BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload CreateRepository DeleteRepository
    DeleteRepositoryPolicy DescribeImages DescribeRepositories GetDownloadUrlForLayer GetRepositoryPolicy
    InitiateLayerUpload ListImages ListTagsForResource PutImage SetRepositoryPolicy TagResource UploadLayerPart
"""
# What only one tool asks for besides.
_ALSO = {
    ("serverless", "Stacks"): "DescribeStackResource",
    ("serverless", "Functions"): "ListVersionsByFunction PublishVersion",
    ("serverless", "Roles"): "DeleteRolePolicy GetRolePolicy PutRolePolicy",
    ("terraform", "Functions"): "GetFunctionCodeSigningConfig ListVersionsByFunction",
    ("terraform", "Roles"): "ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies",
}


def policy(plan: Plan) -> str:
    """The policy as IAM takes it."""
    if plan.kind == "cdk":  # all else is allowed to the roles of `cdk bootstrap`
        statements = [_statement("BootstrappedRoles", "sts", "AssumeRole", "arn:aws:iam::*:role/cdk-*")]
    else:
        statements = list(_statements(plan))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def _statements(plan: Plan) -> Iterable[dict[str, Any]]:
    kind, name = plan.kind, plan.name
    role = f"arn:aws:iam::*:role/{name}*"
    if kind in _STACKS:
        stacks = [f"arn:aws:cloudformation:*:*:stack/{name}*/*"]
        stacks += [f"arn:aws:cloudformation:*:*:stack/{_SAM_BUCKET}/*"] if kind in _SAM else []
        yield _statement(
            "Stacks", "cloudformation", _and(_STACK, plan, "Stacks"), stacks if kind in _SAM else stacks[0]
        )
    if kind in _SAM:
        transform = "arn:aws:cloudformation:*:aws:transform/Serverless-2016-10-31"
        yield _statement("Transform", "cloudformation", "CreateChangeSet", transform)
        yield _statement("Templates", "cloudformation", "GetTemplateSummary", "*")
        own = "CreateBucket GetBucketLocation GetBucketPolicy ListBucket PutBucketPolicy PutBucketPublicAccessBlock"
        own += " PutBucketTagging PutBucketVersioning PutEncryptionConfiguration"
        yield from _bucket(f"{_SAM_BUCKET}-*", own)
    if kind == "serverless":
        yield _statement("Templates", "cloudformation", "ValidateTemplate", "*")
        own = "CreateBucket DeleteBucket DeleteBucketPolicy GetBucketLocation GetBucketPolicy GetBucketVersioning"
        own += " GetEncryptionConfiguration ListBucket ListBucketVersions PutBucketPolicy PutEncryptionConfiguration"
        # CloudFormation shortens the stack's part of a bucket's name to make room for the rest.
        yield from _bucket(f"{name[:20]}*", own)
        logs = "CreateLogGroup DeleteLogGroup ListTagsForResource PutRetentionPolicy TagResource"
        yield _statement("Logs", "logs", logs, f"arn:aws:logs:*:*:log-group:/aws/lambda/{name}*")
        yield _statement("LogGroups", "logs", "DescribeLogGroups", "*")
    if kind == "image":
        # SAM names its repositories by the stack, without its dashes.
        repositories = f"arn:aws:ecr:*:*:repository/{name.replace('-', '')}*"
        yield _statement("Repositories", "ecr", _REPOSITORY, repositories)
        yield _statement("Registry", "ecr", "GetAuthorizationToken", "*")
    functions = _and(f"{_FUNCTION} {_URL if plan.streaming else ''}", plan, "Functions")
    yield _statement("Functions", "lambda", functions, f"arn:aws:lambda:*:*:function:{name}*")
    yield _statement("Roles", "iam", _and(_ROLE, plan, "Roles"), role)
    if kind != "serverless":  # which writes the role's policy itself
        only = {"ArnEquals": {"iam:PolicyARN": _LOGS}}
        yield _statement("RolesThatWriteLogs", "iam", "AttachRolePolicy DetachRolePolicy", role, only)
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    yield _statement("RolesForLambda", "iam", "PassRole", role, to_lambda)
    if plan.buffered:
        apis = [f"arn:aws:apigateway:*::/{path}" for path in ("apis", "apis/*", "tags/*")]
        yield _statement("HttpApis", "apigateway", "DELETE GET PATCH POST PUT", apis)


def _and(actions: str, plan: Plan, sid: str) -> str:
    return f"{actions} {_ALSO.get((plan.kind, sid), '')}"


def _bucket(name: str, actions: str) -> Iterable[dict[str, Any]]:
    yield _statement("Bucket", "s3", actions, f"arn:aws:s3:::{name}")
    yield _statement("Artifacts", "s3", "DeleteObject GetObject PutObject", f"arn:aws:s3:::{name}/*")


def _statement(sid: str, service: str, actions: str, resource: Any, condition: Any = None) -> dict[str, Any]:
    names = [f"{service}:{action}" for action in sorted(actions.split())]
    made = {"Sid": sid, "Effect": "Allow", "Action": names, "Resource": resource}
    return made if condition is None else {**made, "Condition": condition}
