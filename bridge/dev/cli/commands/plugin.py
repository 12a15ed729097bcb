"""``bridge plugin``: where the Serverless Framework's plugin lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridge

if TYPE_CHECKING:
    import argparse


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    about = "print the folder of the Serverless Framework's plugin: a line for plugins: in serverless.yml"
    parser = commands.add_parser("plugin", help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(run=run)


def run(_chosen: argparse.Namespace) -> int:
    """Print the folder, as seen from here if it is below."""
    place = Path(bridge.__file__).resolve().parent / "dev" / "serverless_plugin"
    here = Path.cwd().resolve()
    print(f"./{place.relative_to(here).as_posix()}" if place.is_relative_to(here) else place)
    return 0
