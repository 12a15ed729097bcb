"""``bridge package``: builds an artifact for Lambda from the application and its requirements."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.common_options import add_serverless_options, serverless_options, split_list
from bridge.dev.cli.output import print_message
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.target import MACHINES, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bridge.dev.packaging.package_options import PackageOptions
    from bridge.dev.packaging.report import Artifact


class _AppendPattern(argparse.Action):
    """Appends --exclude and --include to one list, because the last pattern that matches a file decides."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, option: Any = None) -> None:
        pattern = f"!{values}" if option == "--include" else values
        namespace.patterns = [*(namespace.patterns or []), pattern]


class _AppendFile(argparse.Action):
    """Appends a file to a list that replaces the one in the project's pyproject.toml."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: Any = None) -> None:
        files = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*([] if files is self.default else files), values])


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    parser = subparsers.add_parser("package", help="build a zip, a layer or the folder of an image for Lambda")
    add = parser.add_argument
    add("app", nargs="?", metavar="APP", help="the application, as in `bridge serve`; default: that of the project")
    add("-o", "--output", metavar="FILE", help="default: build/function.zip, with --image build/image")
    add_artifact_options(parser)
    kind = parser.add_mutually_exclusive_group().add_argument
    kind("--layer", action="store_true", help="write the requirements into a layer, build/function-layer.zip")
    kind("--image", action="store_true", help="write a folder with a Dockerfile for `docker build`")
    kind("--add-to", metavar="ZIP", help="add the bridge and the name APP to a zip file that another tool has built")
    add("--files", metavar="FILE",
        help="JSON with the project's files in the list files, as another tool has chosen them")  # fmt: skip
    add("--explain", action="store_true",
        help="print which file decides the version of each requirement, and why large and unusual files are included "
        "or left out")  # fmt: skip
    add("--import-time", action="store_true",
        help="import the application of the artifact, and write a flame graph of what its imports take")  # fmt: skip
    add("--no-app", action="store_true", help="package files and requirements without the bridge and APP")
    parser.set_defaults(run=run)


def add_artifact_options(parser: argparse.ArgumentParser, *, arch: str = "x86_64") -> None:
    """Add the options of what is in an artifact, which ``bridge deploy`` has as well.

    Args:
        parser: the parser.
        arch: the default of ``--arch``.
    """
    add = parser.add_argument
    add("--python", metavar="3.12", help="the function's Python version; default: that of the running Python")
    add("--arch", default=arch, choices=list(MACHINES), help=f"the function's processor; default: {arch}")
    add("--platform", metavar="TAG",
        help="the C library as in the names of wheels, such as manylinux_2_28; default: that of Lambda")  # fmt: skip
    add("-r", "--requirements", action=_AppendFile, default=[], metavar="FILE",
        help="a requirements file, repeatable, or one lock file; default: that of the project")  # fmt: skip
    for option, noun in (("--group", "dependency group"), ("--extra", "extra of the project")):
        add(option, action="append", default=[], metavar="NAME", help=f"install a {noun} as well; repeatable")
    add("--no-group", action="append", default=[], metavar="NAME",
        help="do not install a group that [tool.bridge] in pyproject.toml names; repeatable")  # fmt: skip
    add("--build", action="append", default=[], metavar="NAME",
        help="build a requirement that has no wheel for the target from its sources; repeatable")  # fmt: skip
    add("--pip-args", default="", metavar="'ARGS'", help="further options for uv or pip, quoted as one argument")
    add("--exclude", action=_AppendPattern, dest="patterns", metavar="PATTERN",
        help="leave out files, with a pattern as in .gitignore; repeatable")  # fmt: skip
    add("--include", action=_AppendPattern, dest="patterns", metavar="PATTERN",
        help="include files that .gitignore or the rules for secrets and tests leave out; repeatable")  # fmt: skip
    add("--slim", action=argparse.BooleanOptionalAction, default=False,
        help="leave out boto3, which Lambda's runtime has, and the tests and type stubs of requirements")  # fmt: skip
    add("--best-compression", action=argparse.BooleanOptionalAction, default=False,
        help="compress as much as possible, which takes many times as long and saves a few per cent")  # fmt: skip
    add("--bytecode", action=argparse.BooleanOptionalAction, default=True,
        help="compile Python files for the function's Python version")  # fmt: skip
    add("--fetch-python", action="store_true",
        help="let uv download that Python version if it is not installed")  # fmt: skip
    add("--text-types", default="", metavar="TYPES",
        help="media types that are sent as text in addition to the default ones, separated by commas")  # fmt: skip
    add_serverless_options(parser)


def run(options: argparse.Namespace) -> int:
    """Build the artifact, and print the size of each package and the path of each file."""
    from bridge.dev.packaging.add_to_zip import add_to_zip
    from bridge.dev.packaging.build import build_artifact

    artifact_options = package_options(options)
    build = add_to_zip if options.add_to else build_artifact
    with exit_on_sigterm(), _progress_bar() as on_progress:
        try:
            artifact = build(artifact_options, on_progress)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise CommandError(f"The artifact cannot be built: {place}{error.strerror or error}.") from None
        except KeyboardInterrupt:
            print_message("bridge: interrupted; no artifact was written.")
            raise
    _print_report(artifact)
    return 0


def package_options(options: argparse.Namespace) -> PackageOptions:
    """Return what to package, and how, for the options of ``bridge package``.

    Raises:
        UsageError: options do not fit together.
    """
    from bridge.dev.packaging.package_options import PackageOptions
    from bridge.dev.packaging.project_files import read_file_list
    from bridge.dev.packaging.project_requirements import RequirementSelection

    project = Path.cwd()
    try:
        target = Target.from_options(options.python, options.arch, options.platform)
    except PackagingError as error:
        raise UsageError(str(error)) from None
    try:
        pip_args = shlex.split(options.pip_args)
    except ValueError as error:
        raise UsageError(
            f"--pip-args {options.pip_args!r}: {error}. Write the options as in a shell: "
            "--pip-args='--index-url https://own.example/simple'"
        ) from None
    if options.no_app and (options.app or options.add_to):
        raise UsageError(
            "--no-app builds an artifact without an application, so it cannot be combined with APP or --add-to. Leave "
            "out --no-app, or the others."
        )
    if options.add_to and (options.output or options.files):
        raise UsageError(
            "--add-to changes an existing zip file, so it cannot be combined with --output or --files. Leave them out."
        )
    import_time = getattr(options, "import_time", False)
    if import_time and (options.no_app or options.add_to):
        raise UsageError(
            "--import-time imports the application of a new artifact, so it cannot be combined with --no-app or "
            "--add-to. Leave out --import-time, or the other."
        )
    if options.fetch_python and not options.bytecode and not import_time:
        raise UsageError(
            "--fetch-python downloads a Python that compiles bytecode, so it cannot be combined with --no-bytecode. "
            "Leave out one of the two."
        )
    output = options.add_to or options.output or ("build/image" if options.image else "build/function.zip")
    return PackageOptions(
        app=None if options.no_app else application_name(options.app, project, serverless_options(options)),
        project=project,
        output=Path(output).absolute(),
        target=target,
        patterns=options.patterns or (),
        file_list=read_file_list(Path(options.files)) if options.files else None,
        requirements=[Path(file) for file in options.requirements],
        selection=RequirementSelection(
            tuple(group for group in options.group if group not in options.no_group), tuple(options.extra)
        ),
        build=options.build,
        pip_args=pip_args,
        text_types=split_list(options.text_types),
        bytecode=options.bytecode,
        fetch_python=options.fetch_python,
        best_compression=options.best_compression,
        slim=options.slim,
        layer=options.layer,
        image=options.image,
        import_time=import_time,
        explain=getattr(options, "explain", False),
    )


def application_name(
    app: str | None, project: Path, options: Mapping[str, str], *, command: str = "bridge package"
) -> str:
    """Return the name of the application, relative to *project*, and print which one if the user does not name it.

    Args:
        app: the application that the user names; None for that of the project's files or code.
        project: the project's folder.
        options: the values of ``${opt:NAME}`` in serverless.yml.
        command: the command after which the user names an application, for messages.

    Raises:
        CommandError: the project has no application.
        UsageError: the project has several applications.
    """
    if app is not None:
        return app
    from bridge.dev.projects.discover import find_project

    found = find_project(None, project, options, command=command)
    for warning in found.warnings:
        print_message(warning)
    function, *others = found.functions
    if any((other.app, other.folder) != (function.app, function.folder) for other in others):
        names = list(dict.fromkeys(each.app for each in (function, *others)))
        lines = "".join(f"\n  {command} {shlex.quote(name)}" for name in names)
        raise UsageError(f"The project has several applications. Name one on the command line:{lines}")
    folder = function.folder.resolve().relative_to(project.resolve()).as_posix()
    name = function.app if folder == "." else f"{folder}/{function.app}"
    print_message(found.detection or f"The project's application is {name}.")
    return name


def _print_report(artifact: Artifact) -> None:
    from bridge.dev.packaging.report import format_size, size_table

    print("\n".join([*size_table(artifact.sizes), *artifact.explanation, *artifact.import_times]))
    for warning in artifact.warnings:
        print_message(warning)
    for file in artifact.files:
        size = f" ({format_size(file.stat().st_size)})" if file.is_file() else ""
        print(f"{file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}{size}")


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable[[str, float], None]]:
    """Yield a progress callback. It is a no-op unless standard error is a terminal and ``rich`` is installed."""
    if not sys.stderr.isatty() or find_spec("rich") is None:
        yield lambda _step, _share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=1.0)

        def on_progress(step: str, share: float) -> None:
            is_new_step = progress.tasks[0].description != step
            progress.update(task, description=step, completed=share, refresh=is_new_step)

        yield on_progress


@contextlib.contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Raise SystemExit on SIGTERM, so that temporary files are removed as after Ctrl-C."""

    def exit_process(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, exit_process)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
