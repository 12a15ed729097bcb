"""Applications are found by every form of their names; messages say what is wrong with a name."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.errors import ApplicationNotFoundError
from bridge.loading import collections_paused, find_application

SOURCE = """
app = "the app"
application = "the application"
served = "served"

class Site:
    wsgi = "the site's"

site = Site()
calls = []

def create(*arguments):
    calls.append(arguments)
    return "made"
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of code; the import path and the imported modules are restored after the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(root: Path) -> Write:
    def write_to(place: str, source: str) -> Path:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    return write_to


@pytest.mark.parametrize(
    ("place", "name", "expected"),
    [
        ("web.py", "web:served", "served"),
        ("web.py", "web.served", "served"),
        ("web.py", " web : served ", "served"),
        ("web.py", "web.py:served", "served"),
        ("web.py", "./web:served", "served"),
        ("web.py", "web:site.wsgi", "the site's"),
        ("web.py", "web:create()", "made"),
        ("web.py", "web.create()", "made"),
        ("web.py", "web", "the app"),
        ("web.py", "web.py", "the app"),
        ("shop/web.py", "shop/web:served", "served"),
        ("shop/web.py", "shop/web.served", "served"),
        ("shop/web.py", "shop/web.py:create()", "made"),
        ("shop/web.py", "shop/web.py", "the app"),
        ("shop/web.py", "shop/web", "the app"),
        ("shop/web.py", "shop.web:served", "served"),
        ("shop/web.py", "shop.web.served", "served"),
        ("src/shop/web.py", "src/shop.web:served", "served"),
        ("src/shop/web.py", "src/shop.web.served", "served"),
        ("src/shop/web.py", "src/shop/web.served", "served"),
    ],
)
def test_an_application_is_found_by_every_form_of_its_name(
    root: Path, write: Write, place: str, name: str, expected: str
) -> None:
    write(place, SOURCE)
    assert find_application(name, str(root)) == expected


def test_a_folder_may_be_absolute(root: Path, write: Write) -> None:
    write("shop/web.py", SOURCE)
    assert find_application(f"{root}/shop/web:served") == "served"


def test_the_root_is_the_current_folder_by_default(root: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("shop/web.py", SOURCE)
    monkeypatch.chdir(root)
    assert find_application("shop/web:served") == "served"


def test_a_module_without_app_may_have_application(root: Path, write: Write) -> None:
    write("web.py", "application = 'the application'")
    assert find_application("web", str(root)) == "the application"


def test_a_factory_is_called_once_and_without_arguments(root: Path, write: Write) -> None:
    write("web.py", SOURCE)
    find_application("web:create()", str(root))
    assert find_application("web:calls", str(root)) == [()]


def test_an_application_may_import_modules_of_its_folder_and_of_the_root(root: Path, write: Write) -> None:
    write("src/web.py", "from beside import name\nfrom above import other\napp = name + other")
    write("src/beside.py", "name = 'beside, '")
    write("above.py", "other = 'above'")
    assert find_application("src/web:app", str(root)) == "beside, above"


def test_each_folder_is_put_on_the_import_path_once_the_nearest_first(root: Path, write: Write) -> None:
    write("src/web.py", SOURCE)
    find_application("src/web:app", str(root))
    find_application("src/web:served", str(root))
    assert sys.path[:2] == [str(root / "src"), str(root)]
    assert sys.path.count(str(root)) == sys.path.count(str(root / "src")) == 1


@pytest.mark.parametrize("name", ["web:app", "./web:app"])
def test_only_the_root_is_put_on_the_import_path_if_no_folder_is_named(root: Path, write: Write, name: str) -> None:
    before = [*sys.path]
    write("web.py", SOURCE)
    find_application(name, str(root))
    assert sys.path == [str(root), *before]


@pytest.mark.parametrize(
    "name",
    ["", " ", ":", "web:", ":app", "web:()", "()", "web()", "web:a b", "we-b:app", "web:app:more", "a//", "web..app",
     "web:app.", "shop/", "http://web:app", "web:create(1)", "1web:app"],
)  # fmt: skip
def test_an_invalid_name_is_an_error_that_lists_the_forms(root: Path, write: Write, name: str) -> None:
    write("web.py", SOURCE)
    with pytest.raises(ApplicationNotFoundError) as caught:
        find_application(name, str(root))
    message = str(caught.value)
    assert repr(name) in message
    assert "module:attribute, module.attribute, dir/module.attribute or module:factory()" in message


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("no_such_web:app", "no_such_web"),
        ("no_such_web.app", "no_such_web"),
        ("no_such_shop.web:app", "no_such_shop"),
        ("shop.no_such:app", "shop.no_such"),
        ("shop/no_such:app", "no_such"),
        ("web.no_such:app", "web.no_such"),
    ],
)
def test_a_missing_module_is_an_error_that_names_the_searched_folders(
    root: Path, write: Write, name: str, missing: str
) -> None:
    write("shop/__init__.py", "")
    write("web.py", SOURCE)
    with pytest.raises(ApplicationNotFoundError) as caught:
        find_application(name, str(root))
    assert f"there is no module {missing!r} (searched {root}" in str(caught.value)
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize("imported", ["no_such_library", "web.no_such_part", "shop.web.no_such", "no_such.web"])
def test_a_failed_import_inside_the_application_passes(root: Path, write: Write, imported: str) -> None:
    write("shop/__init__.py", "")
    write("shop/web.py", f"import {imported}\napp = 1")
    with pytest.raises(ModuleNotFoundError) as caught:
        find_application("shop.web:app", str(root))
    assert not isinstance(caught.value, ApplicationNotFoundError)
    assert caught.value.name in (imported, imported.partition(".")[0])
    assert str(root / "shop" / "web.py") in {str(entry.path) for entry in caught.traceback}


@pytest.mark.parametrize("error", [ImportError, SyntaxError, SystemExit, KeyboardInterrupt])
def test_any_exception_of_the_module_passes(root: Path, write: Write, error: type[BaseException]) -> None:
    write("web.py", f"raise {error.__name__}('of the application')")
    with pytest.raises(error, match="of the application") as caught:
        find_application("web:app", str(root))
    assert caught.type is error


def test_an_exception_of_the_factory_passes(root: Path, write: Write) -> None:
    write("web.py", "def create():\n    raise LookupError('no database')")
    with pytest.raises(LookupError, match="no database"):
        find_application("web:create()", str(root))


def test_a_missing_attribute_is_an_error_that_lists_the_callables(root: Path, write: Write) -> None:
    write("web.py", "def create_app(): ...\ndef _private(): ...\nnumber = 1")
    with pytest.raises(ApplicationNotFoundError, match=r"has no attribute 'app'. Callables there: create_app\."):
        find_application("web:app", str(root))


def test_a_missing_attribute_of_an_attribute_is_an_error(root: Path, write: Write) -> None:
    write("web.py", SOURCE)
    with pytest.raises(ApplicationNotFoundError, match="has no attribute 'asgi'"):
        find_application("web:site.asgi", str(root))


DJANGO = {
    "shop/manage.py": "",
    "shop/shop/__init__.py": "",
    "shop/shop/settings.py": "NAME = 'the shop'",
    "shop/shop/wsgi.py": "from shop.settings import NAME\nfrom .settings import NAME as SAME\napplication = NAME",
}


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("shop/shop/wsgi.py:application", ""),
        ("shop/shop/wsgi.py", ""),
        ("{root}/shop/shop/wsgi.py:application", ""),
        ("shop/wsgi.py:application", "shop"),
        ("shop/wsgi.py", "shop"),
        ("shop.wsgi", "shop"),
        ("shop.wsgi:application", "shop"),
        ("shop.wsgi.application", "shop"),
        ("shop/shop.wsgi", ""),
        ("shop:wsgi", "shop"),
    ],
)
def test_a_file_in_a_package_is_imported_as_part_of_it(root: Path, write: Write, name: str, folder: str) -> None:
    for place, source in DJANGO.items():
        write(place, source)
    if name == "shop:wsgi":
        write("shop/shop/__init__.py", "from . import wsgi")
    assert find_application(name.format(root=root), str(root / folder)) == "the shop"
    assert "shop.wsgi" in sys.modules
    assert "wsgi" not in sys.modules


def test_a_file_in_a_package_may_import_its_neighbours_by_their_bare_names_which_hide_no_module(
    root: Path, write: Write
) -> None:
    write("api/__init__.py", "")
    write("api/json.py", "")
    write("api/beside.py", "name = 'beside'")
    write("api/web.py", "from beside import name\nimport json\napp = name + json.dumps([])")
    assert find_application("api/web.py", str(root)) == "beside[]"
    assert sys.path[-1] == str(root / "api")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("wsgi.py", "shop/shop"), ("wsgi", "shop/shop"), ("wsgi:application", "shop/shop"), ("shop/shop/wsgi", "")],
)
@pytest.mark.parametrize("line", ["from shop.settings import NAME", "from .settings import NAME"])
def test_a_module_inside_a_package_may_import_the_package_from_any_folder(
    root: Path, write: Write, name: str, folder: str, line: str
) -> None:
    for place, source in DJANGO.items():
        write(place, source)
    write("shop/shop/wsgi.py", f"{line}\napplication = NAME")
    assert find_application(name, str(root / folder)) == "the shop"


def test_a_module_with_imports_from_the_parent_package_is_imported_as_part_of_it(root: Path, write: Write) -> None:
    for place in ("pk/__init__.py", "pk/inner/__init__.py"):
        write(place, "")
    write("pk/names.py", "NAME = 'the app'")
    write("pk/inner/app.py", "from ..names import NAME as app")
    assert find_application("pk/inner.app:app", str(root)) == "the app"


def test_a_module_that_its_neighbours_import_by_the_bare_name_exists_once(root: Path, write: Write) -> None:
    write("api/__init__.py", "")
    write("api/web.py", "app = []\nimport routes")
    write("api/routes.py", "from web import app\napp.append('route')")
    assert find_application("api/web.app", str(root)) == ["route"]


def test_the_folder_of_the_outermost_package_may_have_any_name(root: Path, write: Write) -> None:
    for place in ("my-shop/__init__.py", "my-shop/api/__init__.py"):
        write(place, "")
    write("my-shop/api/web.py", "app = __name__")
    assert find_application("my-shop/api/web.py", str(root)) == "api.web"


def test_the_file_of_a_package_is_the_package(root: Path, write: Write) -> None:
    write("shop/__init__.py", "app = __name__")
    assert find_application("shop/__init__.py", str(root)) == "shop"


@pytest.mark.parametrize("name", ["no_such/web.py:app", "./no_such.py", "{root}/no_such/web.py:app", "shop/web.py:a()"])
def test_a_missing_file_is_an_error_that_names_it(root: Path, write: Write, name: str) -> None:
    write("web.py", SOURCE)  # has the same name as the file
    name = name.format(root=root)
    with pytest.raises(ApplicationNotFoundError) as caught:
        find_application(name, str(root))
    file = root / name.partition(":")[0]
    assert str(caught.value) == f"{name!r}: there is no file {file}."


def test_a_missing_attribute_of_a_package_is_an_error_about_the_attribute(root: Path, write: Write) -> None:
    write("shop/__init__.py", "def create_app(): ...")
    with pytest.raises(ApplicationNotFoundError, match=r"has no attribute 'creat_app'. Callables there: create_app\."):
        find_application("shop.creat_app", str(root))


APPLICATIONS = """
import functools, operator
from operator import add
from flask import Flask, request

def helper(a, b): ...

class Middleware:
    def __init__(self, app, other): ...
    def __call__(self, environ, start_response): ...

partial = functools.partial(helper, 1)
"""


@pytest.mark.parametrize(
    "line",
    ["web = Flask('web')", "web = same = Flask('web')", "web = Middleware(1, 2)", "def web(environ, start): ...",
     "async def web(scope, receive, send): ..."],
)  # fmt: skip
def test_the_only_application_of_a_module_may_have_any_name(root: Path, write: Write, line: str) -> None:
    write("served.py", f"{APPLICATIONS}\n{line}")
    assert find_application("served", str(root)) is sys.modules["served"].web


def test_several_applications_are_an_error_that_names_them(root: Path, write: Write) -> None:
    write("served.py", f"{APPLICATIONS}\none = Flask('one')\ntwo = Flask('two')")
    with pytest.raises(ApplicationNotFoundError) as caught:
        find_application("served", str(root))
    assert str(caught.value) == (
        "'served': the module has neither app nor application, and it has several applications: one, two. Name "
        "the application, as in served:one."
    )


@pytest.mark.parametrize(("name", "proposal"), [("web", "web:its_name"), ("web.py", "web.py:its_name")])
def test_a_module_without_application_is_an_error_with_a_proposal(
    root: Path, write: Write, name: str, proposal: str
) -> None:
    write("web.py", "number = 1")
    with pytest.raises(ApplicationNotFoundError, match="has neither app nor application") as caught:
        find_application(name, str(root))
    assert proposal in str(caught.value)


def test_an_async_factory_is_an_error(root: Path, write: Write) -> None:
    write("web.py", "async def make(): ...")
    with pytest.raises(ApplicationNotFoundError, match=r"'web:make\(\)': make is an async function"):
        find_application("web:make()", str(root))


def test_a_factory_that_is_not_callable_is_an_error_that_names_its_type(root: Path, write: Write) -> None:
    write("web.py", SOURCE)
    with pytest.raises(ApplicationNotFoundError, match="app is a str and cannot be called"):
        find_application("web:app()", str(root))


COLLECTOR = """
import gc
collects = gc.get_threshold()[0] > 0
app = object()
"""


@pytest.fixture
def collector() -> Iterator[None]:
    """Leave the garbage collector as it was."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.enable()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("collector")
class TestTheGarbageCollector:
    def test_it_is_off_while_the_application_is_imported_and_then_on_again(self, root: Path, write: Write) -> None:
        write("collected.py", COLLECTOR)
        threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
        with collections_paused():
            find_application("collected:app", str(root))
        assert not sys.modules["collected"].collects
        assert gc.isenabled()
        assert gc.get_threshold() == threshold
        assert gc.get_freeze_count() > frozen

    def test_it_is_on_again_when_the_import_fails(self, root: Path) -> None:
        threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
        with pytest.raises(ApplicationNotFoundError), collections_paused():
            find_application("nothing:app", str(root))
        assert (gc.get_threshold(), gc.get_freeze_count()) == (threshold, frozen)

    def test_what_the_application_sets_stands(self, root: Path, write: Write) -> None:
        write("collected.py", f"{COLLECTOR}\ngc.disable()\ngc.set_threshold(50_000, 5, 5)")
        frozen = gc.get_freeze_count()
        with collections_paused():
            find_application("collected:app", str(root))
        assert not gc.isenabled()
        assert gc.get_threshold() == (50_000, 5, 5)
        assert gc.get_freeze_count() == frozen

    def test_an_application_that_freezes_is_not_frozen_a_second_time(self, root: Path, write: Write) -> None:
        write("collected.py", f"{COLLECTOR}\ngc.freeze()\nfrozen = gc.get_freeze_count()")
        with collections_paused():
            find_application("collected:app", str(root))
        assert gc.get_freeze_count() <= sys.modules["collected"].frozen

    def test_a_variable_turns_this_off(self, root: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BRIDGE_GC_FREEZE", "off")
        write("collected.py", COLLECTOR)
        frozen = gc.get_freeze_count()
        with collections_paused():
            find_application("collected:app", str(root))
        assert sys.modules["collected"].collects
        assert gc.get_freeze_count() == frozen
