"""One application, buffered behind an HTTP API and streaming behind a Function URL."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
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

        # An HTTP API waits for 30 seconds.
        buffered = lambda_.Function(self, "Buffered", **settings, timeout=cdk.Duration.seconds(29))
        api = apigateway.HttpApi(self, "Api", default_integration=HttpLambdaIntegration("Everything", buffered))
        cdk.CfnOutput(self, "BufferedUrl", value=api.api_endpoint)

        streaming = lambda_.Function(
            self,
            "Streaming",
            **settings,
            timeout=cdk.Duration.seconds(300),
            environment={
                "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bridge/runtime/bootstrap",
                "BRIDGE_RESPONSE_MODE": "stream",
            },
        )
        # Public; the CDK adds the permissions.
        url = streaming.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.NONE, invoke_mode=lambda_.InvokeMode.RESPONSE_STREAM
        )
        cdk.CfnOutput(self, "StreamingUrl", value=url.url)


app = cdk.App()
Deployment(app, "bridge-example")
app.synth()
