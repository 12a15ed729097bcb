"""``bridge init``: writes the files that deploy an application."""

from __future__ import annotations

import argparse
import contextlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.commands.package import application_name
from bridge.dev.cli.common_options import add_serverless_options, positive_integer, serverless_options
from bridge.dev.cli.output import print_message
from bridge.dev.deploying.function_settings import (
    DEFAULT_ARCH,
    DEFAULT_MEMORY,
    FunctionSettings,
    check_name,
    check_python,
    default_name,
)
from bridge.dev.deploying.init_settings import TOOLS, InitSettings, check_folder
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.target import MACHINES

if TYPE_CHECKING:
    from collections.abc import Mapping

# Options of `bridge deploy` in pyproject.toml that the files of the tools do not have.
_ONLY_OF_DEPLOY = ("env", "secret", "vpc", "reserved_concurrency", "snap_start", "front_door", "domain", "tag")
# The other names that the Serverless Framework reads its file from.
_ALTERNATIVE_NAMES = {"serverless.yml": ("serverless.yaml", "serverless.json", "serverless.js", "serverless.ts")}


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    summary = "write the files that deploy the application"
    parser = subparsers.add_parser(
        "init",
        help=summary,
        description=f"{summary.capitalize()}, for one of these tools:{_tools()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("kind", metavar="TOOL", nargs="?", help=f"one of {', '.join(TOOLS)}")
    where = "default: that of the project, or the only one in its code"
    add("app", nargs="?", metavar="APP", help=f"the application, as for `bridge serve`; {where}")
    add("--name", help="the name of the stack, of which other names are made; default: the name of the folder")
    add("--python", metavar="3.12", help="the Python version of the functions; default: that of this Python")
    add("--arch", default=DEFAULT_ARCH, choices=list(MACHINES),
        help=f"the processor of the functions; default: {DEFAULT_ARCH}")  # fmt: skip
    add("--memory", type=positive_integer, default=DEFAULT_MEMORY, metavar="MB",
        help=f"the memory of the functions; default: {DEFAULT_MEMORY}")  # fmt: skip
    add("--timeout", type=positive_integer, metavar="SECONDS",
        help="the timeout of the functions; default: 29, and 300 for the one that streams")  # fmt: skip
    add("--folder", metavar="FOLDER", help="the folder for the files; default: the name of the tool")
    add("--buffered", action="store_true", help="deploy a function behind an HTTP API; the default")
    add("--streaming", action="store_true",
        help="deploy a function that streams behind a Function URL; with --buffered, deploy both")  # fmt: skip
    add("--websocket", action="store_true",
        help="deploy a function behind a WebSocket API, with a table for its connections; with --buffered or "
        "--streaming, deploy that one, too")  # fmt: skip
    add("--force", action="store_true", help="replace existing files")
    add_serverless_options(parser)
    parser.set_defaults(run=run)


def _tools() -> str:
    return "".join(f"\n  {kind:<10}  {tool.description}" for kind, tool in TOOLS.items())


def run(options: argparse.Namespace) -> int:
    """Write the files, and print their names and how to deploy."""
    from bridge.dev.deploying.init_files import render_files

    folder = Path.cwd()
    deployment = _deployment(options, folder)
    _check_application(deployment.app, folder, deployment.python)
    files = render_files(deployment)
    _check_files(deployment, folder, files, force=options.force)
    try:
        _write(folder, files)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"No file was written: {place}{error.strerror or error}.") from None
    _print(deployment, folder, files)
    if ignored := [name for name in _ONLY_OF_DEPLOY if getattr(options, name, None)]:
        names = ", ".join(name.replace("_", "-") for name in ignored)
        print_message(f"\nThe files do not have what pyproject.toml sets for `bridge deploy`: {names}. Add it to them.")
    return 0


def _deployment(options: argparse.Namespace, folder: Path) -> InitSettings:
    if options.kind not in TOOLS:
        problem = "Name a tool." if options.kind is None else f"There is no tool {options.kind!r}."
        raise UsageError(f"{problem} Write `bridge init TOOL` with one of these:{_tools()}")
    timeout = None if options.timeout is None else int(options.timeout)
    python = check_python(options.python or f"3.{sys.version_info.minor}")
    FunctionSettings(python, options.arch, memory=options.memory, timeout=timeout).check()
    streaming = options.streaming or (
        not options.buffered and not options.websocket and getattr(options, "stream", False)
    )
    if options.websocket and options.kind == "image":
        raise UsageError(
            "--websocket: the files for an image have no WebSocket API. Use `bridge init sam --websocket`."
        )
    return InitSettings(
        kind=options.kind,
        name=default_name(folder.name) if options.name is None else check_name(options.name),
        python=python,
        arch=options.arch,
        memory=options.memory,
        timeout=timeout,
        folder=options.kind if options.folder is None else check_folder(options.folder),
        buffered=options.buffered or not (streaming or options.websocket),
        streaming=streaming,
        websocket=options.websocket,
        app=_application(options, folder),
    )


def _application(options: argparse.Namespace, folder: Path) -> str:
    """Return the application: that of the command line, of the project, or the only one in the project's code.

    Raises:
        CommandError: there is none.
        UsageError: there are several.
    """
    if options.app is not None:
        from bridge.dev.packaging.application_check import relative_name

        return relative_name(options.app, folder)
    return application_name(None, folder, serverless_options(options), command=f"bridge init {options.kind}")


def _check_application(app: str, folder: Path, python: str) -> None:
    """Raise a :class:`PackagingError` for an application that is neither in the project nor installed."""
    from bridge.dev.packaging.application_check import check_application
    from bridge.dev.packaging.project_files import choose_files

    top = app.partition(":")[0].partition(".")[0]
    is_installed = top.isidentifier() and find_spec(top) is not None
    check_application(app, choose_files(folder).files, [top] if is_installed else [], python)


def _check_files(deployment: InitSettings, folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Raise a :class:`CommandError` where files exist already, or the tool's folder is one of the project's."""
    existing = [name for name in files if _exists(folder / name)]
    own = [name for name in files if name.startswith(f"{deployment.folder}/")]
    strangers = sorted(path.name for path in folder.glob(f"{deployment.folder}/*"))
    if strangers and not set(own) & set(existing):
        raise CommandError(
            f"The folder {deployment.folder} has other files ({', '.join(strangers[:3])}), which packaging would leave "
            "out. Choose another folder with --folder."
        )
    if others := [other for name in files for other in _ALTERNATIVE_NAMES.get(name, ()) if _exists(folder / other)]:
        raise CommandError(
            f"No file was written: the project has {others[0]}, which the Serverless Framework would ignore beside "
            "serverless.yml. Move it away first."
        )
    if existing and not force:
        raise CommandError(
            f"No file was written: {', '.join(existing)} {'exists' if len(existing) == 1 else 'exist'}. Add --force to "
            "replace existing files."
        )
    if blocked := [name for name in existing if (folder / name).is_dir()]:
        raise CommandError(f"No file was written: {blocked[0]} is a folder. Move it away first.")


def _exists(file: Path) -> bool:
    return file.exists() or file.is_symlink()


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files, or none."""
    from bridge.dev.packaging.archive import atomic_write

    with contextlib.ExitStack() as all_of_them:
        for name, text in files.items():
            all_of_them.enter_context(atomic_write(folder / name)).write_text(text, encoding="utf-8")


def _print(deployment: InitSettings, folder: Path, files: Mapping[str, str]) -> None:
    from bridge.dev.deploying.init_files import render_commands
    from bridge.dev.packaging.application_check import application_folder
    from bridge.dev.packaging.project_requirements import find_requirements

    for name in files:
        print(f"Wrote {name}")
    setup, deploy = render_commands(deployment)
    if setup:
        print("\nOnce, in this folder:\n")
        print("\n".join(f"    {line}" for line in setup))
    print("\nTo deploy:\n" if setup else "\nTo deploy, in this folder:\n")
    print("\n".join(f"    {line}" for line in deploy.splitlines()))
    print(
        f"\nThe credentials need the permissions in {deployment.folder}/policy.json; see {deployment.folder}/README.md."
    )
    count = deployment.buffered + deployment.streaming + deployment.websocket
    functions = {1: "The function is", 2: "Both functions are", 3: "All functions are"}
    print(f"{functions[count]} open to the public.")
    with contextlib.suppress(PackagingError):  # `bridge package` reports it
        places = list(dict.fromkeys([folder, folder / application_folder(deployment.app)]))
        if find_requirements(places).origin is None:
            print_message(
                "\nThere is no requirements.txt and no lock file, so `bridge package` installs no requirements. Add "
                "one if the application needs any."
            )
