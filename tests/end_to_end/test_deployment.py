"""Applications packaged by ``bridge package`` and deployed to ministack: what visitors get behind every front door, and
what ``bridge exec`` and its sisters do in the functions.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import pytest

from tests.dev.cli.packages import HOST, bare_python
from tests.dev.cli.serve_process import run
from tests.end_to_end.deployed import VARIABLES, Packager, Shops, deploy
from tests.end_to_end.front_doors import DOORS, FrontDoor, function_url, http_api
from tests.end_to_end.ministack import CREDENTIALS
from tests.end_to_end.ministack import ministack as ministack
from tests.examples.applications import EXAMPLES
from tests.remote.lambdas import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.end_to_end.ministack import Ministack

pytestmark = [
    pytest.mark.aws,
    pytest.mark.slow,
    pytest.mark.skipif(HOST is None, reason="this processor is none of Lambda's, so nothing made for Lambda runs here"),
]

EVERY_BYTE = bytes(range(256))
TEA = (EXAMPLES / "flask" / "tea.png").read_bytes()
WSGI, ASGI, DJANGO = "flask", "fastapi", "django-wsgi"


class Visit(NamedTuple):
    """A visitor of a shop, in front of one of its doors."""

    door: FrontDoor
    client: httpx.Client

    def echo(self, path: str = "", method: str = "GET", **options: Any) -> dict[str, Any]:
        """What the shop says that it was asked."""
        answer = self.client.request(method, f"/echo{path}", **options)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Packager:
    return Packager(tmp_path_factory.mktemp)


@pytest.fixture(scope="module")
def shops(ministack: Ministack, package: Packager) -> Shops:
    return Shops(ministack, package)


@pytest.fixture(params=DOORS, ids=lambda door: door.__name__)
def door(request: pytest.FixtureRequest, shops: Shops, shop: str) -> FrontDoor:
    return shops.door(shop, request.param)


@pytest.fixture(params=[WSGI, ASGI])
def shop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def visit(door: FrontDoor, ministack: Ministack) -> Iterator[Visit]:
    with door.visitor(ministack) as client:
        yield Visit(door, client)


def test_a_page_has_all_its_letters(visit: Visit) -> None:
    answer = visit.client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Tee, thé, чай, 茶 ☕" in answer.text


def test_an_image_arrives_byte_for_byte(visit: Visit) -> None:
    answer = visit.client.get("/image")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", TEA)


def test_the_application_knows_its_own_urls(visit: Visit) -> None:
    assert visit.client.get("/items/sencha").json()["url"] == f"{visit.door.url}/items/sencha"
    told = visit.echo("/a")
    assert (told["root_path"], told["path"]) == (visit.door.prefix, "/echo/a")


def test_a_login_sets_two_cookies_and_redirects_to_a_page_that_knows_the_visitor(visit: Visit) -> None:
    assert visit.client.get("/me").status_code == 401
    answer = visit.client.post("/login", data={"name": "Jörg & Zoë"})
    assert answer.status_code == 303
    assert len(answer.headers.get_list("set-cookie")) == 2
    page = visit.client.get(visit.client.base_url.join(answer.headers["location"]))
    assert page.json() == {"name": "Jörg & Zoë", "theme": "dark"}


def test_an_uploaded_file_arrives_byte_for_byte(visit: Visit) -> None:
    content = EVERY_BYTE * 100 + b"\r\n--"
    answer = visit.client.post("/upload", files={"file": ("tea leaves.bin", content)})
    digest = sha256(content).hexdigest()
    assert answer.json() == {"filename": "tea leaves.bin", "size": len(content), "sha256": digest}


BODIES = [
    ("image/png", TEA),
    ("text/plain; charset=utf-8", "Grüße, 茶\r\n".encode()),
    ("application/json", b'{"a": [1]}'),
]


def test_a_body_of_any_type_arrives_byte_for_byte(visit: Visit) -> None:
    for content_type, body in BODIES:
        told = visit.echo(method="POST", content=body, headers={"content-type": content_type})
        assert (told["method"], told["headers"]["content-type"]) == ("POST", content_type)
        assert told["body"] == {"size": len(body), "sha256": sha256(body).hexdigest()}


def test_a_query_keeps_blanks_repeats_pluses_and_escapes(visit: Visit) -> None:
    query = "b=2&blank=&a=1&plus=x+y&escaped=%2B%26%3D%25&caf%C3%A9=%E2%98%95"
    if "-single-" not in visit.door.url:  # a load balancer without multi-value headers passes the last of them on
        query += "&a=3&a=1"
    told = visit.echo(f"?{query}")
    assert in_order_of_names(told["query"]) == in_order_of_names(parse_qsl(query, keep_blank_values=True))


def in_order_of_names(pairs: Any) -> list[tuple[str, str]]:
    return sorted(map(tuple, pairs), key=lambda pair: str(pair[0]))


PATHS = {"/caf%C3%A9/%E8%8C%B6": "/café/茶", "/a%20b+c": "/a b+c", "/100%25/%2541": "/100%/%41", "/a/": "/a/"}


def test_a_path_is_decoded_exactly_once(visit: Visit) -> None:
    for path, decoded in PATHS.items():
        assert visit.echo(path)["path"] == f"/echo{decoded}"


def test_cookies_and_other_headers_arrive(visit: Visit) -> None:
    told = visit.echo(headers={"cookie": "a=1; b=x%20y=z", "x-tea": "Sencha"})
    assert told["cookies"].keys() == {"a", "b"}
    assert told["headers"]["x-tea"] == "Sencha"
    assert told["headers"]["host"] == visit.client.base_url.host


def test_answers_without_a_body_and_with_an_error_have_their_status(visit: Visit) -> None:
    assert [visit.client.delete("/items/nothing").status_code, visit.client.get("/nowhere").status_code] == [204, 404]
    head = visit.client.head("/")
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/html; charset=utf-8", b"")
    broken = visit.client.get("/error")
    assert (broken.status_code, "on purpose" in broken.text) == (500, False)
    assert visit.client.get("/me").status_code == 401


def test_the_requirements_may_be_in_a_layer(ministack: Ministack, package: Packager) -> None:
    artifact = package(EXAMPLES / "flask", "app:app", "--layer")
    layer = artifact.with_name("function-layer.zip")
    function = deploy(ministack, "in-layers", artifact, VARIABLES, layers=[layer])
    with http_api(ministack, function).visitor(ministack) as client:
        assert client.get("/image").content == TEA
    code = "import flask, app; print(flask.__file__.split('/')[-4:-2], app.__file__.split('/')[-2])"
    status, out, err = command(ministack, "in-layers", "exec", "-c", code)
    assert (status, out, err) == (0, "['layer_0', 'python'] code\n", "")


def test_a_streaming_function_answers_behind_a_function_url(
    ministack: Ministack, package: Packager, tmp_path: Path
) -> None:
    """ministack hands the stream on when it has ended, and knows no AWS_LAMBDA_EXEC_WRAPPER, which on AWS starts the
    bridge's runtime on a managed Python; a ``bootstrap`` does that here.
    """
    (tmp_path / "app.py").write_bytes((EXAMPLES / "deploy" / "app.py").read_bytes())
    (tmp_path / "requirements.txt").write_text("starlette\n")
    (tmp_path / "bootstrap").write_text('#!/bin/sh\nexec sh "$LAMBDA_TASK_ROOT/bridge/runtime/bootstrap"\n')
    variables = {"BRIDGE_RESPONSE_MODE": "stream", "BRIDGE_PYTHON": bare_python()[0]}
    function = deploy(ministack, "streams", package(tmp_path, "app:app"), variables, runtime="provided.al2023")
    door = function_url(ministack, function, streams=True)
    with door.visitor(ministack) as client:
        answer = client.get("/count?to=3&seconds=0.01")
        assert (answer.status_code, answer.text) == (200, "0\n1\n2\n")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert client.get("/").text == f"This is {door.url}/\n"
        assert client.get("/nowhere").status_code == 404


def command(
    ministack: Ministack, function: str, name: str, *words: str, folder: Path = EXAMPLES
) -> tuple[int, str, str]:
    """``bridge exec`` or one of its sisters in a function: exit status, standard output, standard error."""
    where = ("--function", function, "--endpoint-url", ministack.url)
    return run(EXAMPLES, name, *where, *words, **NOTHING, **CREDENTIALS)


def test_python_code_runs_in_the_function_beside_its_application(ministack: Ministack, shops: Shops, shop: str) -> None:
    function = shops.function(shop)
    code = "import os, sys; print(type(app).__name__, os.environ['AWS_LAMBDA_FUNCTION_NAME'], '茶'); sys.exit(3)"
    name = {WSGI: "Flask", ASGI: "FastAPI"}[shop]
    assert command(ministack, function, "exec", "-c", code) == (3, f"{name} {shop} 茶\n", "")


def test_a_shell_has_the_functions_folder(ministack: Ministack, shops: Shops, shop: str) -> None:
    status, out, err = command(ministack, shops.function(shop), "command", "--", "ls", "app.py", "nothing")
    assert (status, out.splitlines()[-1], err) == (2, "app.py", "")
    assert "nothing" in out.splitlines()[0]


def test_flask_has_its_command_line(ministack: Ministack, shops: Shops) -> None:
    status, out, err = command(ministack, shops.function(WSGI), "flask", "-c", "routes --sort rule")
    assert (status, err) == (0, "")
    assert "/items/<item_id>" in out


def test_django_has_its_command_line(ministack: Ministack, shops: Shops) -> None:
    function = shops.function(DJANGO)
    status, out, err = command(ministack, function, "manage", "-c", "check")
    assert (status, out, err) == (0, "System check identified no issues (0 silenced).\n", "")
    status, out, _ = command(ministack, function, "manage", "-c", "no_such_command")
    assert (status, "Unknown command: 'no_such_command'" in out) == (1, True)


def test_a_function_without_the_variable_runs_no_command(ministack: Ministack, shops: Shops) -> None:
    deploy(ministack, "closed", shops.artifact(WSGI), {})
    status, out, err = command(ministack, "closed", "exec", "-c", "print('open')")
    assert (status, out) == (1, "")
    assert "Remote commands are off in this function" in err


def test_a_function_that_is_not_there_is_told(ministack: Ministack) -> None:
    status, out, err = command(ministack, "nobody", "exec", "-c", "print('here')")
    assert (status, out) == (1, "")
    assert "ResourceNotFoundException" in err
