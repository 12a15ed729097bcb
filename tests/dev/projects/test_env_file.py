"""Files of environment variables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bridge.dev.errors import CommandError, UsageError
from bridge.dev.projects.env_file import read_env_file

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str) -> dict[str, str]:
    (folder / "env").write_text(text, encoding="utf-8")
    return read_env_file(folder / "env")


def test_lines_may_have_comments_export_and_spaces(tmp_path: Path) -> None:
    text = "\ufeff# variables\n\nexport A=1 # one\nB = 'two # words' \nC=\"x=y\" # quoted\nD= # none\nE=a#b\nF=\n"
    assert read(tmp_path, text) == {"A": "1", "B": "two # words", "C": "x=y", "D": "", "E": "a#b", "F": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"{\"a\": 1}"', '{"a": 1}'),
        (r'"a\nb\tc\\d"', "a\nb\tc\\d"),
        (r"'a\nb\tc'", r"a\nb\tc"),
        (r"a\nb", r"a\nb"),
        ('"one\ntwo"', "one\ntwo"),
        ("'one\ntwo'", "one\ntwo"),
        ("${HOME} $HOME", "${HOME} $HOME"),
    ],
)
def test_double_quotes_have_escapes_single_quotes_have_none_and_both_may_span_lines(
    tmp_path: Path, text: str, value: str
) -> None:
    assert read(tmp_path, f"Q={text}\nNEXT=1\n") == {"Q": value, "NEXT": "1"}


@pytest.mark.parametrize("line", ["A", "=1", "export", "A B=1"])
def test_an_invalid_line_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, f"B=1\n\n{line}\nC=2\n")
    assert str(caught.value) == f"{tmp_path / 'env'}, line 3: {line!r} is not NAME=value."


@pytest.mark.parametrize("line", ['Q="x', "Q='x", 'Q="x\\"', 'Q="x"y'])
def test_a_missing_closing_quote_is_an_error_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, f"B=1\n{line}\nC=2\n")
    reason = f"in {line!r}, the closing quote is missing, or text follows it."
    assert str(caught.value) == f"{tmp_path / 'env'}, line 2: {reason}"
    assert caught.value.exit_status == 2


def test_without_python_dotenv_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dotenv.parser", None)
    with pytest.raises(CommandError, match=r"install python-dotenv, .* pip install 'serverless-bridge\[serve\]'$"):
        read(tmp_path, "A=1")
