"""Settings: options over environment variables over a settings file, each checked when the handler is made."""

from __future__ import annotations

import os
import re
from functools import lru_cache

from bridge.bodies import media_type
from bridge.errors import SettingError
from bridge.logs import logger
from bridge.response import TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal, TypedDict

    TextTypes = Iterable[str] | Callable[[str], bool]
    OtherEvents = Callable[[Any, Any], Any]

    class Options(TypedDict, total=False):
        """The keyword arguments of every handler, which :func:`bridge.handler` describes."""

        base_path: str
        strip_stage: bool
        text_types: TextTypes
        exclude_headers: Iterable[str]
        lifespan: Literal["auto", "on", "off"]
        request_id_header: str
        other_events: OtherEvents | str
        warm_up: bool
        background_seconds: float
        on_connect: Callable[[Any], Any] | str
        on_message: Callable[[Any, Any], Any] | str
        on_disconnect: Callable[[Any], Any] | str


# The environment variables of each option; the first one that is set counts. The second names are serverless-wsgi's.
VARIABLES = {
    "base_path": ("BRIDGE_BASE_PATH", "API_GATEWAY_BASE_PATH"),
    "strip_stage": ("BRIDGE_STRIP_STAGE", "STRIP_STAGE_PATH"),
    "text_types": ("BRIDGE_TEXT_TYPES",),
    "exclude_headers": ("BRIDGE_EXCLUDE_HEADERS",),
    "lifespan": ("BRIDGE_LIFESPAN",),
    "request_id_header": ("BRIDGE_REQUEST_ID_HEADER",),
    "other_events": ("BRIDGE_OTHER_EVENTS",),
    "warm_up": ("BRIDGE_WARM_UP",),
    "background_seconds": ("BRIDGE_BACKGROUND_SECONDS",),
    "on_connect": ("BRIDGE_ON_CONNECT",),
    "on_message": ("BRIDGE_ON_MESSAGE",),
    "on_disconnect": ("BRIDGE_ON_DISCONNECT",),
}

# Variables that set no option: the application, the runtime, remote commands; and those by which the local server
# configures its child processes.
OTHERS = (
    "BRIDGE_APP", "BRIDGE_GC_FREEZE", "BRIDGE_PYTHON", "BRIDGE_RESPONSE_MODE", "BRIDGE_REMOTE_COMMANDS",
    "BRIDGE_WEBSOCKET_ENDPOINT", "BRIDGE_WEBSOCKET_PATH", "BRIDGE_WEBSOCKET_STORE",
)  # fmt: skip
LOCAL = ("BRIDGE_SERVE", "BRIDGE_SERVERLESS_CONFIG", "BRIDGE_WEBSOCKET_FILE")
_KNOWN = frozenset((*OTHERS, *LOCAL, *(name for names in VARIABLES.values() for name in names)))

# A media type, the beginning of one, or the end of one.
_TEXT_TYPE = r"[^*/]+/[^*]*\*?|\*/\*|\*[^*]{2,}"
_TRUE = frozenset({"yes", "y", "true", "t", "1", "on"})
_FALSE = frozenset({"no", "n", "false", "f", "0", "off", ""})


class Settings:
    """How a handler behaves.

    Args:
        options: keyword arguments of the handler.
        environ: environment variables (see :data:`VARIABLES`) for options that are not given; the process's if None.
            Lists are separated by commas, and an empty variable counts as unset.
        file: options from a settings file, for those in neither.

    The attributes are the options that :func:`bridge.handler` describes, but for one:

    Attributes:
        is_text: decides whether a Content-Type that is not text by the bridge's own rule is; None without
            ``text_types``. These are media types (``"application/x-tex"``, ``"font/*"``, ``"*+ldif"``, or ``"*/*"``
            for all), or a function of the Content-Type.
        exclude_headers, request_id_header: in lower case; ``""`` for no such header.

    Raises:
        SettingError: an option does not exist or has a value that is not allowed; the message says what is.

    Example::

        Settings({"base_path": "/shop", "text_types": ["font/*"]}, environ={})
    """

    @property
    def has_websocket_callbacks(self) -> bool:
        """Whether there is a callback for events of a WebSocket API."""
        return not (self.on_connect is self.on_message is self.on_disconnect is None)

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        file: Mapping[str, Any] | None = None,
    ) -> None:
        options = options or {}
        environ = os.environ if environ is None else environ
        file = file or {}
        warn_of_unknown_variables(environ)
        for name in (*options, *file):
            if name not in VARIABLES:
                raise SettingError(f"There is no option {name!r}. The options are: {', '.join(VARIABLES)}.")

        def find(name: str, default: Any = None) -> tuple[str, Any]:
            if options.get(name) is not None:
                return f"option {name}", options[name]
            for variable in VARIABLES[name]:
                if environ.get(variable):
                    return f"environment variable {variable}", environ[variable]
            value = file.get(name)
            return f"setting {name} in the settings file", default if value is None else value

        self.base_path: str = _base_path(*find("base_path", ""))
        self.strip_stage: bool = boolean(*find("strip_stage", default=False))
        self.is_text: Callable[[str], bool] | None = _text_types(*find("text_types", ()))
        origin, names = find("exclude_headers", ())
        self.exclude_headers: frozenset[str] = frozenset(_header_name(origin, name) for name in _items(origin, names))
        self.lifespan: str = _lifespan(*find("lifespan", "auto"))
        origin, header = find("request_id_header")
        self.request_id_header: str = _header_name(origin, header) if header else ""
        self.other_events: OtherEvents | str | None = _callback(*find("other_events"))
        self.warm_up: bool = boolean(*find("warm_up", default=True))
        self.on_connect: Any = _callback(*find("on_connect"))
        self.on_message: Any = _callback(*find("on_message"))
        self.on_disconnect: Any = _callback(*find("on_disconnect"))
        self.background_seconds: float = _seconds(*find("background_seconds", 2.0))


@lru_cache
def _warn_of_variable(name: str) -> None:
    from difflib import get_close_matches  # not part of an ordinary cold start

    names = {known.removeprefix("BRIDGE_").replace("_", ""): known for known in _KNOWN if known not in LOCAL}
    similar = get_close_matches(name.removeprefix("BRIDGE_").replace("_", ""), names, 1)
    if similar:
        logger.warning("There is no environment variable %s. Did you mean %s?", name, names[similar[0]])


def warn_of_unknown_variables(environ: Mapping[str, str] = os.environ) -> None:
    """Log, once for each, the variables that look misspelled; others may belong to other software."""
    for name in environ:
        if name.startswith("BRIDGE_") and name not in _KNOWN:
            _warn_of_variable(name)


def _not_allowed(origin: str, value: object, allowed: str) -> SettingError:
    return SettingError(f"The {origin} is {value!r}; allowed is {allowed}.")


def _base_path(origin: str, value: Any) -> str:
    if not isinstance(value, str) or any(character in value for character in "?#% \t\r\n"):
        raise _not_allowed(origin, value, "a path such as '/shop', not encoded, without query")
    path = value.strip("/")
    return f"/{path}" if path else ""


def boolean(origin: str, value: Any) -> bool:
    """A boolean, or one of the words for it.

    Raises:
        SettingError: *value* is neither; the message names its *origin*.
    """
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _not_allowed(origin, value, "True or False; as text yes, true, 1, on or no, false, 0, off")


def _seconds(origin: str, value: Any) -> float:
    try:
        seconds = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise _not_allowed(origin, value, "a number of seconds, such as 2 or 0.5; 0 for no wait")
    return seconds


def _lifespan(origin: str, value: Any) -> str:
    if value not in ("auto", "on", "off"):
        raise _not_allowed(origin, value, "'auto' or 'on' or 'off'")
    return str(value)


def _items(origin: str, value: Any) -> list[Any]:
    """The items of a list; of text from the environment, the parts between commas."""
    if isinstance(value, str):
        if origin.startswith("option"):
            raise _not_allowed(origin, value, f"a list of texts, such as [{value!r}]")
        return [item.strip() for item in value.split(",") if item.strip()]
    try:
        return list(value)
    except TypeError:
        raise _not_allowed(origin, value, "a list of texts") from None


def _header_name(origin: str, value: Any) -> str:
    if not isinstance(value, str) or not value or not TOKEN.issuperset(value):
        raise _not_allowed(origin, value, "the name of a header, such as 'X-Request-Id'")
    return value.lower()


def _text_types(origin: str, value: Any) -> Callable[[str], bool] | None:
    if callable(value):
        return value  # type: ignore[no-any-return]  # the user's own function
    patterns = []
    for item in _items(origin, value):
        pattern = media_type(item) if isinstance(item, str) else ""
        if not re.fullmatch(_TEXT_TYPE, pattern):
            raise _not_allowed(
                origin, item, "a media type such as 'application/x-tex', 'font/*', '*+ldif' or '*/*', or a function"
            )
        patterns.append("*" if pattern == "*/*" else f"{pattern}*" if pattern.endswith("/") else pattern)
    if not patterns:
        return None
    from fnmatch import fnmatchcase  # not part of an ordinary cold start

    return lambda content_type: any(fnmatchcase(media_type(content_type), pattern) for pattern in patterns)


def _callback(origin: str, value: Any) -> OtherEvents | str | None:
    """A callback, or the name of one, which is imported with the first event for it."""
    if value is None or value == "":
        return None
    if callable(value) or (isinstance(value, str) and (":" in value or "." in value)):
        return value  # type: ignore[no-any-return]  # the user's own function
    raise _not_allowed(origin, value, "a function of event and context, or its name as module:function")
