"""Settings: where each option may be set, which place counts, and the messages for wrong values."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge import settings as settings_module
from bridge.errors import SettingError
from bridge.settings import VARIABLES, Settings

DOCS = Path(__file__).parent.parent / "docs" / "options.md"


def on_event(event: Any, context: Any) -> str:
    return "other"


def is_tex(content_type: str) -> bool:
    return content_type == "application/x-tex"


def value_of(settings: Settings, name: str) -> Any:
    """The value of an option; of text types, whether one type is among them."""
    if name == "text_types":
        return settings.is_text is not None and settings.is_text("application/x-tex")
    return getattr(settings, name)


# option: (keyword argument, text in the environment or a file, value of either, default)
CASES: dict[str, tuple[Any, str, Any, Any]] = {
    "base_path": ("/shop", "shop", "/shop", ""),
    "strip_stage": (True, "yes", True, False),
    "text_types": (["application/x-tex"], "font/*, application/x-tex", True, False),
    "exclude_headers": (["Server", "X-A"], "Server, x-a", frozenset({"server", "x-a"}), set()),
    "lifespan": ("off", "off", "off", "auto"),
    "request_id_header": ("X-Request-Id", "X-Request-Id", "x-request-id", ""),
    "other_events": ("shop:on_event", "shop:on_event", "shop:on_event", None),
    "warm_up": (False, "no", False, True),
    "background_seconds": (0.5, "0.5", 0.5, 2.0),
    "on_connect": ("chat:on_connect", "chat:on_connect", "chat:on_connect", None),
    "on_message": ("chat:on_message", "chat:on_message", "chat:on_message", None),
    "on_disconnect": ("chat:on_disconnect", "chat:on_disconnect", "chat:on_disconnect", None),
}

ALL_VARIABLES = [(name, variable) for name, variables in VARIABLES.items() for variable in variables]


def test_the_cases_and_the_typed_keyword_arguments_are_all_options() -> None:
    assert list(CASES) == list(VARIABLES)
    # The class Options exists for type checkers only.
    source = ast.parse(inspect.getsource(settings_module))
    options = next(node for node in ast.walk(source) if isinstance(node, ast.ClassDef) and node.name == "Options")
    names = [
        line.target.id for line in options.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]
    assert names == list(VARIABLES)


@pytest.mark.parametrize("name", CASES)
def test_every_option_may_be_a_keyword_argument(name: str) -> None:
    keyword, _, expected, _ = CASES[name]
    assert value_of(Settings({name: keyword}, environ={}), name) == expected


@pytest.mark.parametrize(("name", "variable"), ALL_VARIABLES)
def test_every_option_may_come_from_the_environment(name: str, variable: str) -> None:
    _, text, expected, _ = CASES[name]
    assert value_of(Settings(environ={variable: text}), name) == expected


@pytest.mark.parametrize("name", CASES)
def test_every_option_may_come_from_a_file(name: str) -> None:
    keyword, text, expected, _ = CASES[name]
    assert value_of(Settings(environ={}, file={name: text}), name) == expected
    assert value_of(Settings(environ={}, file={name: keyword}), name) == expected


@pytest.mark.parametrize("name", CASES)
def test_an_option_that_is_not_set_has_its_default(name: str) -> None:
    assert value_of(Settings(environ={}), name) == CASES[name][3]


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_BASE_PATH", "/shop")
    assert Settings().base_path == "/shop"


def test_keyword_arguments_precede_the_environment_which_precedes_a_file() -> None:
    environ, file = {"BRIDGE_BASE_PATH": "/environment"}, {"base_path": "/file"}
    assert Settings({"base_path": "/keyword"}, environ, file).base_path == "/keyword"
    assert Settings({}, environ, file).base_path == "/environment"
    assert Settings({}, {}, file).base_path == "/file"


def test_an_empty_keyword_argument_precedes_the_environment_too() -> None:
    environ = {"BRIDGE_BASE_PATH": "/shop", "BRIDGE_STRIP_STAGE": "yes", "BRIDGE_TEXT_TYPES": "application/x-tex"}
    settings = Settings({"base_path": "", "strip_stage": False, "text_types": []}, environ)
    assert (settings.base_path, settings.strip_stage, settings.is_text) == ("", False, None)


def test_a_keyword_argument_of_none_counts_as_unset() -> None:
    assert Settings({"base_path": None}, {"BRIDGE_BASE_PATH": "/shop"}).base_path == "/shop"


def test_the_bridge_s_variable_precedes_that_of_serverless_wsgi() -> None:
    environ = {"API_GATEWAY_BASE_PATH": "old", "BRIDGE_BASE_PATH": "new"}
    assert Settings(environ=environ).base_path == "/new"


@pytest.mark.parametrize(("name", "variable"), ALL_VARIABLES)
def test_an_empty_variable_counts_as_unset(name: str, variable: str) -> None:
    # Templates write an empty variable for a parameter that is not set.
    keyword, _, expected, default = CASES[name]
    assert value_of(Settings(environ={variable: ""}), name) == default
    assert value_of(Settings(environ={variable: ""}, file={name: keyword}), name) == expected


def test_an_empty_variable_does_not_hide_the_second_name() -> None:
    environ = {"BRIDGE_BASE_PATH": "", "API_GATEWAY_BASE_PATH": "shop"}
    assert Settings(environ=environ).base_path == "/shop"


@pytest.mark.parametrize(
    ("text", "base_path"),
    [("shop", "/shop"), ("/shop", "/shop"), ("/shop/", "/shop"), ("shop/", "/shop"), ("", ""), ("/", ""), ("//", "")],
)
def test_a_base_path_may_have_slashes_around_it(text: str, base_path: str) -> None:
    assert Settings({"base_path": text}, {}).base_path == base_path


@pytest.mark.parametrize("word", ["yes", "Y", "true", "T", "1", "on", " Yes "])
def test_words_for_true(word: str) -> None:
    assert Settings(environ={"STRIP_STAGE_PATH": word}).strip_stage is True


@pytest.mark.parametrize("word", ["no", "N", "false", "F", "0", "off", " No "])
def test_words_for_false(word: str) -> None:
    assert Settings(environ={"BRIDGE_WARM_UP": word}).warm_up is False


@pytest.mark.parametrize(
    ("written", "text", "binary"),
    [
        ("application/x-tex", "application/x-tex", "application/x-texinfo"),
        ("Application/X-Tex", "application/x-tex; charset=utf-8", "image/x-tex"),
        (" application/x-tex ", "APPLICATION/X-TEX", "application/tex"),
        ("application/x-tex; charset=utf-8", "application/x-tex", "application/x"),
        ("font/*", "font/woff", "fonts/woff"),
        ("font/", "font/woff", "fonts/woff"),
        ("application/vnd.acme.*", "application/vnd.acme.note", "application/vnd.other.note"),
        ("*+ldif", "application/thing+ldif", "application/thing+ldiff"),
        ("*/calendar", "application/calendar", "application/x-calendar"),
    ],
)
def test_text_types_are_media_types_or_patterns(written: str, text: str, binary: str) -> None:
    is_text = Settings({"text_types": [written]}, {}).is_text
    assert is_text is not None
    assert is_text(text) is True
    assert is_text(binary) is False


@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/png", "", "nonsense"])
def test_one_pattern_stands_for_all_text_types(content_type: str) -> None:
    is_text = Settings(environ={"BRIDGE_TEXT_TYPES": "*/*"}).is_text
    assert is_text is not None
    assert is_text(content_type) is True


def test_text_types_may_be_a_function() -> None:
    assert Settings({"text_types": is_tex}, {}).is_text is is_tex


def test_the_callback_for_other_events_may_be_a_function() -> None:
    assert Settings({"other_events": on_event}, {}).other_events is on_event


BOOLEAN = "True or False; as text yes, true, 1, on or no, false, 0, off"
MEDIA = "a media type such as 'application/x-tex', 'font/*', '*+ldif' or '*/*', or a function"
HEADER = "the name of a header, such as 'X-Request-Id'"


# option, what is allowed, values that are not
WRONG: list[tuple[str, str, list[Any]]] = [
    ("base_path", "a path such as '/shop', not encoded, without query", ["/a b", "/a?b", "/%61", "/a#", 7, b"/a"]),
    ("strip_stage", BOOLEAN, ["maybe", 1, []]),
    ("warm_up", BOOLEAN, ["never", 0.0]),
    ("lifespan", "'auto' or 'on' or 'off'", ["always", "ON", True, ["on"]]),
    (
        "text_types",
        MEDIA,
        [["*"], ["**"], ["tex"], ["/tex"], ["/*"], ["*tex*"], ["a/*b"], [""], [" "], [None], [b"a/b"], ["font/*", 7]],
    ),
    ("text_types", "a list of texts", [7]),
    ("text_types", "a list of texts, such as ['application/x-tex']", ["application/x-tex"]),
    ("exclude_headers", HEADER, [[""], ["two words"], ["Server:"], ["Größe"], ["\u212aind"], [None], ["Server", 7]]),
    ("exclude_headers", "a list of texts, such as ['Server']", ["Server"]),
    ("exclude_headers", "a list of texts", [7]),
    ("request_id_header", HEADER, ["X Request", "X-Id:", 7, ["X-Id"]]),
    ("other_events", "a function of event and context, or its name as module:function", [7, ["a:b"], "events"]),
    (
        "background_seconds",
        "a number of seconds, such as 2 or 0.5; 0 for no wait",
        ["soon", -1, True, [2], float("nan"), float("inf"), 10**400],
    ),
]


@pytest.mark.parametrize(
    ("name", "value", "allowed"), [(name, value, allowed) for name, allowed, values in WRONG for value in values]
)
def test_a_wrong_keyword_argument_is_an_error_that_says_what_is_allowed(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings({name: value}, {})
    message = str(caught.value)
    assert message.startswith(f"The option {name} is ")
    assert message.endswith(f"; allowed is {allowed}.")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("BRIDGE_BASE_PATH", "/a b"),
        ("API_GATEWAY_BASE_PATH", "/a?b"),
        ("STRIP_STAGE_PATH", "perhaps"),
        ("BRIDGE_LIFESPAN", "always"),
        ("BRIDGE_TEXT_TYPES", "text, tex"),
        ("BRIDGE_EXCLUDE_HEADERS", "Server:"),
        ("BRIDGE_REQUEST_ID_HEADER", "X Request"),
        ("BRIDGE_OTHER_EVENTS", "events"),
        ("BRIDGE_WARM_UP", "never"),
    ],
)
def test_a_wrong_variable_is_an_error_that_names_it(variable: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"^The environment variable {variable} is .*; allowed is "):
        Settings(environ={variable: text})


def test_a_wrong_value_in_a_file_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(SettingError, match=r"^The setting lifespan in the settings file is 'always'; allowed is "):
        Settings(environ={}, file={"lifespan": "always"})


@pytest.mark.parametrize("arguments", [{"options": {"basepath": "/"}}, {"file": {"basepath": "/"}}])
def test_an_unknown_option_is_an_error_that_lists_all_options(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="There is no option 'basepath'") as caught:
        Settings(environ={}, **arguments)
    assert all(name in str(caught.value) for name in VARIABLES)


@pytest.fixture
def warnings_anew() -> None:
    """Log the warnings about variables again, although other tests have caused them."""
    settings_module._warn_of_variable.cache_clear()


@pytest.mark.usefixtures("warnings_anew")
@pytest.mark.parametrize(
    ("misspelled", "name"),
    [
        ("BRIDGE_BASEPATH", "BRIDGE_BASE_PATH"),
        ("BRIDGE_TEXT_TYPE", "BRIDGE_TEXT_TYPES"),
        ("BRIDGE_WARMUP", "BRIDGE_WARM_UP"),
        ("BRIDGE_APPS", "BRIDGE_APP"),
        ("BRIDGE_RESPONSEMODE", "BRIDGE_RESPONSE_MODE"),
        ("BRIDGE_REMOTE_COMMAND", "BRIDGE_REMOTE_COMMANDS"),
    ],
)
def test_a_misspelled_variable_is_logged_once_with_the_right_name(
    misspelled: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        Settings(environ={misspelled: "x"})
    assert [record.getMessage() for record in caplog.records] == [
        f"There is no environment variable {misspelled}. Did you mean {name}?"
    ]


@pytest.mark.usefixtures("warnings_anew")
@pytest.mark.parametrize("name", ["BRIDGE_TOLL", "BRIDGE_API_KEY", "BRIDGEBASE_PATH", "STRIP_STAGE_PATHS"])
def test_variables_of_other_software_are_not_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    Settings(environ={name: "x"})
    assert caplog.records == []


@pytest.mark.usefixtures("warnings_anew")
def test_every_variable_that_the_bridge_reads_is_known(caplog: pytest.LogCaptureFixture) -> None:
    sources = Path(bridge.__file__).parent.rglob("*.py")
    used = {name for file in sources for name in re.findall(r"\bBRIDGE_[A-Z_]+", file.read_text(encoding="utf-8"))}
    assert used >= {"BRIDGE_APP", "BRIDGE_BASE_PATH"}
    assert used <= settings_module._KNOWN
    Settings(environ=dict.fromkeys(used, ""))
    assert caplog.records == []


def test_a_setting_error_is_a_value_error() -> None:
    assert issubclass(SettingError, ValueError)


def documented_variables() -> dict[str, str]:
    """The first and second column of the table of options in docs/options.md."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: variables for name, variables in rows if name in VARIABLES or name.islower()}


def test_the_documentation_has_every_option_with_its_variables_and_no_other() -> None:
    documented = {name: tuple(re.findall(r"`(\w+)`", text)) for name, text in documented_variables().items()}
    assert documented == VARIABLES


@pytest.mark.parametrize("name", CASES)
def test_the_documentation_has_the_default(name: str) -> None:
    row = next(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |"))
    text = row.split(" | ")[3].strip(" |`")
    values = {
        "none": "" if name != "text_types" else False,
        "no": False,
        "yes": True,
        "2": 2.0,
        "an error": None,
        "no call": None,
    }
    default = CASES[name][3]
    assert values.get(text, text) == ("" if default == set() else default)
