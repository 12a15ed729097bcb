"""Finding the application that a text names."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMS = "module:attribute, module.attribute, dir/module.attribute or module:factory()"
_USUAL_NAMES = ("app", "application")


def find_application(name: str, root: str | None = None) -> Any:
    """Import the application that *name* names.

    Args:
        name: ``module:attribute``, ``module.attribute``, with a folder before the module (``dir/module.attribute``,
            which is put on the import path), with ``()`` after the attribute to call it. ``path/to/file.py`` in place
            of the module is that file, in the package that it belongs to, if it does. A module alone means its ``app``
            or ``application``, or else the only application in it.
        root: the folder that a folder in *name* is relative to, and modules are looked for in; the current one if
            None.

    Raises:
        ApplicationNotFoundError: there is no such module or attribute, or it cannot make the application.
        BaseException: whatever the module raises while it is imported, unchanged.
    """
    root = os.path.abspath(root or os.getcwd())
    module_name, attribute, is_factory, folder = _parts(name)
    place = os.path.abspath(os.path.join(root, folder))
    if folder and _names_a_file(name):
        module_name, place = _in_package(module_name, place, root, name)
    for path in (root, place):
        if path not in sys.path:
            sys.path.insert(0, path)
    module = _import_below(place, module_name, name)
    if attribute and ":" not in name and hasattr(module, "__path__") and not hasattr(module, attribute):
        module, attribute = _submodule(module, attribute, name)
    found = _attribute(module, attribute, name) if attribute else module
    if isinstance(found, type(sys)):
        found = _usual(found, name)
    if is_factory:
        if not callable(found):
            raise bridge.ApplicationNotFoundError(
                f"{name!r}: {attribute} is a {type(found).__name__} and cannot be called."
            )
        found = found()
        if hasattr(found, "__await__") and not callable(found):
            if hasattr(found, "close"):
                found.close()  # a coroutine that nobody awaits warns
            raise bridge.ApplicationNotFoundError(
                f"{name!r}: {attribute} is an async function, and there is no event loop yet in which it could make an "
                "application. Name a plain function that makes it."
            )
    return found


def _parts(name: str) -> tuple[str, str, bool, str]:
    """Module, attribute (``""`` if none is named), whether to call it, folder."""
    text = name.strip()
    is_factory = text.endswith("()")
    text = text.removesuffix("()")
    place, colon, attribute = text.partition(":")
    folder, _, module = place.strip().rpartition("/")
    if not colon and "." in module:
        module, _, attribute = module.rpartition(".")
        if attribute == "py":  # a file's name, as people type it
            attribute = ""
    elif module.endswith(".py"):
        module = module.removesuffix(".py")
    attribute = attribute.strip()
    words = [*module.split("."), *(attribute.split(".") if attribute else ())]
    is_whole = attribute or not (colon or is_factory)
    if not is_whole or not all(word.isidentifier() for word in words):
        raise bridge.ApplicationNotFoundError(f"{name!r} does not name an application. Write it as {_FORMS}.")
    return module, attribute, is_factory, folder


def _names_a_file(name: str) -> bool:
    return name.strip().removesuffix("()").partition(":")[0].rstrip().endswith(".py")


def _in_package(module: str, place: str, root: str, name: str) -> tuple[str, str]:
    """The dotted name of a file's module and the folder that its package is in.

    Django's ``shop/shop/wsgi.py`` is ``shop.wsgi`` in ``shop``, for it speaks of ``shop.settings``.
    """
    file = os.path.join(place, f"{module}.py")
    if not os.path.isfile(file):
        raise bridge.ApplicationNotFoundError(f"{name!r}: there is no file {file}.")
    inner = place
    module, place = _climbed(module, place, root)
    if place != inner and inner not in sys.path:
        sys.path.append(inner)  # for those who import what is beside the file by its bare name; last, to hide nothing
    return module.removesuffix(".__init__"), place


def _import_below(place: str, module: str, name: str) -> Any:
    """Import what lies in *place*, which may be inside a package: named from there, or from the folder itself.

    A module that its neighbours import by its bare name is to be known by that, or there would be two of it. Only where
    it speaks of the package by dots it is known as a part of it.
    """
    whole, above = _climbed(module, place, "")
    if above != place and above not in sys.path:
        sys.path.append(above)  # last, to hide nothing
    try:
        return _import(module, name)
    except ImportError as error:
        if whole == module or not str(error).startswith("attempted relative import"):
            raise
    return _import(whole, name)


def _climbed(module: str, place: str, end: str) -> tuple[str, str]:
    """The dotted name of a module in *place*, and the folder that its package is in: *end*, or one below it."""
    while place != end and os.path.isfile(os.path.join(place, "__init__.py")):
        above, package = os.path.split(place)
        if not package.isidentifier():
            break
        module, place = f"{package}.{module}", above
    return module, place


def _submodule(package: Any, attribute: str, name: str) -> tuple[Any, str]:
    """The module *attribute* of a package, if it has one of that name: ``shop.wsgi`` may be a module."""
    try:
        return _import(f"{package.__name__}.{attribute}", name), ""
    except bridge.ApplicationNotFoundError:
        return package, attribute


def _import(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(missing + "."):
            where = ", ".join(path or "." for path in sys.path[:3])
            raise bridge.ApplicationNotFoundError(
                f"{name!r}: there is no module {missing!r} (looked in {where} and the installed packages). "
                f"An application is named as {_FORMS}."
            ) from error
        raise  # the application's own import of something else


def _usual(module: Any, name: str) -> Any:
    """The application in a module of which no attribute is named."""
    for usual in _USUAL_NAMES:
        if hasattr(module, usual):
            return getattr(module, usual)
    likely = {id(value): key for key, value in vars(module).items() if _is_application(value)}
    if len(likely) == 1:
        return getattr(module, *likely.values())
    which = f"and several applications: {', '.join(likely.values())}" if likely else "and nothing like an application"
    place = name.strip().removesuffix(":")
    raise bridge.ApplicationNotFoundError(
        f"{name!r}: the module has neither {' nor '.join(_USUAL_NAMES)}, {which}. Name the application: "
        f"{place}:{next(iter(likely.values()), 'its_name')}."
    )


def _is_application(value: Any) -> bool:
    """Whether an object is certainly an application: many functions, and all classes, only take as many arguments."""
    from bridge.interfaces import interface_of

    try:
        code = getattr(value, "__code__", None)
        if code is not None:
            return code.co_argcount > 1 and code.co_varnames[0] in ("environ", "scope")
        if isinstance(value, type) or not hasattr(type(value).__call__, "__code__"):
            return False
        interface_of(value)
    except Exception:  # no application; and a proxy, such as Flask's request, raises what it likes
        return False
    return True


def _attribute(module: Any, attribute: str, name: str) -> Any:
    found = module
    for word in attribute.split("."):
        try:
            found = getattr(found, word)
        except AttributeError as error:
            public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise bridge.ApplicationNotFoundError(
                f"{name!r}: {found!r} has no attribute {word!r}. Callables there: {', '.join(public[:12]) or 'none'}."
            ) from error
    return found
