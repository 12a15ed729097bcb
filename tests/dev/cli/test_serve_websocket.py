"""``bridge serve --source websocket``: a WebSocket API beside the front door for HTTP requests."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess, run
from tests.dev.cli.webdriver import Chromium, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Serve = Callable[..., ServeProcess]

EXAMPLES = Path(__file__).parents[3] / "examples"
API = ("--source", "websocket", "--no-reload")

APPLICATION = """
import os
import bridge.websocket

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] == "http":
        connection_id = scope["query_string"].decode()
        if connection_id:
            bridge.websocket.send(connection_id, "from HTTP")  # blocks the loop
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": b"HTTP"})
    extension = scope["extensions"]["bridge.websocket"]
    await receive()
    if b"refuse" in scope["query_string"]:
        return await send({"type": "websocket.close"})
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] == "websocket.receive":
        text = message["text"]
        if text == "fail":
            raise RuntimeError("no tea")
        if text == "exit":
            os._exit(3)
        session = extension["session"]
        session["count"] = session.get("count", 0) + 1
        values = {
            "id": extension["connection_id"], "count": session["count"], "route": extension["route"],
            "pid": os.getpid(), "path": scope["path"], "root_path": scope["root_path"], "scheme": scope["scheme"],
            "word": "WORD", "text": text, "query": scope["query_string"].decode(),
            "cookie": dict(scope["headers"]).get(b"cookie", b"").decode(),
        }
        import json
        await send({"type": "websocket.send", "text": json.dumps(values)})
    print("closed with", message["code"], flush=True)
"""


def address(server: ServeProcess, path: str = "/") -> str:
    """The address of the WebSocket API, or of a path below it."""
    return f"ws{server.url.removeprefix('http')}{path}"


def ask(client: ClientConnection, text: str = "tea") -> Any:
    """Send a message, and return the JSON of the answer."""
    client.send(text)
    return json.loads(client.recv(20))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A file with an application for HTTP requests and WebSockets."""
    file = tmp_path / "app.py"
    file.write_text(APPLICATION)
    return file


def test_websockets_and_http_requests_have_one_port(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API)
    url = re.escape(server.url)
    server.wait_for_stderr(f"^Serving app:app behind http-api and a WebSocket API at {url} ")
    server.wait_for_stderr(f"^WebSocket API at ws{url.removeprefix('http')}/$")
    with connect(address(server, "/?room=tea"), additional_headers={"Cookie": "id=1"}, subprotocols=["mqtt"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "mqtt"
        first, second = ask(client), ask(client, "milk")
        assert (first["query"], first["cookie"], first["scheme"], first["path"]) == ("room=tea", "id=1", "ws", "/")
        assert [first["count"], second["count"]] == [1, 2]
        assert server.client.get("/").text == "HTTP"
        server.client.get("/", params=first["id"])
        assert client.recv(20) == "from HTTP"
        client.close(1000)
    server.wait_for_stdout("^closed with 1000$")
    connection_id = re.escape(first["id"])
    server.wait_for_stdout(rf"^CONNECT {connection_id} /\?room=tea 101 \d+ ms 0 B text$")
    server.wait_for_stdout(rf"^MESSAGE {connection_id} \$default 200 \d+ ms 4 B text$")
    server.wait_for_stdout(rf"^POST {connection_id} @connections 200 \d+ ms 9 B -$")
    server.wait_for_stdout(rf"^DISCONNECT {connection_id} \$disconnect 1000 \d+ ms 0 B text$")
    server.wait_for_stdout(r"^GET / 200 \d+ ms 4 B text$")


def test_a_handshake_that_the_application_closes_is_403(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API)
    with pytest.raises(InvalidStatus) as caught:
        connect(address(server, "/?refuse"))
    assert caught.value.response.status_code == 403
    server.wait_for_stdout(r"^CONNECT \S+ /\?refuse 403 ")


def test_an_application_that_fails_is_logged_and_closes_the_connection(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API)
    with connect(address(server)) as client:
        client.send("fail")
        with pytest.raises(ConnectionClosed):
            client.recv(20)
    server.wait_for_stderr("^RuntimeError: no tea$")
    server.wait_for_stdout(r"^MESSAGE \S+ \$default 500 ")


def test_what_a_client_does_wrong_is_no_traceback(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API)
    for data, code in ((b"\xff", 1007), (b"x" * 40_000, 1009)):
        with connect(address(server)) as client:
            client.send(data, text=True)
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(20)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == code
    server.wait_for_stderr(r"A client's WebSocket was closed \(1007\): its message is not UTF-8\.$")
    server.wait_for_stdout("^DISCONNECT ", times=2)
    assert "Traceback" not in server.stderr


def test_verbose_prints_events_and_payloads(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API, "--verbose")
    with connect(address(server, "/?room=tea")) as client:
        ask(client, "green tea")
    server.wait_for_stdout(r"^DISCONNECT ")
    for text in ('"eventType": "CONNECT"', '"room": "tea"', '"body": "green tea"', '"disconnectStatusCode": 1000'):
        assert text in server.stdout


def test_the_stage_is_the_address_and_the_route_is_selected(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API, "--stage", "prod", "--websocket-route", "join")
    server.wait_for_stderr(r"^WebSocket API at ws://\S+/prod/$")
    with connect(address(server, "/prod")) as client:
        assert ask(client, '{"action": "join"}')["route"] == "join"
        last = ask(client, '{"action": "leave"}')
        assert (last["route"], last["path"], last["root_path"]) == ("$default", "/prod/", "/prod")
    with pytest.raises(InvalidStatus):
        connect(address(server))
    server.wait_for_stderr(
        "CONNECT /: websocket answered 403 by itself: the path does not begin with the stage; request /prod/"
    )


def test_another_path_than_the_api_s_is_refused_with_the_remedy(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API)
    with pytest.raises(InvalidStatus):
        connect(address(server, "/chat"))
    server.wait_for_stderr("connect to /, and name the path of the application's WebSocket in the variable BRIDGE_WEB")
    assert "uvicorn" not in server.stderr


def test_an_empty_variable_is_an_api_without_a_store(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API, BRIDGE_WEBSOCKET_STORE="")
    with connect(address(server, "/?room=tea")) as client:
        assert [ask(client)["count"], ask(client)["count"], ask(client)["query"]] == [1, 1, ""]
    server.wait_for_stderr("BRIDGE_WEBSOCKET_STORE is not set: the scope of its messages has neither headers nor a ")


def test_the_path_of_the_application_is_that_of_the_variable(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API, BRIDGE_WEBSOCKET_PATH="/chat")
    with connect(address(server)) as client:
        assert ask(client)["path"] == "/chat"


def test_a_route_selection_expression_is_an_option(serve: Serve, app: Path) -> None:
    expression = ("--route-selection-expression", "$request.body.type", "--websocket-route", "join")
    server = serve("app:app", *API, *expression)
    with connect(address(server)) as client:
        assert ask(client, '{"type": "join"}')["route"] == "join"


@pytest.mark.slow
def test_https_serves_wss(serve: Serve, app: Path) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    server = serve("app:app", *API, "--ssl-adhoc")
    with connect(address(server), ssl=context) as client:
        assert ask(client)["scheme"] == "wss"


def test_callbacks_of_a_wsgi_application_take_the_events(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import bridge, bridge.websocket\n"
        "def app(environ, start):\n    start('200 OK', [])\n    return [b'HTTP']\n"
        "def on_connect(connection):\n    return 401 if 'cookie' not in connection.headers else None\n"
        "def on_message(connection, message):\n"
        "    bridge.websocket.join('lobby', connection.id)\n"
        "    bridge.websocket.broadcast('lobby', message.upper())\n"
        "handler = bridge.handler(app, on_connect=on_connect, on_message=on_message)\n"
    )
    server = serve("app:handler", *API)
    with pytest.raises(InvalidStatus) as caught:
        connect(address(server))
    assert caught.value.response.status_code == 401
    with connect(address(server), additional_headers={"Cookie": "id=1"}) as client:
        client.send("tea")
        assert client.recv(20) == "TEA"
    assert server.client.get("/").text == "HTTP"


def test_a_wsgi_application_without_callbacks_is_502_with_the_reason(serve: Serve) -> None:
    server = serve(WSGI, *API)
    with pytest.raises(InvalidStatus) as caught:
        connect(address(server))
    assert caught.value.response.status_code == 502
    server.wait_for_stderr("on_connect")
    assert server.client.get("/tea").status_code == 200


@pytest.mark.slow
def test_a_restart_closes_the_connections(serve: Serve, app: Path) -> None:
    server = serve("app:app", "--source", "websocket", PYTHONDONTWRITEBYTECODE="1")
    with connect(address(server)) as client:
        assert ask(client)["word"] == "WORD"
        app.write_text(APPLICATION.replace("WORD", "CHANGED"))
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(20)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1012
    server.wait_for_stderr("^Serving ", times=2)
    with connect(address(server)) as client:
        assert ask(client)["word"] == "CHANGED"


def test_ctrl_c_does_not_wait_for_connections(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API)
    with connect(address(server)) as client:
        ask(client)
        server.press_ctrl_c()
        assert server.process.wait(20) == 0
    server.wait_for_stdout("^closed with 1012$")
    assert "Requests in flight" not in server.stderr


TWO_AT_ONCE = """
import asyncio, json, os
from pathlib import Path

async def app(scope, receive, send):
    if scope["type"] != "websocket":
        raise NotImplementedError
    session = scope["extensions"]["bridge.websocket"]["session"]
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message["text"]
        while text == "wait" and not Path("gate").exists():
            await asyncio.sleep(0.01)
        session[text] = os.getpid()
        answer = {"text": text, "session": session, "query": scope["query_string"].decode()}
        await send({"type": "websocket.send", "text": json.dumps(answer)})
"""


@pytest.mark.slow
def test_messages_at_once_reach_two_processes_and_share_the_session(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(TWO_AT_ONCE)
    server = serve("app:app", *API, "--runtime")
    with connect(address(server, "/?room=tea")) as client:
        client.send("wait")
        assert sorted(ask(client, "first")["session"]) == ["first"]
        (tmp_path / "gate").touch()
        assert json.loads(client.recv(20))["text"] == "wait"
        server.wait_for_stdout(r"^MESSAGE ", times=2)
        answer = ask(client, "last")
        assert sorted(answer["session"]) == ["first", "last", "wait"]
        assert answer["session"]["first"] != answer["session"]["wait"]
        assert answer["query"] == "room=tea"


@pytest.mark.slow
def test_the_session_outlives_the_process(serve: Serve, app: Path) -> None:
    server = serve("app:app", *API, "--runtime")
    with connect(address(server)) as client:
        before = ask(client)
        client.send("exit")
        failed = json.loads(client.recv(20))
        assert (failed["message"], failed["connectionId"]) == ("Internal server error", before["id"])
        after = ask(client)
        assert after["pid"] != before["pid"]
        assert [before["count"], after["count"]] == [1, 2]
        server.client.get("/", params=before["id"])
        assert client.recv(20) == "from HTTP"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--source", "websocket", "--plain"), "--source websocket does not apply with --plain: "),
        (("--websocket-route", "join"), "--websocket-route applies only with --source websocket."),
        (
            ("--route-selection-expression", "$request.body.x"),
            "--route-selection-expression applies only with --source websocket.",
        ),
        (("--source", "websocket", "--route-selection-expression", "action"), "'action' is not an expression such as "),
        (("--source", "websockets"), "invalid choice: 'websockets'"),
    ],
)
def test_options_that_do_not_apply_are_errors(
    bridge_command: Callable[..., tuple[int, str, str]], options: tuple[str, ...], message: str
) -> None:
    status, _, err = bridge_command("serve", ASGI, *options)
    assert status == 2
    assert message in err


@pytest.mark.parametrize("source", ['"websocket"', '["http-api", "websocket"]'])
def test_pyproject_may_name_the_websocket_api(serve: Serve, app: Path, source: str) -> None:
    (app.parent / "pyproject.toml").write_text(f'[tool.bridge]\napp = "app:app"\nsource = {source}\nreload = false\n')
    server = serve()
    with connect(address(server)) as client:
        assert ask(client)["count"] == 1
    assert run(app.parent, "event", "/tea")[0] == 0


SERVICE = """
provider:
  name: aws
  runtime: python3.13
  websocketsApiRouteSelectionExpression: $request.body.type
  environment: {BRIDGE_WEBSOCKET_STORE: 'dynamodb:on-aws', BRIDGE_APP: 'app:app'}
functions:
  http: {handler: bridge.entrypoint.handler, events: [httpApi: '*']}
  chat:
    handler: bridge.entrypoint.handler
    environment: {BRIDGE_WEBSOCKET_ENDPOINT: !Sub 'https://${Api}/prod'}
    events:
      - websocket: $connect
      - websocket: $default
      - websocket: {route: join}
      - websocket: $disconnect
"""


@pytest.mark.parametrize("options", [(), pytest.param(("--runtime",), marks=pytest.mark.slow)], ids=["", "runtime"])
def test_a_project_with_websocket_events_needs_no_option(serve: Serve, app: Path, options: tuple[str, ...]) -> None:
    (app.parent / "serverless.yml").write_text(SERVICE)
    server = serve("--no-reload", *options)
    server.wait_for_stderr("^Serving app:app (in separate processes )?behind http-api and a WebSocket API at ")
    with connect(address(server)) as client:
        first = ask(client, '{"type": "join"}')
        assert (first["route"], first["count"]) == ("join", 1)
        assert ask(client, "tea")["route"] == "$default"
        server.client.get("/", params=first["id"])
        assert client.recv(20) == "from HTTP"
    assert "on-aws" not in server.stderr
    assert "is not set" not in server.stderr


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=f"No {' and no '.join(missing())} here; scripts/browser installs them.")
@pytest.mark.parametrize("options", [(), ("--runtime",)], ids=["in process", "runtime"])
def test_two_tabs_of_a_browser_chat(serve: Serve, tmp_path: Path, options: tuple[str, ...]) -> None:
    server = serve(f"{EXAMPLES / 'chat' / 'app.py'}:app", *API, *options)
    profile = tmp_path / "chromium"
    profile.mkdir()
    with Chromium(profile) as browser:
        tabs = {}
        for name in ("ann", "bob"):
            tabs[name] = browser.new_tab()
            browser.open(f"{server.url}/?name={name}")
            _wait_for_text(browser, "connected")

        def say(name: str, text: str) -> None:
            browser.select_tab(tabs[name])
            browser.type("#text", text)
            browser.click("button")

        say("ann", "hello <b>bob</b>")
        _wait_for_text(browser, "ann (1): hello <b>bob</b>")
        say("bob", "hello ann")
        _wait_for_text(browser, "ann (1): hello <b>bob</b>")
        _wait_for_text(browser, "bob (1): hello ann")
        browser.select_tab(tabs["ann"])
        _wait_for_text(browser, "bob has joined")
        _wait_for_text(browser, "bob (1): hello ann")
        browser.close_tab(tabs["bob"])
        browser.select_tab(tabs["ann"])
        _wait_for_text(browser, "bob has left")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--runtime",)], ids=["in process", "runtime"])
@pytest.mark.parametrize(("example", "app"), [("chat", "app:app"), ("channels", "chat.asgi:application")])
def test_the_examples_chat(serve: Serve, tmp_path: Path, example: str, app: str, options: tuple[str, ...]) -> None:
    folder = tmp_path / example
    shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns("__pycache__"))
    server = serve(app, *API, *options, folder=folder)
    with connect(address(server, "/?name=ann")) as ann, connect(address(server, "/?name=bob")) as bob:
        ann.send("hi")
        expected = ["ann (1): hi", "ann has joined", "bob has joined"]
        assert sorted(str(ann.recv(20)) for _ in range(3)) == expected
        bob.send("hi ann")
        expected = ["ann (1): hi", "bob (1): hi ann", "bob has joined"]
        assert sorted(str(bob.recv(20)) for _ in range(3)) == expected  # a broadcast may overtake the one before
        assert ann.recv(20) == "bob (1): hi ann"
        bob.close()
        assert ann.recv(20) == "bob has left"
    with connect(address(server, "/?name=eve")) as eve:  # what was sent while the client was connecting
        assert eve.recv(20) == "eve has joined"


def test_what_was_sent_before_a_connection_was_open_comes_before_its_messages(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(EARLY)
    server = serve("app:app", *API)
    with connect(address(server)) as client:
        client.send("tea")
        assert [client.recv(20) for _ in range(4)] == ["one", "two", "three", "tea"]


def test_what_a_callback_sends_before_a_connection_is_open_comes_once_it_is(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import bridge\nfrom flask import Flask\n\n"
        "handler = bridge.handler(Flask(__name__), on_connect=lambda connection: connection.send('welcome'))\n"
    )
    server = serve("app:handler", *API)
    with connect(address(server)) as client:
        assert client.recv(20) == "welcome"


def test_the_traceback_of_a_quart_application_is_printed_for_each_failed_message(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(QUART)
    server = serve("app:app", *API)
    for text in ("one", "two"):
        with connect(address(server)) as client:
            client.send(text)
            with pytest.raises(ConnectionClosed):
                client.recv(20)
        server.wait_for_stderr(f"LookupError: {text}")


QUART = """
from quart import Quart, websocket

app = Quart(__name__)


@app.websocket("/")
async def fail():
    await websocket.accept()
    raise LookupError(await websocket.receive())
"""

EARLY = """
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        raise NotImplementedError
    await receive()
    await send({"type": "websocket.accept"})
    for text in ("one", "two", "three"):
        await send({"type": "websocket.send", "text": text})
    while (message := await receive())["type"] == "websocket.receive":
        await send(message | {"type": "websocket.send"})
"""

ECHO = """
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        raise NotImplementedError
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message["text"]
        for number in range(len(text) % 3 + 1):
            await send({"type": "websocket.send", "text": f"{number} {text[::-1]}"})
        if text == "end":
            return await send({"type": "websocket.close"})
"""


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The addresses of one application, under uvicorn itself and behind a WebSocket API."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "app.py").write_text(ECHO)
    with (
        ServeProcess(folder, "app:app", "--no-reload", "--plain") as plain,
        ServeProcess(folder, "app:app", *API) as gateway,
    ):
        yield [address(plain), address(gateway)]


@pytest.mark.slow
@given(messages=st.lists(st.lists(st.text(), min_size=1, max_size=3), max_size=6))
@example(messages=[["x" * 32_700] * 4])
@example(messages=[["end"], ["more"]])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_uvicorn_and_the_websocket_api_give_the_same_transcript(echoes: list[str], messages: list[list[str]]) -> None:
    """Each message is sent in fragments, after the answers to the one before."""
    assume(all(len(part.encode()) <= 32_768 for parts in messages for part in parts))
    transcripts = []
    for echo in echoes:
        transcript: list[Any] = []
        with connect(echo, max_size=None) as client:
            try:
                for parts in messages:
                    client.send(parts if len(parts) > 1 else parts[0])
                    transcript.append([client.recv(20) for _ in range(len("".join(parts)) % 3 + 1)])
            except ConnectionClosed as closed:
                transcript.append(closed.rcvd.code if closed.rcvd is not None else None)
        transcripts.append(transcript)
    assert transcripts[0] == transcripts[1]


def _wait_for_text(browser: Chromium, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in browser.text:
        assert time.monotonic() < deadline, browser.text
        time.sleep(0.02)
