"""Log records on a terminal: each once, with the application's own lines first."""

from __future__ import annotations

import logging
import sys
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from bridge.dev.terminal_logs import adapt_handler, format_exception

if TYPE_CHECKING:
    from pathlib import Path


def raised_by(code: str, file: Path | str, **names: object) -> BaseException:
    """Return the exception that *code* raises, as if it were in *file*."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any
        exec(compile(code, str(file), "exec"), names)
    error: BaseException = caught.value
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
    return error


def report(error: BaseException) -> str:
    return format_exception((type(error), error, error.__traceback__))


def call_through_library(function: object, folder: Path) -> object:
    names: dict[str, object] = {}
    exec(compile("def call(f):\n    return f()\n", str(folder / "site-packages/lib.py"), "exec"), names)
    return lambda: names["call"](function)  # type: ignore[operator]


def test_calls_in_libraries_before_the_applications_lines_are_left_out(tmp_path: Path) -> None:
    names: dict[str, object] = {}
    exec(compile("def view():\n    return 1 / 0\n", str(tmp_path / "app.py"), "exec"), names)
    error = raised_by("f()", tmp_path / "site-packages/server.py", f=call_through_library(names["view"], tmp_path))
    text = report(error)
    assert 'app.py", line 2, in view' in text
    assert "lib.py" not in text
    assert "server.py" not in text
    assert text.endswith("ZeroDivisionError: division by zero\n(2 calls in libraries are not shown.)")


def test_calls_in_libraries_after_the_applications_lines_stay(tmp_path: Path) -> None:
    code = "import json\njson.loads('{')"
    text = report(raised_by(code, tmp_path / "app.py"))
    assert 'app.py", line 2' in text
    assert "json/decoder.py" in text
    assert "not shown" not in text


def test_control_characters_in_a_message_are_escaped(tmp_path: Path) -> None:
    error = raised_by(r"raise ValueError('\x1b[2J \x9b31m\x85 \u2028 \u202e\tTee\nfür zwei')", tmp_path / "app.py")
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(logging.Formatter())
    adapt_handler(handler, full_tracebacks=True)
    assert handler.formatter is not None
    whole = handler.formatter.formatException((type(error), error, error.__traceback__))
    for text in (report(error), whole):
        assert text.endswith("ValueError: \\x1b[2J \\x9b31m\\x85 \\u2028 \\u202e\tTee\nfür zwei")


def test_a_traceback_of_libraries_alone_stays_whole(tmp_path: Path) -> None:
    text = report(raised_by("1 / 0", tmp_path / "site-packages/lib.py"))
    assert 'lib.py", line 1' in text
    assert "not shown" not in text


def test_the_cause_and_the_exceptions_of_a_group_are_shortened_as_well(tmp_path: Path) -> None:
    names: dict[str, object] = {}
    exec(compile("def view():\n    return 1 / 0\n", str(tmp_path / "app.py"), "exec"), names)
    inner = raised_by("f()", tmp_path / "site-packages/lib.py", f=names["view"])
    error = ExceptionGroup("several", [ValueError("one")])
    error.__cause__ = inner
    text = report(error)
    assert "lib.py" not in text
    assert "(1 call in a library is not shown.)" in text
    assert "ValueError: one" in text


def test_a_record_that_another_handler_prints_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = StringIO(), StringIO()
    monkeypatch.setattr(sys, "stderr", theirs)
    handler, other = logging.StreamHandler(ours), logging.StreamHandler(theirs)
    other.setLevel(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(message)s"))
    adapt_handler(handler)
    logger, child = logging.getLogger("tea"), logging.getLogger("tea.shop")
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(other)
    logger.addHandler(handler)
    try:
        child.error("printed by the other handler")
        child.warning("below the level of the other handler")
    finally:
        logger.handlers.clear()
    assert theirs.getvalue() == "printed by the other handler\n"
    assert ours.getvalue() == "below the level of the other handler\n"
