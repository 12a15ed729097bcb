"""One application, buffered behind an HTTP API and streaming behind a Function URL."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

ARTIFACT = Path(__file__).parent / "../build/function.zip"


class Deployment(cdk.Stack):
    def __init__(self, scope, name):
        super().__init__(scope, name)
        settings = {
            "code": lambda_.Code.from_asset(str(ARTIFACT)),
            "handler": "bridge.entrypoint.handler",
            "runtime": lambda_.Runtime.PYTHON_3_13,
            "architecture": lambda_.Architecture.X86_64,
            "memory_size": 512,
        }

        api_function = lambda_.Function(
            self,
            "ApiFunction",
            **settings,
            timeout=cdk.Duration.seconds(29),  # an HTTP API waits for 30
            log_group=self.log_group("ApiLogGroup"),
        )
        api = apigateway.HttpApi(self, "Api", default_integration=HttpLambdaIntegration("AnyRequest", api_function))
        cdk.CfnOutput(self, "ApiUrl", value=api.api_endpoint)

        streaming_function = lambda_.Function(
            self,
            "StreamingFunction",
            **settings,
            timeout=cdk.Duration.seconds(300),
            log_group=self.log_group("StreamingLogGroup"),
            environment={
                "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bridge/runtime/bootstrap",
                "BRIDGE_RESPONSE_MODE": "stream",
            },
        )
        # Public; the CDK adds the permissions.
        url = streaming_function.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.NONE, invoke_mode=lambda_.InvokeMode.RESPONSE_STREAM
        )
        cdk.CfnOutput(self, "StreamingUrl", value=url.url)

    def log_group(self, name):
        retention = logs.RetentionDays.ONE_MONTH
        return logs.LogGroup(self, name, retention=retention, removal_policy=cdk.RemovalPolicy.DESTROY)


app = cdk.App()
Deployment(app, "bridge-example")
app.synth()
