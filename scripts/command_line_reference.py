"""Writes docs/command-line.md from the parsers of the command line; with --check, exits with 1 if it is out of date."""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path

from bridge.dev.cli import COMMANDS, CommandParser

PAGE = Path(__file__).parent.parent / "docs" / "command-line.md"
HEADER = """# Command line

This page lists every command with its options. `bridge COMMAND --help` prints the same. `scripts/docs` writes this page
from the code.

An option of the command line counts before the [table in `pyproject.toml`](serve.md#in-pyprojecttoml). The exit
status is 0 for success, 1 for a failure, 2 for an invalid option, and 130 after Ctrl-C. `bridge exec`, `command`,
`manage` and `flask` exit with the status of the command that they run.
"""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    parser = argparse.ArgumentParser(prog="bridge")
    subparsers = parser.add_subparsers(metavar="COMMAND", parser_class=CommandParser)
    for module in dict.fromkeys(COMMANDS.values()):
        import_module(f"bridge.dev.cli.commands.{module}").add_parser(subparsers)
    return {name: subparsers.choices[name] for name in COMMANDS}


def page() -> str:
    """Return the page."""
    parts = [HEADER]
    for name, parser in parsers().items():
        summary = (parser.description or "").partition("\n")[0]
        parts.append(f"\n## bridge {name}\n\n{sentence(summary or HELP[name])}\n")
        rows = [row(action) for action in parser._actions if action.dest != "help" and action.help != argparse.SUPPRESS]
        if rows:
            parts.append("\n| argument | meaning |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


HELP = {
    "serve": "serve the application behind a local front door",
    "invoke": "call the application once, and print the payload or the HTTP response",
    "event": "print the event that AWS sends for a request",
    "package": "build a zip, a layer or the folder of an image for Lambda",
}


def row(action: argparse.Action) -> str:
    """Return the row of one argument."""
    metavar = action.metavar if isinstance(action.metavar, str) else None
    if action.choices and metavar is None:
        metavar = "{" + ",".join(map(str, action.choices)) + "}"
    takes_value = action.nargs != 0
    value = f" {metavar or action.dest.upper()}" if takes_value else ""
    names = ", ".join(f"`{option}{value if option.startswith('--') else ''}`" for option in action.option_strings)
    text = re.sub(r"([*_|<])", r"\\\1", action.help or "")
    return f"| {names or f'`{metavar or action.dest.upper()}`'} | {sentence(text)} |"


def sentence(text: str) -> str:
    """Return *text* with a capital letter and a full stop."""
    first = text.partition(" ")[0].rstrip(",;")
    capital = text[:1].upper() if first.islower() or not first.isalpha() else text[:1]
    return f"{capital}{text[1:].rstrip('.:')}." if text else ""


def main() -> None:
    """Write the page, or compare it."""
    text = page()
    is_current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if is_current else f"{PAGE} is out of date. Run scripts/docs.")
    if not is_current:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
