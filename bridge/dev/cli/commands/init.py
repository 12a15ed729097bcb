"""``bridge init``: the files that deploy an application."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.commands.package import application
from bridge.dev.cli.function_loader import say
from bridge.dev.cli.options import add_framework_options, framework_options
from bridge.dev.deploying.plan import TOOLS, Plan, checked_folder, checked_name, checked_python, name_of
from bridge.dev.errors import CommandError, NoApplicationError, UsageError
from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.target import MACHINES

if TYPE_CHECKING:
    from collections.abc import Mapping

# Files of the Serverless Framework that would be there twice.
_OTHER_NAMES = {"serverless.yml": ("serverless.yaml", "serverless.json", "serverless.js", "serverless.ts")}


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    what = "write the files that deploy the application"
    described = f"{what[0].upper()}{what[1:]}, for one of these tools:{_tools()}"
    plain = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser("init", help=what, description=described, formatter_class=plain)
    add = parser.add_argument
    add("kind", metavar="TOOL", nargs="?", help=f"one of {', '.join(TOOLS)}")
    add("app", nargs="?", metavar="APP",
        help="the application, as `bridge serve` takes it; default the project's, or that in its source")  # fmt: skip
    add("--name", help="what the stack is called, and what else needs a name; default the folder's name")
    add("--python", metavar="3.12", help="the Python version of the functions; default the one that runs")
    add("--arch", default="x86_64", choices=list(MACHINES), help="their processor; default x86_64")
    add("--folder", metavar="FOLDER", help="where the files go; default one called as the tool")
    only = parser.add_mutually_exclusive_group().add_argument
    only("--buffered", action="store_true", help="only the function behind an HTTP API")
    only("--streaming", action="store_true", help="only the one that streams behind a Function URL")
    add("--force", action="store_true", help="replace files that are there")
    add_framework_options(parser)
    parser.set_defaults(run=run)


def _tools() -> str:
    return "".join(f"\n  {kind:<10}  {tool.what}" for kind, tool in TOOLS.items())


def run(chosen: argparse.Namespace) -> int:
    """Write the files; print what they are, how they deploy, and what that needs."""
    from bridge.dev.deploying.text import texts

    folder = Path.cwd()
    plan = _plan(chosen, folder)
    _check_application(plan.app, folder, plan.python)
    files = texts(plan)
    _check(plan, folder, files, force=chosen.force)
    try:
        _write(folder, files)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"Nothing is written: {place}{error.strerror or error}.") from None
    _print(plan, folder, files)
    return 0


def _plan(chosen: argparse.Namespace, folder: Path) -> Plan:
    if chosen.kind not in TOOLS:
        wrong = "Which tool?" if chosen.kind is None else f"{chosen.kind!r} is no tool that bridge init knows."
        raise UsageError(f"{wrong} There are:{_tools()}")
    return Plan(
        kind=chosen.kind,
        name=name_of(folder.name) if chosen.name is None else checked_name(chosen.name),
        python=checked_python(chosen.python or f"3.{sys.version_info.minor}"),
        arch=chosen.arch,
        folder=chosen.kind if chosen.folder is None else checked_folder(chosen.folder),
        buffered=not chosen.streaming,
        streaming=not chosen.buffered,
        app=_application(chosen, folder),
    )


def _application(chosen: argparse.Namespace, folder: Path) -> str:
    """The application: the one that is named, the project's, or the one in its source.

    Raises:
        CommandError: there is none.
        UsageError: there are several.
    """
    from bridge.dev.deploying.detect import applications

    if chosen.app is not None:
        from bridge.dev.packaging.application import relative

        return relative(chosen.app, folder)
    with contextlib.suppress(NoApplicationError):
        app = application(None, folder, framework_options(getattr(chosen, "stage", ""), chosen.opt))
        say(f"The project's application is {app}.")
        return app
    found = applications(folder)
    if not found:
        raise CommandError(
            "No application is named, and none is seen in the Python files here. Name it: "
            f"`bridge init {chosen.kind} app:app`."
        )
    if len(found) > 1:
        names = [shlex.quote(each.app) for each in found]
        width = max(map(len, names))
        lines = "".join(
            f"\n  bridge init {chosen.kind} {name:<{width}}    {each.described}"
            for name, each in zip(names, found, strict=True)
        )
        raise UsageError(f"There are several applications here. Name the one to deploy:{lines}")
    say(f"Found {found[0].app}: {found[0].described}.")
    return found[0].app


def _check_application(app: str, folder: Path, python: str) -> None:
    """Refuse an application that is neither in the project nor installed.

    Raises:
        PackagingError: so it is.
    """
    from bridge.dev.packaging.application import check
    from bridge.dev.packaging.project_files import choose

    top = app.partition(":")[0].partition(".")[0]
    is_installed = top.isidentifier() and find_spec(top) is not None
    check(app, choose(folder).files, [top] if is_installed else [], python)


def _check(plan: Plan, folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Refuse to replace files, and to take a folder of the project for the tool's.

    Raises:
        CommandError: so it is.
    """
    there = [name for name in files if _is_there(folder / name)]
    own = [name for name in files if name.startswith(f"{plan.folder}/")]
    strangers = sorted(path.name for path in folder.glob(f"{plan.folder}/*"))
    if strangers and not set(own) & set(there):
        raise CommandError(
            f"The folder {plan.folder} has other files already ({', '.join(strangers[:3])}), and would stay out of the "
            "artifact. --folder names another one."
        )
    if others := [other for name in files for other in _OTHER_NAMES.get(name, ()) if _is_there(folder / other)]:
        raise CommandError(f"Nothing is written, for the project has {others[0]}: it would not count any more.")
    if there and not force:
        raise CommandError(f"Nothing is written, for these files are there: {', '.join(there)}. --force replaces them.")
    if blocked := [name for name in there if (folder / name).is_dir()]:
        raise CommandError(f"Nothing is written: {', '.join(blocked)} is a folder.")


def _is_there(file: Path) -> bool:
    return file.exists() or file.is_symlink()


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all of them, or none."""
    from bridge.dev.packaging.archive import whole_file

    with contextlib.ExitStack() as all_of_them:
        for name, text in files.items():
            all_of_them.enter_context(whole_file(folder / name)).write_text(text, encoding="utf-8")


def _print(plan: Plan, folder: Path, files: Mapping[str, str]) -> None:
    from bridge.dev.deploying.text import commands
    from bridge.dev.packaging import requirements
    from bridge.dev.packaging.application import folder_of

    for name in files:
        print(f"Wrote {name}")
    once, deploy = commands(plan)
    if once:
        print("\nOnce, in this folder:\n")
        print("\n".join(f"    {line}" for line in once))
    print("\nTo deploy:\n" if once else "\nTo deploy, in this folder:\n")
    print("\n".join(f"    {line}" for line in deploy.splitlines()))
    print(f"\nThe credentials need what {plan.folder}/policy.json allows. {plan.folder}/README.md says more.")
    print(f"{'Both functions are' if plan.buffered and plan.streaming else 'The function is'} open to everybody.")
    with contextlib.suppress(PackagingError):  # bridge package will say it
        places = list(dict.fromkeys([folder, folder / folder_of(plan.app)]))
        if requirements.find(places).origin == "none":
            say(
                "\nThere is no requirements.txt or lock file: what the application imports will not be in the artifact."
            )
