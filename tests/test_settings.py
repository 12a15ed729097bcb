"""Settings: where each option may be given, which place counts, and what a wrong value is told."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import bridge
import bridge.given
import bridge.settings
from bridge.errors import ApplicationNotFoundError, SettingError
from bridge.settings import VARIABLES, Settings

DOCS = Path(__file__).parent.parent / "docs" / "settings.md"


def other_events(event: Any, context: Any) -> str:
    """Named by tests as text."""
    return "other"


def is_tex(content_type: str) -> bool:
    return content_type == "application/x-tex"


def value_of(settings: Settings, name: str) -> Any:
    """What a setting came to; text types are a function, so what it says of one type."""
    if name == "text_types":
        return settings.is_text is not None and settings.is_text("application/x-tex")
    return getattr(settings, name)


HERE = f"{__name__}:other_events"
# option: (keyword, as text in the environment or a file, what comes of either, what comes of neither)
CASES: dict[str, tuple[Any, str, Any, Any]] = {
    "base_path": ("/shop", "shop", "/shop", ""),
    "strip_stage": (True, "yes", True, False),
    "text_types": (["application/x-tex"], "font/*, application/x-tex", True, False),
    "exclude_headers": (
        ["Server", "X-Powered-By"],
        "Server, x-powered-by",
        frozenset({"server", "x-powered-by"}),
        set(),
    ),
    "lifespan": ("off", "off", "off", "auto"),
    "request_id_header": ("X-Request-Id", "X-Request-Id", "x-request-id", ""),
    "other_events": (other_events, HERE, other_events, None),
    "warm_up": (False, "no", False, True),
}
ALIASES = [(name, variable) for name, variables in VARIABLES.items() for variable in variables]


def test_the_cases_here_and_the_typed_keywords_are_all_the_options_there_are() -> None:
    assert list(CASES) == list(VARIABLES)
    # The class of the keywords is there for type checkers only.
    source = ast.parse(inspect.getsource(bridge.settings))
    options = next(node for node in ast.walk(source) if isinstance(node, ast.ClassDef) and node.name == "Options")
    typed = [
        line.target.id for line in options.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]
    assert typed == list(VARIABLES)


@pytest.mark.parametrize("name", CASES)
def test_every_option_can_be_a_keyword(name: str) -> None:
    keyword, _, expected, _ = CASES[name]
    assert value_of(Settings({name: keyword}, environ={}), name) == expected


@pytest.mark.parametrize(("name", "variable"), ALIASES)
def test_every_option_can_come_from_the_environment(name: str, variable: str) -> None:
    _, text, expected, _ = CASES[name]
    assert value_of(Settings(environ={variable: text}), name) == expected


@pytest.mark.parametrize("name", CASES)
def test_every_option_can_come_from_a_file(name: str) -> None:
    keyword, text, expected, _ = CASES[name]
    assert value_of(Settings(environ={}, file={name: text}), name) == expected
    assert value_of(Settings(environ={}, file={name: keyword}), name) == expected


@pytest.mark.parametrize("name", CASES)
def test_an_option_that_is_given_nowhere_has_its_default(name: str) -> None:
    assert value_of(Settings(environ={}), name) == CASES[name][3]


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_BASE_PATH", "/shop")
    assert Settings().base_path == "/shop"


def test_a_keyword_counts_before_the_environment_and_that_before_a_file() -> None:
    environ, file = {"BRIDGE_BASE_PATH": "/environment"}, {"base_path": "/file"}
    assert Settings({"base_path": "/keyword"}, environ, file).base_path == "/keyword"
    assert Settings({}, environ, file).base_path == "/environment"
    assert Settings({}, {}, file).base_path == "/file"


def test_a_keyword_counts_also_where_it_says_no() -> None:
    environ = {"BRIDGE_BASE_PATH": "/shop", "BRIDGE_STRIP_STAGE": "yes", "BRIDGE_TEXT_TYPES": "application/x-tex"}
    settings = Settings({"base_path": "", "strip_stage": False, "text_types": []}, environ)
    assert (settings.base_path, settings.strip_stage, settings.is_text) == ("", False, None)


def test_a_keyword_of_none_is_as_good_as_no_keyword() -> None:
    assert Settings({"base_path": None}, {"BRIDGE_BASE_PATH": "/shop"}).base_path == "/shop"


def test_of_two_variables_the_one_of_the_bridge_counts() -> None:
    environ = {"API_GATEWAY_BASE_PATH": "old", "BRIDGE_BASE_PATH": "new"}
    assert Settings(environ=environ).base_path == "/new"


@pytest.mark.parametrize(("name", "variable"), ALIASES)
def test_an_empty_variable_counts_as_none(name: str, variable: str) -> None:
    """Templates write an empty variable where a parameter was left out."""
    keyword, _, expected, default = CASES[name]
    assert value_of(Settings(environ={variable: ""}), name) == default
    assert value_of(Settings(environ={variable: ""}, file={name: keyword}), name) == expected


def test_an_empty_variable_does_not_hide_the_second_name() -> None:
    environ = {"BRIDGE_BASE_PATH": "", "API_GATEWAY_BASE_PATH": "shop"}
    assert Settings(environ=environ).base_path == "/shop"


@pytest.mark.parametrize("text", ["shop", "/shop", "/shop/", "shop/"])
def test_a_base_path_may_be_written_with_and_without_slashes(text: str) -> None:
    assert Settings({"base_path": text}, {}).base_path == "/shop"


@pytest.mark.parametrize("text", ["", "/", "//"])
def test_a_base_path_of_slashes_alone_is_none(text: str) -> None:
    assert Settings({"base_path": text}, {}).base_path == ""


@pytest.mark.parametrize("word", ["yes", "Y", "true", "T", "1", "on", " Yes "])
def test_a_switch_understands_many_words_for_yes(word: str) -> None:
    assert Settings(environ={"STRIP_STAGE_PATH": word}).strip_stage is True


@pytest.mark.parametrize("word", ["no", "N", "false", "F", "0", "off", " No "])
def test_a_switch_understands_many_words_for_no(word: str) -> None:
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
def test_text_types_are_media_types_or_their_beginning_or_end(written: str, text: str, binary: str) -> None:
    is_text = Settings({"text_types": [written]}, {}).is_text
    assert is_text is not None
    assert is_text(text) is True
    assert is_text(binary) is False


@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/png", "", "nonsense"])
def test_one_text_type_stands_for_all(content_type: str) -> None:
    is_text = Settings(environ={"BRIDGE_TEXT_TYPES": "*/*"}).is_text
    assert is_text is not None
    assert is_text(content_type) is True


def test_text_types_may_be_a_function_which_gets_the_content_type_as_it_is() -> None:
    assert Settings({"text_types": is_tex}, {}).is_text is is_tex


def test_a_function_named_as_text_is_imported() -> None:
    assert Settings({"other_events": HERE}, {}).other_events is other_events


SWITCH = "True or False, as text yes, true, 1, on or no, false, 0, off"
MEDIA = "a media type such as 'application/x-tex', 'font/*', '*+ldif' or '*/*', or a function"
HEADER = "the name of a header, such as 'X-Request-Id'"
FUNCTION = "a function of event and context"
# option, what is allowed, values that are not
WRONG: list[tuple[str, str, list[Any]]] = [
    ("base_path", "a path such as '/shop', not encoded, without query", ["/a b", "/a?b", "/%61", "/a#", 7, b"/a"]),
    ("strip_stage", SWITCH, ["maybe", 1, []]),
    ("warm_up", SWITCH, ["never", 0.0]),
    ("lifespan", "'auto' or 'on' or 'off'", ["always", "ON", True, ["on"]]),
    (
        "text_types",
        MEDIA,
        [["*"], ["**"], ["tex"], ["/tex"], ["/*"], ["*tex*"], ["a/*b"], [""], [" "], [None], [b"a/b"]],
    ),
    ("text_types", MEDIA, [["font/*", 7]]),
    ("text_types", "a list of texts", [7]),
    ("text_types", "a list of texts, such as ['application/x-tex']", ["application/x-tex"]),
    ("exclude_headers", HEADER, [[""], ["two words"], ["Server:"], ["Größe"], ["\u212aind"], [None], ["Server", 7]]),
    ("exclude_headers", "a list of texts, such as ['Server']", ["Server"]),
    ("exclude_headers", "a list of texts", [7]),
    ("request_id_header", HEADER, ["X Request", "X-Id:", 7, ["X-Id"]]),
    ("other_events", FUNCTION, [7, ["a:b"], f"{__name__}:HERE"]),
    ("other_events", f"{FUNCTION}, as text module:function", ["events"]),
]


@pytest.mark.parametrize(
    ("name", "value", "allowed"), [(name, value, allowed) for name, allowed, values in WRONG for value in values]
)
def test_a_wrong_keyword_is_refused_and_told_what_is_allowed(name: str, value: Any, allowed: str) -> None:
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
def test_a_wrong_variable_is_named(variable: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"^The environment variable {variable} is .*; allowed is "):
        Settings(environ={variable: text})


def test_a_wrong_value_in_a_file_is_named() -> None:
    with pytest.raises(SettingError, match=r"^The setting lifespan in the settings file is 'always'; allowed is "):
        Settings(environ={}, file={"lifespan": "always"})


@pytest.mark.parametrize("text", ["tests.test_settings:no_such", "no_such_module:function", "not a name:x"])
def test_a_function_that_is_not_there_is_told_with_the_place_that_names_it(text: str) -> None:
    with pytest.raises(SettingError, match=r"^The environment variable BRIDGE_OTHER_EVENTS does not name") as caught:
        Settings(environ={"BRIDGE_OTHER_EVENTS": text})
    assert isinstance(caught.value.__cause__, ApplicationNotFoundError)
    assert str(caught.value.__cause__) in str(caught.value)


@pytest.mark.parametrize("given", [{"options": {"basepath": "/"}}, {"file": {"basepath": "/"}}])
def test_an_option_that_does_not_exist_is_refused_and_all_that_do_are_listed(given: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="There is no option 'basepath'") as caught:
        Settings(environ={}, **given)
    assert all(name in str(caught.value) for name in VARIABLES)


@pytest.mark.parametrize("make", [bridge.handler, bridge.wsgi_handler])
def test_a_handler_refuses_wrong_options_when_it_is_made(make: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        return []

    with pytest.raises(SettingError):
        make(app, lifespan="always")
    with pytest.raises(SettingError):
        make(app, no_such_option=True)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable has been noticed yet."""
    monkeypatch.setattr(bridge.given, "_noticed", set())


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("BRIDGE_BASEPATH", "BRIDGE_BASE_PATH"),
        ("BRIDGE_TEXT_TYPE", "BRIDGE_TEXT_TYPES"),
        ("BRIDGE_WARMUP", "BRIDGE_WARM_UP"),
        ("BRIDGE_APPS", "BRIDGE_APP"),
        ("BRIDGE_RESPONSEMODE", "BRIDGE_RESPONSE_MODE"),
        ("BRIDGE_REMOTE_COMMAND", "BRIDGE_REMOTE_COMMANDS"),
    ],
)
def test_a_mistyped_variable_is_told_once_with_the_one_that_was_meant(
    mistyped: str, meant: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        Settings(environ={mistyped: "x"})
    assert [record.getMessage() for record in caplog.records] == [
        f"There is no environment variable {mistyped}; did you mean {meant}?"
    ]


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("name", ["BRIDGE_TOLL", "BRIDGE_API_KEY", "BRIDGEBASE_PATH", "STRIP_STAGE_PATHS"])
def test_variables_that_may_be_somebody_elses_are_left_alone(name: str, caplog: pytest.LogCaptureFixture) -> None:
    Settings(environ={name: "x"})
    assert caplog.records == []


@pytest.mark.usefixtures("forgetful")
def test_every_variable_that_the_bridge_reads_is_known(caplog: pytest.LogCaptureFixture) -> None:
    sources = Path(bridge.__file__).parent.rglob("*.py")
    used = {name for file in sources for name in re.findall(r"\bBRIDGE_[A-Z_]+", file.read_text(encoding="utf-8"))}
    assert used >= {"BRIDGE_APP", "BRIDGE_BASE_PATH"}
    assert used <= bridge.given._KNOWN
    Settings(environ=dict.fromkeys(used, ""))
    assert caplog.records == []


def test_a_wrong_setting_is_a_value_error_too() -> None:
    assert issubclass(SettingError, ValueError)


def table_of_the_docs() -> dict[str, str]:
    """First column to second column of the table of options in docs/settings.md."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: variables for name, variables in rows if name in VARIABLES or name.islower()}


def test_the_documentation_has_every_option_with_its_variables_and_no_other() -> None:
    documented = {name: tuple(re.findall(r"`(\w+)`", variables)) for name, variables in table_of_the_docs().items()}
    assert documented == VARIABLES


@pytest.mark.parametrize("name", CASES)
def test_the_documentation_tells_the_default(name: str) -> None:
    row = next(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |"))
    default = row.split(" | ")[3].strip(" |`")
    told = {"none": "" if name != "text_types" else False, "no": False, "yes": True, "an error": None}
    expected = CASES[name][3]
    assert told.get(default, default) == (expected if expected != set() else "")
