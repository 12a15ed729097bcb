"""The handler string ``bridge.entrypoint.handler``: how the application is named, and how a failed init ends."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge.dev.gateway import Request, compose
from bridge.errors import ApplicationNotFoundError, InterfaceError, LifespanError, SettingError

if TYPE_CHECKING:
    from pathlib import Path

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/x-tex")])
    return [environ["SCRIPT_NAME"].encode(), b"|", environ["PATH_INFO"].encode()]
"""
ASGI = """
seen = []

async def app(scope, receive, send):
    seen.append(scope["type"])
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["body"] = b"state"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["state"]["body"]})
"""
NO_START = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""

Load = Callable[..., ModuleType]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a function's code; the import path and the imported modules are restored after the test."""
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("BRIDGE_APP", raising=False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def load(code: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import the entry point anew, as a new sandbox does."""
    modules: list[ModuleType] = []

    def load_entrypoint(*, web: str = WSGI, file: Any = None, **environ: str) -> ModuleType:
        (code / "web.py").write_text(web)
        if file is not None:
            (code / ".serverless-wsgi").write_text(file if isinstance(file, str) else json.dumps(file))
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        sys.modules.pop("bridge.entrypoint", None)
        importlib.invalidate_caches()  # the clock of the file system is too coarse for these tests
        module = importlib.import_module("bridge.entrypoint")
        modules.append(module)
        return module

    yield load_entrypoint
    for module in modules:
        module.handler.close()
    sys.modules.pop("bridge.entrypoint", None)


def get(module: ModuleType, path: str = "/page") -> Any:
    return module.handler(compose(Request(path=path)), None)


def test_the_variable_names_the_application(load: Load) -> None:
    module = load(BRIDGE_APP="web:app")
    assert isinstance(module.handler, bridge.Handler)
    assert get(module)["statusCode"] == 200


def test_the_application_may_be_in_a_folder(load: Load, code: Path) -> None:
    (code / "shop").mkdir()
    (code / "shop" / "inner.py").write_text(WSGI)
    assert get(load(BRIDGE_APP="shop/inner.app"))["statusCode"] == 200


def test_the_file_and_its_code_are_found_from_another_current_folder(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert get(load(file={"app": "web.app"}))["statusCode"] == 200


def test_a_file_names_the_application(load: Load) -> None:
    assert get(load(file={"app": "web.app"}))["statusCode"] == 200


def test_the_variable_precedes_the_file(load: Load) -> None:
    assert get(load(file={"app": "no_such.app"}, BRIDGE_APP="web:app"))["statusCode"] == 200


def test_requirements_that_another_plugin_has_zipped_are_unpacked_before_the_application_is_imported(
    load: Load, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(code)
    # serverless-python-requirements puts this module beside the code.
    (code / "unzip_requirements.py").write_text("import sys\nsys.modules['requirement'] = sys")
    assert get(load(web=f"import requirement\n{WSGI}", BRIDGE_APP="web:app"))["statusCode"] == 200


def test_the_file_may_add_text_types(load: Load) -> None:
    assert get(load(file={"app": "web.app"}))["isBase64Encoded"] is True
    assert get(load(file={"app": "web.app", "text_mime_types": ["application/x-tex"]}))["isBase64Encoded"] is False


def test_the_file_may_have_every_option(load: Load) -> None:
    module = load(file={"app": "web.app", "base_path": "/shop", "exclude_headers": ["Content-Type"], "warm_up": False})
    payload = get(module, "/shop/page")
    assert payload["body"] == "/shop|/page"
    assert payload["headers"] == {}


def test_environment_variables_precede_the_file(load: Load) -> None:
    module = load(file={"app": "web.app", "base_path": "/shop"}, API_GATEWAY_BASE_PATH="store")
    assert module.handler.settings.base_path == "/store"


def test_the_file_may_name_no_application(load: Load) -> None:
    module = load(file={"base_path": "/shop"}, BRIDGE_APP="web:app")
    assert module.handler.settings.base_path == "/shop"


def test_the_callback_for_other_events_is_found_beside_the_application(
    load: Load, code: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (code / "jobs.py").write_text("def on_event(event, context):\n    return [event, context]")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    module = load(file={"app": "web.app"}, BRIDGE_OTHER_EVENTS="jobs:on_event")
    assert module.handler({"Records": []}, "context") == [{"Records": []}, "context"]


def test_the_lifespan_starts_during_the_init_and_not_again_with_the_first_request(load: Load) -> None:
    module = load(web=ASGI, BRIDGE_APP="web:app")
    seen = sys.modules["web"].seen
    assert seen == ["lifespan"]
    assert get(module)["body"] == "state"
    assert seen == ["lifespan", "http"]


def test_the_application_may_be_a_handler(load: Load) -> None:
    web = WSGI + "\nimport bridge\nhandler = bridge.wsgi_handler(app, base_path='/shop')"
    module = load(web=web, BRIDGE_APP="web:handler")
    assert module.handler is sys.modules["web"].handler
    assert get(module, "/shop/page")["headers"] == {"Content-Type": "application/x-tex"}


def test_the_application_may_be_made_by_a_factory(load: Load) -> None:
    assert get(load(web=WSGI + "\ndef create():\n    return app", BRIDGE_APP="web:create()"))["statusCode"] == 200


def test_no_application_is_an_error_that_says_how_to_name_one(load: Load, code: Path) -> None:
    with pytest.raises(ApplicationNotFoundError, match="No application is named") as caught:
        load()
    message = str(caught.value)
    assert "BRIDGE_APP" in message
    assert ".serverless-wsgi" in message
    assert str(code) in message


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "holds no JSON object"),
        ({"app": 7}, "app is 7; it must be a string such as 'module.attribute'"),
        ({"app": "web.app", "apps": []}, "There is no option 'apps'"),
        ({"app": "web.app", "lifespan": "always"}, "setting lifespan in the settings file is 'always'; allowed"),
        ({"app": "web.app", "text_mime_types": [7]}, "setting text_types in the settings file is 7; allowed"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_an_error_that_says_what_is_allowed(load: Load, file: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        load(file=file)


@pytest.mark.parametrize(
    ("web", "error"),
    [
        ("import no_such_library", ModuleNotFoundError),
        ("raise LookupError('no database')", LookupError),
        ("app = (", SyntaxError),
        ("raise SystemExit(3)", SystemExit),
        ("app = 'text'", InterfaceError),
        ("apps = 1", ApplicationNotFoundError),
        (NO_START, LifespanError),
    ],
)
def test_an_exception_fails_the_init_with_its_traceback_in_the_log(
    load: Load, capfd: pytest.CaptureFixture[str], web: str, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        load(web=web, BRIDGE_APP="web:app")
    log = capfd.readouterr().err
    assert "The application could not be loaded." in log
    assert "Traceback" in log
    assert error.__name__ in log
    assert "bridge.entrypoint" not in sys.modules  # so that the next import tries again


def test_the_next_init_after_a_failed_one_may_succeed(load: Load) -> None:
    with pytest.raises(LookupError):
        load(web="raise LookupError", BRIDGE_APP="web:app")
    assert get(load(web=WSGI + "# mended\n", BRIDGE_APP="web:app"))["statusCode"] == 200


def test_a_wrong_setting_fails_the_init(load: Load, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingError):
        load(BRIDGE_APP="web:app", BRIDGE_LIFESPAN="always")
    assert "BRIDGE_LIFESPAN is 'always'; allowed is" in capfd.readouterr().err
