"""Applications packaged by ``bridge package`` and deployed to ministack: requests through every front door, and remote
commands.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import pytest

from tests.dev.cli.packages import HOST, bare_python
from tests.dev.cli.serve_process import run
from tests.end_to_end.deployments import VARIABLES, DeployedExamples, Packager, deploy
from tests.end_to_end.front_doors import FRONT_DOORS, FrontDoor, function_url, http_api
from tests.end_to_end.ministack import CREDENTIALS
from tests.end_to_end.ministack import ministack as ministack
from tests.examples.applications import EXAMPLES
from tests.remote.fake_lambda import NO_AWS_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.end_to_end.ministack import Ministack

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(HOST is None, reason="Lambda has no processors of this architecture"),
]

EVERY_BYTE = bytes(range(256))
TEA = (EXAMPLES / "flask" / "tea.png").read_bytes()
WSGI, ASGI, DJANGO = "flask", "fastapi", "django-wsgi"


class Site(NamedTuple):
    """An example behind a front door."""

    front_door: FrontDoor
    client: httpx.Client

    def echo(self, path: str = "", method: str = "GET", **options: Any) -> dict[str, Any]:
        """Return the application's description of a request."""
        response = self.client.request(method, f"/echo{path}", **options)
        assert response.status_code == 200, response.text
        details: dict[str, Any] = response.json()
        return details


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Packager:
    return Packager(tmp_path_factory.mktemp, cache)


@pytest.fixture(scope="module")
def examples(ministack: Ministack, package: Packager) -> DeployedExamples:
    return DeployedExamples(ministack, package)


@pytest.fixture(params=[WSGI, ASGI])
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FRONT_DOORS, ids=lambda create: create.__name__)
def site(
    request: pytest.FixtureRequest, ministack: Ministack, examples: DeployedExamples, example: str
) -> Iterator[Site]:
    front_door = examples.front_door(example, request.param)
    with front_door.client(ministack) as client:
        yield Site(front_door, client)


def test_non_ascii_text_arrives(site: Site) -> None:
    response = site.client.get("/")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Tee, thé, чай, 茶 ☕" in response.text


def test_an_image_arrives_unchanged(site: Site) -> None:
    response = site.client.get("/image")
    assert (response.status_code, response.headers["content-type"], response.content) == (200, "image/png", TEA)


def test_generated_urls_and_the_root_path_are_correct(site: Site) -> None:
    assert site.client.get("/items/sencha").json()["url"] == f"{site.front_door.url}/items/sencha"
    details = site.echo("/a")
    assert (details["root_path"], details["path"]) == (site.front_door.prefix, "/echo/a")


def test_a_login_sets_two_cookies_and_redirects(site: Site) -> None:
    assert site.client.get("/me").status_code == 401
    response = site.client.post("/login", data={"name": "Jörg & Zoë"})
    assert response.status_code == 303
    assert len(response.headers.get_list("set-cookie")) == 2
    page = site.client.get(site.client.base_url.join(response.headers["location"]))
    assert page.json() == {"name": "Jörg & Zoë", "theme": "dark"}


def test_an_uploaded_file_arrives_unchanged(site: Site) -> None:
    content = EVERY_BYTE * 100 + b"\r\n--"
    response = site.client.post("/upload", files={"file": ("tea leaves.bin", content)})
    digest = sha256(content).hexdigest()
    assert response.json() == {"filename": "tea leaves.bin", "size": len(content), "sha256": digest}


BODIES = [
    ("image/png", TEA),
    ("text/plain; charset=utf-8", "Grüße, 茶\r\n".encode()),
    ("application/json", b'{"a": [1]}'),
]


def test_a_body_of_any_type_arrives_unchanged(site: Site) -> None:
    for content_type, body in BODIES:
        details = site.echo(method="POST", content=body, headers={"content-type": content_type})
        assert (details["method"], details["headers"]["content-type"]) == ("POST", content_type)
        assert details["body"] == {"size": len(body), "sha256": sha256(body).hexdigest()}


def test_a_query_keeps_empty_and_repeated_values_pluses_and_escapes(site: Site) -> None:
    query = "b=2&blank=&a=1&plus=x+y&escaped=%2B%26%3D%25&caf%C3%A9=%E2%98%95"
    if "-single-" not in site.front_door.url:  # without multi-value headers a load balancer sends the last value
        query += "&a=3&a=1"
    details = site.echo(f"?{query}")
    assert sorted_by_name(details["query"]) == sorted_by_name(parse_qsl(query, keep_blank_values=True))


def sorted_by_name(pairs: Any) -> list[tuple[str, str]]:
    return sorted(map(tuple, pairs), key=lambda pair: str(pair[0]))


PATHS = {"/caf%C3%A9/%E8%8C%B6": "/café/茶", "/a%20b+c": "/a b+c", "/100%25/%2541": "/100%/%41", "/a/": "/a/"}


def test_a_path_is_decoded_exactly_once(site: Site) -> None:
    for path, decoded in PATHS.items():
        assert site.echo(path)["path"] == f"/echo{decoded}"


def test_cookies_and_headers_arrive(site: Site) -> None:
    details = site.echo(headers={"cookie": "a=1; b=x%20y=z", "x-tea": "Sencha"})
    assert details["cookies"].keys() == {"a", "b"}
    assert details["headers"]["x-tea"] == "Sencha"
    assert details["headers"]["host"] == site.client.base_url.host


def test_responses_without_a_body_and_errors_have_their_status(site: Site) -> None:
    assert [site.client.delete("/items/nothing").status_code, site.client.get("/nowhere").status_code] == [204, 404]
    head = site.client.head("/")
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/html; charset=utf-8", b"")
    broken = site.client.get("/error")
    assert (broken.status_code, "on purpose" in broken.text) == (500, False)
    assert site.client.get("/me").status_code == 401


def test_the_requirements_may_be_in_a_layer(ministack: Ministack, package: Packager) -> None:
    artifact = package(EXAMPLES / "flask", "app:app", "--layer")
    layer = artifact.with_name("function-layer.zip")
    function = deploy(ministack, "in-layers", artifact, VARIABLES, layers=[layer])
    with http_api(ministack, function).client(ministack) as client:
        assert client.get("/image").content == TEA
    code = "import flask, app; print(flask.__file__.split('/')[-4:-2], app.__file__.split('/')[-2])"
    status, out, err = run_remotely(ministack, "in-layers", "exec", "-c", code)
    assert (status, out, err) == (0, "['layer_0', 'python'] code\n", "")


def test_a_streaming_function_answers_behind_a_function_url(
    ministack: Ministack, package: Packager, tmp_path: Path
) -> None:
    """ministack sends the stream when it has ended. It does not support AWS_LAMBDA_EXEC_WRAPPER, which on AWS starts
    ``bridge.runtime`` on a managed Python; the test uses ``bootstrap`` instead.
    """
    (tmp_path / "app.py").write_bytes((EXAMPLES / "init_files" / "app.py").read_bytes())
    (tmp_path / "requirements.txt").write_text("starlette\n")
    (tmp_path / "bootstrap").write_text('#!/bin/sh\nexec sh "$LAMBDA_TASK_ROOT/bridge/runtime/bootstrap"\n')
    variables = {"BRIDGE_RESPONSE_MODE": "stream", "BRIDGE_PYTHON": bare_python()[0]}
    function = deploy(ministack, "streams", package(tmp_path, "app:app"), variables, runtime="provided.al2023")
    front_door = function_url(ministack, function, streams=True)
    with front_door.client(ministack) as client:
        response = client.get("/count?to=3&seconds=0.01")
        assert (response.status_code, response.text) == (200, "0\n1\n2\n")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert client.get("/").text == f"This is {front_door.url}/\n"
        assert client.get("/nowhere").status_code == 404


def run_remotely(ministack: Ministack, function: str, command: str, *arguments: str) -> tuple[int, str, str]:
    """Run a remote command. Return exit status, standard output and standard error."""
    options = ("--function", function, "--endpoint-url", ministack.url)
    return run(EXAMPLES, command, *options, *arguments, **NO_AWS_CONFIG, **CREDENTIALS)


def test_exec_runs_code_in_the_function(ministack: Ministack, examples: DeployedExamples, example: str) -> None:
    function = examples.function(example)
    code = "import os, sys; print(type(app).__name__, os.environ['AWS_LAMBDA_FUNCTION_NAME'], '茶'); sys.exit(3)"
    name = {WSGI: "Flask", ASGI: "FastAPI"}[example]
    assert run_remotely(ministack, function, "exec", "-c", code) == (3, f"{name} {example} 茶\n", "")


def test_command_runs_a_shell_in_the_functions_folder(
    ministack: Ministack, examples: DeployedExamples, example: str
) -> None:
    status, out, err = run_remotely(ministack, examples.function(example), "command", "--", "ls", "app.py", "missing")
    assert (status, out.splitlines()[-1], err) == (2, "app.py", "")
    assert "missing" in out.splitlines()[0]


def test_flask_runs_flasks_command_line(ministack: Ministack, examples: DeployedExamples) -> None:
    status, out, err = run_remotely(ministack, examples.function(WSGI), "flask", "-c", "routes --sort rule")
    assert (status, err) == (0, "")
    assert "/items/<item_id>" in out


def test_manage_runs_djangos_command_line(ministack: Ministack, examples: DeployedExamples) -> None:
    function = examples.function(DJANGO)
    status, out, err = run_remotely(ministack, function, "manage", "-c", "check")
    assert (status, out, err) == (0, "System check identified no issues (0 silenced).\n", "")
    status, out, _ = run_remotely(ministack, function, "manage", "-c", "no_such_command")
    assert (status, "Unknown command: 'no_such_command'" in out) == (1, True)


def test_commands_are_disabled_without_the_variable(ministack: Ministack, examples: DeployedExamples) -> None:
    deploy(ministack, "disabled", examples.artifact(WSGI), {})
    status, out, err = run_remotely(ministack, "disabled", "exec", "-c", "print(1)")
    assert (status, out) == (1, "")
    assert "Remote commands are disabled in this function" in err


def test_a_missing_function_is_reported(ministack: Ministack) -> None:
    status, out, err = run_remotely(ministack, "missing", "exec", "-c", "print(1)")
    assert (status, out) == (1, "")
    assert "ResourceNotFoundException" in err
