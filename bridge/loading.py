"""Find and import the application that a text, the environment or a settings file names."""

from __future__ import annotations

import gc
import json
import os
import sys
from contextlib import contextmanager, suppress
from importlib import import_module

from bridge.errors import ApplicationNotFoundError, SettingError
from bridge.interface_detection import interface_of, is_lambda_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

SETTINGS_FILE = ".serverless-wsgi"

_FORMS = "module:attribute, module.attribute, dir/module.attribute or module:factory()"
_DEFAULT_ATTRIBUTES = ("app", "application")


def find_deployed(name: str = "") -> tuple[Any, str, dict[str, Any]]:
    """Import the application of a deployed function; return it, its interface, and the options of its settings file.

    A handler ``(event, context)`` has the interface ``""``.

    Without a *name* it is the one that ``BRIDGE_APP`` names, or else the ``.serverless-wsgi`` file beside the code, as
    serverless-wsgi writes it.

    Raises:
        ApplicationNotFoundError: no application is named, or the name cannot be imported.
        SettingError: the file cannot be read.
        InterfaceError: the interface is not recognisable.
        BaseException: the application's own, raised while it is imported.
    """
    if any(variable.startswith("BRIDGE_") for variable in os.environ):
        from bridge.settings import warn_of_unknown_variables  # imports modules that a plain function does not need

        warn_of_unknown_variables()
    root, options = _read_settings_file()
    if os.path.isfile(os.path.join(root or ".", "unzip_requirements.py")):
        # serverless-python-requirements has packed the requirements into a zip; its module unpacks them.
        import_module("unzip_requirements")
    name_in_file = options.pop("app", None)
    if texts := options.pop("text_mime_types", None):
        options["text_types"] = texts
    name = name or os.environ.get("BRIDGE_APP") or name_in_file
    if not name:
        raise ApplicationNotFoundError(
            "No application is named. Set the function's environment variable BRIDGE_APP to module:attribute, such as "
            f'app:app, or put {SETTINGS_FILE} with {{"app": "module.attribute"}} beside the code (searched: '
            f"{', '.join(_code_folders())})."
        )
    if not isinstance(name, str):
        raise SettingError(f"In {SETTINGS_FILE}, app is {name!r}; it must be a string such as 'module.attribute'.")
    with collections_paused():
        target = _in_large_frame(find_application, name, root)
    if hasattr(target, "source_of") or is_lambda_handler(target):  # a bridge.Handler, perhaps wrapped, has source_of
        return target, "", options
    return target, interface_of(target), options


@contextmanager
def collections_paused() -> Iterator[None]:
    """Turn automatic garbage collections off, then exempt what was imported inside from later ones.

    Imports make many objects, almost none of which are garbage, and each collection traverses all of them. A threshold
    that is set inside, ``gc.disable()`` and ``gc.freeze()`` stand. ``BRIDGE_GC_FREEZE=off`` turns this off.
    """
    if value := os.environ.get("BRIDGE_GC_FREEZE"):
        from bridge.settings import boolean  # imports modules that a plain function does not need

        if not boolean("environment variable BRIDGE_GC_FREEZE", value):
            yield
            return
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.set_threshold(0)
    try:
        yield
        if gc.isenabled() and gc.get_freeze_count() == frozen:
            gc.freeze()
    finally:
        if gc.get_threshold()[0] == 0:
            gc.set_threshold(*threshold)


def _in_large_frame(function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a function, below which calls need no new memory for their frames.

    Python keeps frames in chunks of 16 KB, and frees a chunk as soon as its first frame returns. Imports that reach the
    end of a chunk allocate the next one thousands of times, a tenth of FastAPI's cold start. This function has so large
    a frame that it gets a chunk of 256 KB. It uses 160 KB of that; the rest is for the frames of its calls.
    """
    return function(*args)


_in_large_frame.__code__ = _in_large_frame.__code__.replace(co_stacksize=20_000)


def find_application(name: str, root: str | None = None) -> Any:
    """Import the application called *name*.

    Args:
        name: ``module:attribute`` or ``module.attribute``, with a folder before the module (``dir/module.attribute``,
            which is put on the import path) and ``()`` after the attribute to call it. ``path/to/file.py`` in the place
            of the module is that file, as a module of the package that contains it. A module alone means its ``app``
            or ``application``, or else the only application in it.
        root: the folder in which modules are searched and to which a folder in *name* is relative; the current one if
            None.

    Raises:
        ApplicationNotFoundError: there is no such module or attribute, or the factory makes no application.
        BaseException: the module's own, raised while it is imported.

    Example::

        find_application("shop/app.py:create_app()")
    """
    root = os.path.abspath(root or os.getcwd())
    module_name, attribute, is_factory, folder = parse_name(name)
    place = os.path.abspath(os.path.join(root, folder))
    if folder and name.strip().removesuffix("()").partition(":")[0].rstrip().endswith(".py"):
        module_name, place = _module_of_file(module_name, place, root, name)
    for path in (root, place):
        if path not in sys.path:
            sys.path.insert(0, path)
    module = _import_in_package(place, module_name, name)
    if attribute and ":" not in name and hasattr(module, "__path__") and not hasattr(module, attribute):
        with suppress(ApplicationNotFoundError):  # of shop.wsgi, the last word may be a module
            module, attribute = _import(f"{module.__name__}.{attribute}", name), ""
    application = _attribute(module, attribute, name) if attribute else module
    if isinstance(application, type(sys)):
        application = _default_application(application, name)
    return _call_factory(application, attribute, name) if is_factory else application


def parse_name(name: str) -> tuple[str, str, bool, str]:
    """The dotted module, the attribute, whether that is to be called, and the folder; ``""`` where the name has none.

    Raises:
        ApplicationNotFoundError: *name* is no application's name.
    """
    text = name.strip()
    is_factory = text.endswith("()")
    text = text.removesuffix("()")
    path, colon, attribute = text.partition(":")
    folder, _, module = path.strip().rpartition("/")
    if module.endswith(".py"):
        module = module.removesuffix(".py")
    elif not colon and "." in module:
        module, _, attribute = module.rpartition(".")
    attribute = attribute.strip()
    words = [*module.split("."), *(attribute.split(".") if attribute else ())]
    is_complete = attribute or not (colon or is_factory)
    if not is_complete or not all(word.isidentifier() for word in words):
        raise ApplicationNotFoundError(f"{name!r} does not name an application. Write it as {_FORMS}.")
    return module, attribute, is_factory, folder


def _code_folders() -> list[str]:
    """The folders in which the code may lie: Lambda's task root, the current folder, the folder of this package."""
    package = os.path.dirname(os.path.dirname(__file__))
    return list(dict.fromkeys(map(os.path.abspath, (os.environ.get("LAMBDA_TASK_ROOT") or ".", ".", package))))


def _read_settings_file() -> tuple[str | None, dict[str, Any]]:
    """The folder and the content of the first settings file; None and an empty dictionary without one."""
    for folder in _code_folders():
        path = os.path.join(folder, SETTINGS_FILE)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as stream:
                try:
                    content = json.load(stream)
                except ValueError as error:
                    raise SettingError(f"{path} is not valid JSON: {error}") from None
            if not isinstance(content, dict):
                raise SettingError(f"{path} holds no JSON object.")
            return folder, content
    return None, {}


def _module_of_file(module: str, place: str, root: str, name: str) -> tuple[str, str]:
    """The dotted module of a file, and the folder of its outermost package.

    Django's ``shop/shop/wsgi.py`` is ``shop.wsgi`` in ``shop``, because it refers to ``shop.settings``.
    """
    file = os.path.join(place, f"{module}.py")
    if not os.path.isfile(file):
        raise ApplicationNotFoundError(f"{name!r}: there is no file {file}.")
    file_folder = place
    module, place = _qualified(module, place, root)
    if place != file_folder and file_folder not in sys.path:
        sys.path.append(file_folder)  # for imports of neighbouring modules by their bare names; last, to hide nothing
    return module.removesuffix(".__init__"), place


def _import_in_package(place: str, module: str, name: str) -> Any:
    """Import a module in the folder *place*, which may be inside a package, by its bare name if that is possible.

    Its neighbours may import it by the bare name, and the module must not exist twice. Only a module with relative
    imports is imported as part of its package.
    """
    qualified, outer = _qualified(module, place, "")
    if outer != place and outer not in sys.path:
        sys.path.append(outer)  # last, to hide nothing
    try:
        return _import(module, name)
    except ImportError as error:
        if qualified == module or not str(error).startswith("attempted relative import"):
            raise
    return _import(qualified, name)


def _qualified(module: str, place: str, end: str) -> tuple[str, str]:
    """The dotted name of a module in *place*, and the folder of its outermost package: *end*, or one below it."""
    while place != end and os.path.isfile(os.path.join(place, "__init__.py")):
        parent, package = os.path.split(place)
        if not package.isidentifier():
            break
        module, place = f"{package}.{module}", parent
    return module, place


def _import(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(missing + "."):
            searched = ", ".join(path or "." for path in sys.path[:3])
            raise ApplicationNotFoundError(
                f"{name!r}: there is no module {missing!r} (searched {searched} and the installed packages). "
                f"Name an application as {_FORMS}."
            ) from error
        raise  # an import inside the application's own module


def _default_application(module: Any, name: str) -> Any:
    """The application in a module, for a name without attribute."""
    for attribute in _DEFAULT_ATTRIBUTES:
        if hasattr(module, attribute):
            return getattr(module, attribute)
    candidates = {id(value): key for key, value in vars(module).items() if _is_application(value)}
    if len(candidates) == 1:
        return getattr(module, *candidates.values())
    names = list(candidates.values())
    others = f"it has several applications: {', '.join(names)}" if names else "it has no other application"
    raise ApplicationNotFoundError(
        f"{name!r}: the module has neither {' nor '.join(_DEFAULT_ATTRIBUTES)}, and {others}. Name the application, as "
        f"in {name.strip().removesuffix(':')}:{names[0] if names else 'its_name'}."
    )


def _is_application(value: Any) -> bool:
    """Whether an object is certainly an application; many functions, and all classes, only look like one."""
    try:
        code = getattr(value, "__code__", None)
        if code is not None:
            return code.co_argcount > 1 and code.co_varnames[0] in ("environ", "scope")
        if isinstance(value, type) or not hasattr(type(value).__call__, "__code__"):
            return False
        interface_of(value)
    except Exception:  # not an application; and a proxy, such as Flask's request, may raise anything
        return False
    return True


def _attribute(module: Any, attribute: str, name: str) -> Any:
    value = module
    for word in attribute.split("."):
        try:
            value = getattr(value, word)
        except AttributeError as error:
            public = [key for key, item in vars(module).items() if callable(item) and not key.startswith("_")]
            raise ApplicationNotFoundError(
                f"{name!r}: {value!r} has no attribute {word!r}. Callables there: {', '.join(public[:12]) or 'none'}."
            ) from error
    return value


def _call_factory(factory: Any, attribute: str, name: str) -> Any:
    if not callable(factory):
        raise ApplicationNotFoundError(f"{name!r}: {attribute} is a {type(factory).__name__} and cannot be called.")
    application = factory()
    if hasattr(application, "__await__") and not callable(application):
        if hasattr(application, "close"):
            application.close()  # Python warns of coroutines that are never awaited
        raise ApplicationNotFoundError(
            f"{name!r}: {attribute} is an async function, and no event loop is running yet in which it could make an "
            "application. Name a plain function."
        )
    return application
