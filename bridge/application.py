"""Finding the application that a text names."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from bridge.errors import ApplicationNotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMS = "module:attribute, module.attribute, dir/module.attribute or module:factory()"
_USUAL_NAMES = ("app", "application")


def find_application(name: str, root: str | None = None) -> Any:
    """Import the application that *name* names.

    Args:
        name: ``module:attribute``, ``module.attribute``, with a folder before the module (``dir/module.attribute``,
            which is put on the import path), with ``()`` after the attribute to call it. ``module`` alone means its
            ``app`` or ``application``.
        root: the folder that a folder in *name* is relative to, and modules are looked for in; the current one if
            None.

    Raises:
        ApplicationNotFoundError: there is no such module or attribute.
        BaseException: whatever the module raises while it is imported, unchanged.
    """
    root = os.path.abspath(root or os.getcwd())
    module_name, attribute, is_factory, folder = _parts(name)
    for path in (root, os.path.abspath(os.path.join(root, folder))):
        if path not in sys.path:
            sys.path.insert(0, path)
    module = _import(module_name, name)
    found = _attribute(module, attribute, name)
    if is_factory:
        if not callable(found):
            raise ApplicationNotFoundError(f"{name!r}: {attribute} is a {type(found).__name__} and cannot be called.")
        found = found()
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
        raise ApplicationNotFoundError(f"{name!r} does not name an application. Write it as {_FORMS}.")
    return module, attribute, is_factory, folder


def _import(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(missing + "."):
            where = ", ".join(path or "." for path in sys.path[:3])
            raise ApplicationNotFoundError(
                f"{name!r}: there is no module {missing!r} (looked in {where} and the installed packages). "
                f"An application is named as {_FORMS}."
            ) from error
        raise  # the application's own import of something else


def _attribute(module: Any, attribute: str, name: str) -> Any:
    if not attribute:
        for usual in _USUAL_NAMES:
            if hasattr(module, usual):
                return getattr(module, usual)
        raise ApplicationNotFoundError(
            f"{name!r}: the module has neither {' nor '.join(_USUAL_NAMES)}. Name the application: {name}:its_name."
        )
    found = module
    for word in attribute.split("."):
        try:
            found = getattr(found, word)
        except AttributeError as error:
            public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise ApplicationNotFoundError(
                f"{name!r}: {found!r} has no attribute {word!r}. Callables there: {', '.join(public[:12]) or 'none'}."
            ) from error
    return found
