"""The output of a deployment while it runs: a display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.output import print_message
from bridge.dev.packaging.report import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.dev.deploying.change_set import ResourceChange
    from bridge.dev.deploying.deployed_stack import StackEvent

_COLORS = {"add": "green", "modify": "yellow", "replace": "red", "replace?": "red", "remove": "red", "keep": "dim"}
_SIGNS = {"add": "+", "modify": "~", "replace": "!", "replace?": "!", "remove": "-", "keep": " "}
_MAX_PROPERTIES = 4
_PLAIN_UPLOAD_STEP = 0.25  # of the bytes
_LARGE_UPLOAD = 8 * 1024 * 1024


class PlainProgress:
    """Prints a line for each step, to standard error."""

    def __init__(self) -> None:
        self._total = self._sent = 0
        self._next_share = _PLAIN_UPLOAD_STEP

    def step(self, text: str) -> None:
        """Print the name of a step."""
        print_message(f"{text} …")

    def note(self, text: str) -> None:
        """Print a message."""
        print_message(text)

    def packaging(self, step: str, share: float) -> None:
        """Ignore the progress of packaging, which takes seconds."""

    def start_upload(self, size: int) -> None:
        """Print the size of the upload."""
        self._total, self._sent, self._next_share = size, 0, _PLAIN_UPLOAD_STEP
        self.step(f"Uploading {format_size(size)}")

    def uploaded(self, size: int) -> None:
        """Print a line for each quarter of a large upload."""
        self._sent += size
        share = self._sent / self._total
        if share >= self._next_share and self._sent < self._total and self._total >= _LARGE_UPLOAD:
            self._next_share = share + _PLAIN_UPLOAD_STEP
            print_message(f"  {format_size(self._sent)} of {format_size(self._total)}")

    def resource(self, event: StackEvent) -> None:
        """Print a resource that is done or has failed, with the reason."""
        if not event.status.endswith("_IN_PROGRESS"):
            print_message(f"  {_event_text(event)}")


class RichProgress:
    """Displays a bar and the resources on a terminal, by ``rich``.

    Args:
        progress: the display, an object of :class:`rich.progress.Progress`.
    """

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def step(self, text: str) -> None:
        """Begin a step without a known length."""
        self._progress.reset(self._task, description=text, total=None)

    def note(self, text: str) -> None:
        """Print a message above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def packaging(self, step: str, share: float) -> None:
        """Display the progress of packaging."""
        self._progress.update(self._task, description=step, total=1.0, completed=share)

    def start_upload(self, size: int) -> None:
        """Display the progress of the upload."""
        self._progress.reset(self._task, description=f"Uploading {format_size(size)}", total=size)

    def uploaded(self, size: int) -> None:
        """Advance the upload."""
        self._progress.update(self._task, advance=size)

    def resource(self, event: StackEvent) -> None:
        """Print a resource that is done or has failed above the bar, and the others in it."""
        if event.status.endswith("_IN_PROGRESS"):
            self._progress.update(self._task, description=f"{event.resource}: {_status_text(event)}", total=None)
            return
        style = "red" if event.status.endswith("_FAILED") else "green"
        self._progress.console.print(f"  {_event_text(event)}", style=style, markup=False, highlight=False)


@contextmanager
def deployment_progress() -> Iterator[PlainProgress | RichProgress]:
    """Provide the display for standard error."""
    if not sys.stderr.isatty() or find_spec("rich") is None:
        yield PlainProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield RichProgress(progress)


@contextmanager
def paused(progress: PlainProgress | RichProgress) -> Iterator[None]:
    """Take the display off the terminal while the user answers a question."""
    display = progress._progress if isinstance(progress, RichProgress) else None
    if display is not None:
        display.stop()
    try:
        yield
    finally:
        if display is not None:
            display.start()


def print_changes(changes: Sequence[ResourceChange], stack: str) -> None:
    """Print the changes as a table, to standard error."""
    rows = [(change.action, change.resource, change.kind, _properties(change)) for change in changes]
    if sys.stderr.isatty() and find_spec("rich") is not None:
        _print_rich_table(rows, stack)
        return
    print_message(f"Changes of {stack}:")
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for action, resource, kind, properties in rows:
        line = f"  {action:<{widths[0]}}  {resource:<{widths[1]}}  {kind:<{widths[2]}}  {properties}"
        print_message(line.rstrip())


def _print_rich_table(rows: Sequence[tuple[str, str, str, str]], stack: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Changes of {stack}", title_justify="left", box=None, pad_edge=False)
    for header in ("", "action", "resource", "type", "properties"):
        table.add_column(header)
    for action, resource, kind, properties in rows:
        table.add_row(_SIGNS.get(action, ""), action, resource, kind, properties, style=_COLORS.get(action))
    Console(stderr=True).print(table)


def _properties(change: ResourceChange) -> str:
    shown = change.properties[:_MAX_PROPERTIES]
    return ", ".join(shown) + (" …" if len(change.properties) > len(shown) else "")


def _event_text(event: StackEvent) -> str:
    reason = f": {event.reason}" if event.reason and event.status.endswith("_FAILED") else ""
    return f"{event.resource} ({event.kind}) {_status_text(event)}{reason}"


def _status_text(event: StackEvent) -> str:
    """Return the status in lower case, such as ``create in progress``."""
    if event.status == "DELETE_SKIPPED":  # the resource leaves the stack, and is not deleted
        return "kept"
    return event.status.lower().replace("_", " ")
