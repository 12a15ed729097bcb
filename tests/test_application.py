"""Finding an application: every way to name one, and what a wrong name is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.application import find_application
from bridge.errors import ApplicationNotFoundError

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
    """A folder of code, whose modules and import path are forgotten afterwards."""
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
    ("place", "name", "found"),
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
    root: Path, write: Write, place: str, name: str, found: str
) -> None:
    write(place, SOURCE)
    assert find_application(name, str(root)) == found


def test_a_folder_may_be_absolute(root: Path, write: Write) -> None:
    write("shop/web.py", SOURCE)
    assert find_application(f"{root}/shop/web:served") == "served"


def test_without_a_root_the_current_folder_is_it(root: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_application_finds_the_modules_beside_it_and_those_of_the_root(root: Path, write: Write) -> None:
    write("src/web.py", "from beside import name\nfrom above import other\napp = name + other")
    write("src/beside.py", "name = 'beside, '")
    write("above.py", "other = 'above'")
    assert find_application("src/web:app", str(root)) == "beside, above"


def test_the_import_path_gets_each_folder_once_and_the_nearest_first(root: Path, write: Write) -> None:
    write("src/web.py", SOURCE)
    find_application("src/web:app", str(root))
    find_application("src/web:served", str(root))
    assert sys.path[:2] == [str(root / "src"), str(root)]
    assert sys.path.count(str(root)) == sys.path.count(str(root / "src")) == 1


@pytest.mark.parametrize("name", ["web:app", "./web:app"])
def test_the_import_path_gets_the_root_alone_if_no_folder_is_named(root: Path, write: Write, name: str) -> None:
    before = [*sys.path]
    write("web.py", SOURCE)
    find_application(name, str(root))
    assert sys.path == [str(root), *before]


@pytest.mark.parametrize(
    "name",
    ["", " ", ":", "web:", ":app", "web:()", "()", "web()", "web:a b", "we-b:app", "web:app:more", "a//", "web..app",
     "web:app.", "shop/", "http://web:app", "web:create(1)", "1web:app"],
)  # fmt: skip
def test_what_is_no_name_is_refused_and_the_forms_are_told(root: Path, write: Write, name: str) -> None:
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
def test_a_module_that_is_not_there_is_named_with_the_places_that_were_searched(
    root: Path, write: Write, name: str, missing: str
) -> None:
    write("shop/__init__.py", "")
    write("web.py", SOURCE)
    with pytest.raises(ApplicationNotFoundError) as caught:
        find_application(name, str(root))
    assert f"there is no module {missing!r} (looked in {root}" in str(caught.value)
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize("wanted", ["no_such_library", "web.no_such_part", "shop.web.no_such", "no_such.web"])
def test_an_import_that_fails_inside_the_application_is_its_own_error(root: Path, write: Write, wanted: str) -> None:
    write("shop/__init__.py", "")
    write("shop/web.py", f"import {wanted}\napp = 1")
    with pytest.raises(ModuleNotFoundError) as caught:
        find_application("shop.web:app", str(root))
    assert not isinstance(caught.value, ApplicationNotFoundError)
    assert caught.value.name in (wanted, wanted.partition(".")[0])
    assert str(root / "shop" / "web.py") in {str(entry.path) for entry in caught.traceback}


@pytest.mark.parametrize("error", [ImportError, SyntaxError, SystemExit, KeyboardInterrupt])
def test_whatever_else_an_application_raises_while_it_is_imported_comes_through(
    root: Path, write: Write, error: type[BaseException]
) -> None:
    write("web.py", f"raise {error.__name__}('of the application')")
    with pytest.raises(error, match="of the application") as caught:
        find_application("web:app", str(root))
    assert caught.type is error


def test_what_a_factory_raises_comes_through(root: Path, write: Write) -> None:
    write("web.py", "def create():\n    raise LookupError('no database')")
    with pytest.raises(LookupError, match="no database"):
        find_application("web:create()", str(root))


def test_an_attribute_that_is_not_there_is_told_with_the_callables_that_are(root: Path, write: Write) -> None:
    write("web.py", "def create_app(): ...\ndef _private(): ...\nnumber = 1")
    with pytest.raises(ApplicationNotFoundError, match=r"has no attribute 'app'. Callables there: create_app\."):
        find_application("web:app", str(root))


def test_an_attribute_of_an_attribute_that_is_not_there_is_told(root: Path, write: Write) -> None:
    write("web.py", SOURCE)
    with pytest.raises(ApplicationNotFoundError, match="has no attribute 'asgi'"):
        find_application("web:site.asgi", str(root))


@pytest.mark.parametrize(("name", "proposal"), [("web", "web:its_name"), ("web.py", "web.py:its_name")])
def test_a_module_alone_that_has_neither_usual_name_is_told_what_to_write(
    root: Path, write: Write, name: str, proposal: str
) -> None:
    write("web.py", "number = 1")
    with pytest.raises(ApplicationNotFoundError, match="has neither app nor application") as caught:
        find_application(name, str(root))
    assert proposal in str(caught.value)


def test_a_factory_that_cannot_be_called_is_told_its_type(root: Path, write: Write) -> None:
    write("web.py", SOURCE)
    with pytest.raises(ApplicationNotFoundError, match="app is a str and cannot be called"):
        find_application("web:app()", str(root))
