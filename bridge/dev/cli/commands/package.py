"""``bridge package``: the application and its requirements as an artifact for Lambda."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.function_loader import say
from bridge.dev.cli.options import add_framework_options, framework_options, media_types
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.target import MACHINES, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bridge.dev.packaging.options import Artifact, Order


class _Pattern(argparse.Action):
    """Gathers --exclude and --include in the order of the command line: the last one that matches counts."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, option: Any = None) -> None:
        pattern = f"!{values}" if option == "--include" else values
        namespace.patterns = [*(namespace.patterns or []), pattern]


class _Files(argparse.Action):
    """Gathers the files of --requirements, which take the place of those in the project's pyproject.toml."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: Any = None) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*([] if before is self.default else before), values])


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("package", help="make a zip, a layer or an image's folder for Lambda")
    add = parser.add_argument
    add("app", nargs="?", metavar="APP", help="the application, as `bridge serve` takes it; default the project's")
    add("-o", "--output", metavar="FILE", help="default build/function.zip, with --image build/image")
    add("--python", metavar="3.12", help="the Python version of the function; default the one that runs")
    add("--arch", default="x86_64", choices=list(MACHINES), help="the function's processor; default x86_64")
    add("--platform", metavar="TAG", help="the C library, as wheels name it; default that of Lambda's runtime")
    add("-r", "--requirements", action=_Files, default=[], metavar="FILE",
        help="a requirements file, or one lock file; default what the project has")  # fmt: skip
    add("--pip-args", default="", metavar="'ARGS'", help="more options for uv pip install, or for pip")
    add("--exclude", action=_Pattern, dest="patterns", metavar="PATTERN",
        help="leave out, as .gitignore says it; ! takes in; repeatable")  # fmt: skip
    add("--include", action=_Pattern, dest="patterns", metavar="PATTERN",
        help="take in what .gitignore, or the rule for secrets and tests, leaves out; repeatable")  # fmt: skip
    add("--slim", action=argparse.BooleanOptionalAction, default=False,
        help="leave out what Lambda's runtime has (boto3 …), and tests of requirements")  # fmt: skip
    add("--bytecode", action=argparse.BooleanOptionalAction, default=True, help="compile for the function's Python")
    add("--fetch-python", action="store_true", help="let uv download the Python that compiles, if there is none")
    add("--text-types", default="", metavar="TYPES", help="media types that are text, too, separated by commas")
    add_framework_options(parser)
    kind = parser.add_mutually_exclusive_group().add_argument
    kind("--layer", action="store_true", help="the requirements as a layer beside it: build/function-layer.zip")
    kind("--image", action="store_true", help="a folder with a Dockerfile, for docker build")
    kind("--add-to", metavar="ZIP", help="put the bridge and APP's name into an archive that something else has made")
    add("--files", metavar="FILE", help="the project's files as another tool has chosen them: JSON with a list, files")
    add("--no-app", action="store_true", help="the files and requirements alone, without the bridge and APP")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Make the artifact, print what is in it."""
    from bridge.dev.packaging.add_to_zip import add
    from bridge.dev.packaging.build import build

    order = _order(chosen)
    make = add if chosen.add_to else build
    with _ended_by_sigterm(), _told() as tell:
        try:
            artifact = make(order, tell)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise CommandError(f"The artifact cannot be made: {place}{error.strerror or error}.") from None
        except KeyboardInterrupt:
            say("bridge: stopped; there is no new artifact.")
            raise
    _print(artifact)
    return 0


def _order(chosen: argparse.Namespace) -> Order:
    from bridge.dev.packaging import listed
    from bridge.dev.packaging.options import Order

    folder = Path.cwd()
    try:
        target = Target.of(chosen.python, chosen.arch, chosen.platform)
        pip_args = shlex.split(chosen.pip_args)
    except PackagingError as error:
        raise UsageError(str(error)) from None
    except ValueError as error:
        raise UsageError(f"--pip-args {chosen.pip_args!r}: {error}.") from None
    if chosen.no_app and (chosen.app or chosen.add_to):
        raise UsageError("--no-app makes an artifact without an application: leave APP and --add-to out, or --no-app.")
    if chosen.add_to and (chosen.output or chosen.files):
        raise UsageError("--add-to changes the archive that it names: -o and --files mean nothing with it.")
    if chosen.fetch_python and not chosen.bytecode:
        raise UsageError("--fetch-python means nothing with --no-bytecode: nothing is compiled. Leave it out.")
    given = framework_options(getattr(chosen, "stage", ""), chosen.opt)
    output = chosen.add_to or chosen.output or ("build/image" if chosen.image else "build/function.zip")
    return Order(
        app=None if chosen.no_app else application(chosen.app, folder, given),
        folder=folder,
        output=Path(output).absolute(),
        target=target,
        patterns=chosen.patterns or (),
        listed=listed.read(Path(chosen.files)) if chosen.files else None,
        requirements=[Path(file) for file in chosen.requirements],
        pip_args=pip_args,
        text_types=media_types(chosen.text_types),
        bytecode=chosen.bytecode,
        fetch_python=chosen.fetch_python,
        slim=chosen.slim,
        layer=chosen.layer,
        image=chosen.image,
    )


def application(app: str | None, folder: Path, given: Mapping[str, str]) -> str:
    """The application to package, as *folder* sees it: *app*, or else the project's own.

    Raises:
        CommandError: none is named, or there are several.
    """
    if app is not None:
        return app
    from bridge.dev.projects.project import find_project

    function, *others = find_project(None, folder, given).functions
    if any((other.app, other.folder) != (function.app, function.folder) for other in others):
        names = ", ".join(dict.fromkeys(each.app for each in (function, *others)))
        raise UsageError(f"The project has several applications ({names}): name one.")
    below = function.folder.resolve().relative_to(folder.resolve()).as_posix()
    return function.app if below == "." else f"{below}/{function.app}"


def _print(artifact: Artifact) -> None:
    from bridge.dev.packaging.report import readable, table

    print("\n".join(table(artifact.sizes)))
    for note in artifact.notes:
        say(note)
    for file in artifact.files:
        size = f" ({readable(file.stat().st_size)})" if file.is_file() else ""
        place = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
        print(f"{place}{size}")


@contextlib.contextmanager
def _told() -> Iterator[Callable[[str, float], None]]:
    """What tells a person how far it is: a bar on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
        except ImportError:
            pass
        else:
            columns: Sequence[Any] = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"))
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("", total=1.0)
                shown: list[str] = []

                def tell(what: str, share: float) -> None:
                    progress.update(task, description=what, completed=share, refresh=shown[-1:] != [what])
                    shown[:] = [what]

                yield tell
            return
    yield lambda _what, _share: None


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end it as Ctrl-C does: by an exception, so that nothing is left behind."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
