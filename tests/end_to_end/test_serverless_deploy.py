"""``sls deploy`` to ministack: requests, remote commands, an update of the function, and ``sls remove``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.dev.cli.packages import HOST
from tests.dev.serverless_plugin.conftest import framework as framework
from tests.dev.serverless_plugin.conftest import frameworks as frameworks
from tests.end_to_end.front_doors import FrontDoor
from tests.end_to_end.ministack import CREDENTIALS, REGION
from tests.end_to_end.ministack import ministack as ministack
from tests.examples.applications import EXAMPLES
from tests.remote.fake_lambda import NO_AWS_CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_cloudformation import CloudFormationClient

    from tests.dev.serverless_plugin.framework import CommandResult, Framework, ServerlessProject
    from tests.end_to_end.ministack import Ministack

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(HOST is None, reason="Lambda has no processors of this architecture"),
]

EXAMPLE = EXAMPLES / "flask"
TEA = (EXAMPLE / "tea.png").read_bytes()
CONFIG: dict[str, Any] = {
    "provider": {
        "architecture": HOST,
        "region": REGION,
        "apiGateway": {"binaryMediaTypes": ["*/*"]},
        "environment": {"BRIDGE_REMOTE_COMMANDS": "on"},
    },
    "custom": {"wsgi": {"app": "app.app"}},
    "functions": {
        "shop": {
            "handler": "wsgi_handler.handler",
            "timeout": 20,
            "url": True,
            "events": [{"httpApi": "*"}, {"http": "ANY /"}, {"http": "ANY /{proxy+}"}],
        }
    },
}
# The stack outputs that hold the URLs of the front doors.
URL_OUTPUTS = ["ServiceEndpoint", "HttpApiUrl", "ShopLambdaFunctionUrl"]
# Serverless 3 uses version 2 of the AWS SDK, which ignores AWS_ENDPOINT_URL. Version 3, in osls 4, reads it.
ENDPOINT_PLUGIN = """
module.exports = class {
  constructor(serverless) {
    const { config } = serverless.getProvider('aws').sdk;
    config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
  }
};
"""


class Service:
    """The Flask example as a Serverless Framework service that is deployed to ministack.

    Attributes:
        project: the project's folder and configuration.
        stack: the name of the CloudFormation stack.
    """

    def __init__(self, framework: Framework, ministack: Ministack, folder: Path) -> None:
        edition = framework.home.name.partition("-")[0]
        files = {file: (EXAMPLE / file).read_text() for file in ("app.py", "requirements.txt")}
        config = {**CONFIG, "provider": {**CONFIG["provider"], "stage": edition}}
        if edition == "serverless":
            config["plugins"] = ["./endpoint.js"]
        self.project: ServerlessProject = framework.project(folder, {**files, "endpoint.js": ENDPOINT_PLUGIN}, config)
        (folder / "tea.png").write_bytes(TEA)
        self.stack = f"shop-{edition}"
        self._ministack = ministack

    def sls(self, *arguments: str) -> CommandResult:
        """Run a command of the framework."""
        return self.project.sls(
            *arguments,
            **CREDENTIALS,
            **NO_AWS_CONFIG,
            AWS_ENDPOINT_URL=self._ministack.url,
            SLS_AWS_MONITORING_FREQUENCY="200",  # milliseconds between polls of the stack's status
        )

    def front_doors(self) -> dict[str, FrontDoor]:
        """Return the front doors by the names of their stack outputs."""
        cloud: CloudFormationClient = self._ministack.client("cloudformation")
        (stack,) = cloud.describe_stacks(StackName=self.stack)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return {name: FrontDoor(outputs[name].rstrip("/")) for name in URL_OUTPUTS}

    @property
    def exists(self) -> bool:
        """Whether the stack exists."""
        cloud: CloudFormationClient = self._ministack.client("cloudformation")
        stacks = cloud.list_stacks()["StackSummaries"]
        return any(stack["StackName"] == self.stack and stack["StackStatus"] != "DELETE_COMPLETE" for stack in stacks)


def test_a_service_is_deployed_updated_and_removed(framework: Framework, ministack: Ministack, tmp_path: Path) -> None:
    service = Service(framework, ministack, tmp_path / "shop")
    ran = service.sls("deploy")
    assert ran.status == 0, ran.out + ran.err
    for name, front_door in service.front_doors().items():
        with front_door.client(ministack) as client:
            assert "Tee, thé, чай, 茶 ☕" in client.get("/").text, name
            assert client.get("/image").content == TEA, name
            assert client.get("/items/sencha").json()["url"] == f"{front_door.url}/items/sencha"

    ran = service.sls("wsgi", "exec", "--command", "print(type(app).__name__); raise SystemExit(4)")
    assert (ran.status, ran.out) == (4, "Flask\n"), ran.err
    ran = service.sls("wsgi", "flask", "--function", "shop", "--command", "routes")
    assert ran.status == 0, ran.err
    assert "/items/<item_id>" in ran.out

    app = service.project.folder / "app.py"
    app.write_text(app.read_text().replace("Tea shop", "Coffee shop"))
    ran = service.sls("deploy", "function", "--function", "shop")
    assert ran.status == 0, ran.out + ran.err
    with service.front_doors()["HttpApiUrl"].client(ministack) as client:
        assert "<h1>Coffee shop</h1>" in client.get("/").text

    assert service.exists
    ran = service.sls("remove")
    assert ran.status == 0, ran.out + ran.err
    assert not service.exists
