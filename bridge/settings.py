"""Settings: keyword arguments over environment over file, each checked once, when the handler is made."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal, TypedDict

    TextTypes = Iterable[str] | Callable[[str], bool]
    OtherEvents = Callable[[Any, Any], Any]

    class Options(TypedDict, total=False):
        """The keyword arguments of every handler; :class:`Settings` describes them."""

        base_path: str
        strip_stage: bool
        text_types: TextTypes
        exclude_headers: Iterable[str]
        lifespan: Literal["auto", "on", "off"]
        request_id_header: str
        other_events: OtherEvents | str
        warm_up: bool


# The variables that set an option, the first one found counts. The second names are serverless-wsgi's.
VARIABLES = {
    "base_path": ("BRIDGE_BASE_PATH", "API_GATEWAY_BASE_PATH"),
    "strip_stage": ("BRIDGE_STRIP_STAGE", "STRIP_STAGE_PATH"),
    "text_types": ("BRIDGE_TEXT_TYPES",),
    "exclude_headers": ("BRIDGE_EXCLUDE_HEADERS",),
    "lifespan": ("BRIDGE_LIFESPAN",),
    "request_id_header": ("BRIDGE_REQUEST_ID_HEADER",),
    "other_events": ("BRIDGE_OTHER_EVENTS",),
    "warm_up": ("BRIDGE_WARM_UP",),
}

# The bridge's other variables: the application, how the runtime answers, remote commands; and what the local server
# tells its child.
OTHERS = ("BRIDGE_APP", "BRIDGE_PYTHON", "BRIDGE_RESPONSE_MODE", "BRIDGE_REMOTE_COMMANDS")
LOCAL = ("BRIDGE_SERVE", "BRIDGE_SERVERLESS_CONFIG", "BRIDGE_DESCRIPTORS", "BRIDGE_CHILD_BEFORE")


class Settings:
    """How a handler behaves.

    Args:
        options: keyword arguments as the user gave them.
        environ: variables that stand in for missing options (see :data:`VARIABLES`); lists are separated by commas,
            and an empty variable counts as none.
        file: the settings of a file, for what is in neither.

    Attributes:
        base_path: a prefix of the path that is no part of the application's own, such as ``"/shop"``.
        strip_stage: whether API Gateway's stage is left out of the root path, for a custom domain whose URLs do not
            show it.
        is_text: tells of a Content-Type that is not text by the encoder's own rule whether it is; None if the user
            added nothing. From ``text_types``: media types (``"application/x-tex"``, ``"font/*"``, ``"*+ldif"``, or
            ``"*/*"`` for all), or a function of the Content-Type.
        exclude_headers: lower-case names of response headers that are left out.
        lifespan: ``"auto"``, ``"on"`` or ``"off"``: whether the ASGI lifespan is run; ``"on"`` makes its failure an
            error.
        request_id_header: lower-case name of the request header in which the application finds Lambda's request id;
            ``""`` for none.
        other_events: ``(event, context) -> payload`` for what is no HTTP request, or None: an error. From the
            environment: ``module:function``.
        warm_up: whether scheduled events and those of serverless-plugin-warmup are answered ``{}``; if not they are
            other events.

    Raises:
        SettingError: an unknown option or a value that is not allowed; the message says what is.
    """

    __slots__ = (
        "base_path",
        "exclude_headers",
        "is_text",
        "lifespan",
        "other_events",
        "request_id_header",
        "strip_stage",
        "warm_up",
    )

    base_path: str
    strip_stage: bool
    is_text: Callable[[str], bool] | None
    exclude_headers: frozenset[str]
    lifespan: str
    request_id_header: str
    other_events: OtherEvents | None
    warm_up: bool

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        file: Mapping[str, Any] | None = None,
    ) -> None:
        self.base_path = self.request_id_header = ""
        self.strip_stage = False
        self.is_text = self.other_events = None
        self.exclude_headers = frozenset()
        self.lifespan = "auto"
        self.warm_up = True
        environ = os.environ if environ is None else environ
        if options or file or _has_any(environ):
            from bridge.given import given  # most handlers are given nothing

            for name, value in given(options or {}, environ, file or {}):
                setattr(self, name, value)


def _has_any(environ: Mapping[str, str]) -> bool:
    """Whether there is a variable that sets an option, or looks as if it should."""
    for name in environ:
        if name.startswith("BRIDGE_") and name not in OTHERS and name not in LOCAL:
            return True
    return any(second in environ for _, *more in VARIABLES.values() for second in more)
