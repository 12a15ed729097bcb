"""``sls deploy`` to ministack: what visitors get, what commands do, how a change comes in, and that nothing is left."""

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
from tests.remote.lambdas import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_cloudformation import CloudFormationClient

    from tests.dev.serverless_plugin.framework import Framework, Project, Ran
    from tests.end_to_end.ministack import Ministack

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(HOST is None, reason="this processor is none of Lambda's, so nothing made for Lambda runs here"),
]

SHOP = EXAMPLES / "flask"
TEA = (SHOP / "tea.png").read_bytes()
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
# What the framework calls their URLs.
DOORS = ["ServiceEndpoint", "HttpApiUrl", "ShopLambdaFunctionUrl"]
# Serverless 3 has the AWS SDK's second edition, which reads no AWS_ENDPOINT_URL. The third, that of osls 4, does.
ENDPOINT = """
module.exports = class {
  constructor(serverless) {
    const { config } = serverless.getProvider('aws').sdk;
    config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
  }
};
"""


class Service:
    """A tea shop, as a service of the framework, in an account of ministack's.

    Attributes:
        project: its project.
        stack: the name of its stack.
    """

    def __init__(self, framework: Framework, ministack: Ministack, folder: Path) -> None:
        edition = framework.home.name.partition("-")[0]
        files = {file: (SHOP / file).read_text() for file in ("app.py", "requirements.txt")}
        config = {**CONFIG, "provider": {**CONFIG["provider"], "stage": edition}}
        if edition == "serverless":
            config["plugins"] = ["./endpoint.js"]
        self.project: Project = framework.project(folder, {**files, "endpoint.js": ENDPOINT}, config)
        (folder / "tea.png").write_bytes(TEA)
        self.stack = f"shop-{edition}"
        self._ministack = ministack

    def sls(self, *words: str) -> Ran:
        """Run a command of the framework to its end."""
        return self.project.sls(
            *words,
            **CREDENTIALS,
            **NOTHING,
            AWS_ENDPOINT_URL=self._ministack.url,
            SLS_AWS_MONITORING_FREQUENCY="200",  # milliseconds between its questions whether a stack is ready
        )

    def doors(self) -> dict[str, FrontDoor]:
        """Its front doors, by the names of their URLs."""
        cloud: CloudFormationClient = self._ministack.client("cloudformation")
        (stack,) = cloud.describe_stacks(StackName=self.stack)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return {name: FrontDoor(outputs[name].rstrip("/")) for name in DOORS}

    @property
    def is_there(self) -> bool:
        """Whether its stack is."""
        cloud: CloudFormationClient = self._ministack.client("cloudformation")
        listed = cloud.list_stacks()["StackSummaries"]
        return any(stack["StackName"] == self.stack and stack["StackStatus"] != "DELETE_COMPLETE" for stack in listed)


def test_a_service_is_deployed_visited_commanded_changed_and_removed(
    framework: Framework, ministack: Ministack, tmp_path: Path
) -> None:
    service = Service(framework, ministack, tmp_path / "shop")
    ran = service.sls("deploy")
    assert ran.status == 0, ran.out + ran.err
    for name, door in service.doors().items():
        with door.visitor(ministack) as client:
            assert "Tee, thé, чай, 茶 ☕" in client.get("/").text, name
            assert client.get("/image").content == TEA, name
            assert client.get("/items/sencha").json()["url"] == f"{door.url}/items/sencha"

    ran = service.sls("wsgi", "exec", "--command", "print(type(app).__name__); raise SystemExit(4)")
    assert (ran.status, ran.out) == (4, "Flask\n"), ran.err
    ran = service.sls("wsgi", "flask", "--function", "shop", "--command", "routes")
    assert ran.status == 0, ran.err
    assert "/items/<item_id>" in ran.out

    app = service.project.folder / "app.py"
    app.write_text(app.read_text().replace("Tea shop", "Coffee shop"))
    ran = service.sls("deploy", "function", "--function", "shop")
    assert ran.status == 0, ran.out + ran.err
    with service.doors()["HttpApiUrl"].visitor(ministack) as client:
        assert "<h1>Coffee shop</h1>" in client.get("/").text

    assert service.is_there
    ran = service.sls("remove")
    assert ran.status == 0, ran.out + ran.err
    assert not service.is_there
