"""What options, variables and files give for the settings, checked; loaded if they give anything."""

from __future__ import annotations

import bridge
from bridge import logger
from bridge.bodies import media_type
from bridge.response import TOKEN
from bridge.settings import LOCAL, OTHERS, VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from bridge.settings import OtherEvents

_KNOWN = frozenset((*OTHERS, *LOCAL, *(name for names in VARIABLES.values() for name in names)))

_YES = frozenset({"yes", "y", "true", "t", "1", "on"})
_NO = frozenset({"no", "n", "false", "f", "0", "off", ""})


def given(options: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The attributes of :class:`bridge.Settings`, whose arguments these are.

    Raises:
        SettingError: an unknown option or a value that is not allowed.
    """
    for name in environ:
        if name.startswith("BRIDGE_") and name not in _KNOWN:
            _notice(name)
    for name in (*options, *file):
        if name not in VARIABLES:
            raise bridge.SettingError(f"There is no option {name!r}. The options are: {', '.join(VARIABLES)}.")

    def find(name: str) -> tuple[str, Any]:
        if options.get(name) is not None:
            return f"option {name}", options[name]
        for variable in VARIABLES[name]:
            if environ.get(variable):
                return f"environment variable {variable}", environ[variable]
        return f"setting {name} in the settings file", file.get(name)

    yield "base_path", _base_path(*find("base_path"))
    yield "strip_stage", switch(*find("strip_stage"), default=False)
    yield "is_text", _text_types(*find("text_types"))
    yield "exclude_headers", frozenset(_header(where, name) for where, name in _each(*find("exclude_headers")))
    yield "lifespan", _choice(*find("lifespan"), ("auto", "on", "off"))
    where, value = find("request_id_header")
    yield "request_id_header", _header(where, value) if value else ""
    yield "other_events", _function(*find("other_events"))
    yield "warm_up", switch(*find("warm_up"), default=True)


_noticed: set[str] = set()


def _notice(name: str) -> None:
    """Say once that a variable looks mistyped; one that is like none of the bridge's may be somebody else's."""
    if name in _noticed:
        return
    _noticed.add(name)
    from difflib import get_close_matches

    spelled = {known.removeprefix("BRIDGE_").replace("_", ""): known for known in _KNOWN if known not in LOCAL}
    near = get_close_matches(name.removeprefix("BRIDGE_").replace("_", ""), spelled, 1)
    if near:
        logger().warning("There is no environment variable %s; did you mean %s?", name, spelled[near[0]])


def _wrong(where: str, value: object, allowed: str) -> bridge.SettingError:
    return bridge.SettingError(f"The {where} is {value!r}; allowed is {allowed}.")


def _base_path(where: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or any(mark in value for mark in "?#% \t\r\n"):
        raise _wrong(where, value, "a path such as '/shop', not encoded, without query")
    path = value.strip("/")
    return f"/{path}" if path else ""


def switch(where: str, value: Any, *, default: bool) -> bool:
    """Yes or no, in one of the ways in which it can be said.

    Raises:
        SettingError: *value* is neither; the message says *where* it stands.
    """
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise _wrong(where, value, "True or False, as text yes, true, 1, on or no, false, 0, off")


def _choice(where: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value is None:
        return allowed[0]
    if value not in allowed:
        raise _wrong(where, value, " or ".join(repr(word) for word in allowed))
    return str(value)


def _each(where: str, value: Any) -> Iterable[tuple[str, Any]]:
    """The items of a list; of text from the environment, what stands between commas."""
    if value is None:
        return
    if isinstance(value, str):
        if where.startswith("option"):
            raise _wrong(where, value, f"a list of texts, such as [{value!r}]")
        value = [item.strip() for item in value.split(",") if item.strip()]
    try:
        items = list(value)
    except TypeError:
        raise _wrong(where, value, "a list of texts") from None
    for item in items:
        yield where, item


def _header(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isascii() or not value or not TOKEN.issuperset(value):
        raise _wrong(where, value, "the name of a header, such as 'X-Request-Id'")
    return value.lower()


def _text_types(where: str, value: Any) -> Callable[[str], bool] | None:
    if callable(value):
        return value  # type: ignore[no-any-return]  # the user's own function
    exact, beginnings, endings = set(), [], []
    for _, item in _each(where, value):
        media = media_type(item) if isinstance(item, str) else ""
        core = media.removesuffix("*")
        if media == "*/*":
            beginnings.append("")
        elif "*" not in media and "/" in media.strip("/"):
            exact.add(media)
        elif "*" not in core and "/" in core[1:]:
            beginnings.append(core)
        elif media.startswith("*") and "*" not in media[1:] and len(media) > 2:
            endings.append(media[1:])
        else:
            raise _wrong(
                where, item, "a media type such as 'application/x-tex', 'font/*', '*+ldif' or '*/*', or a function"
            )
    if not (exact or beginnings or endings):
        return None

    def is_text(content_type: str) -> bool:
        media = media_type(content_type)
        return media in exact or media.startswith(tuple(beginnings)) or media.endswith(tuple(endings))

    return is_text


def _function(where: str, value: Any) -> OtherEvents | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        from bridge.loading import find_application

        allowed = "a function of event and context, as text module:function"
        if ":" not in value and "." not in value:
            raise _wrong(where, value, allowed)
        try:
            value = find_application(value)
        except bridge.ApplicationNotFoundError as error:
            raise bridge.SettingError(f"The {where} does not name {allowed}. {error}") from error
    if not callable(value):
        raise _wrong(where, value, "a function of event and context")
    return value  # type: ignore[no-any-return]  # the user's own function
