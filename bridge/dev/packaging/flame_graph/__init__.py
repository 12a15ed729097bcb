"""A flame graph of imports, as one page without requests to other places."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.dev.packaging.imported_modules import ImportedModule, ImportTimes

# The beginning of each page, by which one of an earlier run is recognised.
MARK = "<!-- Made by `bridge package --import-time`. -->"


def flame_graph_page(times: ImportTimes, application: str, facts: str) -> str:
    """Return the page.

    No name of a module, and no other text, is part of the page's HTML or code without being escaped.

    Args:
        times: what the imports took.
        application: the name of the application.
        facts: a sentence about the measurement.
    """
    style, script = _read("page.css"), _read("page.js")
    rows = "\n".join(
        f"<tr><td>{escape(each.name)}</td><td>{each.own / 1000:.1f} ms</td><td>{times.share(each.own):.1f} %</td>"
        f"<td>{each.total / 1000:.1f} ms</td></tr>"
        for each in times.most_expensive()
    )
    everything: list[Any] = ["all imports", 0, times.total, [_as_list(module) for module in times.modules]]
    page = Template(_read("page.html")).substitute(
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'",
        application=escape(application),
        facts=escape(facts),
        rows=rows,
        # The characters with which a text could end the element.
        data=json.dumps(everything, separators=(",", ":")).replace("<", "\\u003c"),
        style=style,
        script=script,
    )
    return f"{MARK}\n{page}"


def _as_list(module: ImportedModule) -> list[Any]:
    return [module.name, module.own, module.total, [_as_list(each) for each in module.imports]]


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return a digest as a Content-Security-Policy has it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
