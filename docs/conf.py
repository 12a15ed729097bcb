"""The configuration of Sphinx, which builds the documentation site: see scripts/docs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))

from bridge import __version__  # noqa: E402

REPOSITORY = "https://github.com/serverless-bridge/serverless-bridge"

project = "bridge"
author = "The bridge authors"
copyright = "The bridge authors"  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
# Changelogs and READMEs have headings of any level.
suppress_warnings = ["myst.header"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_numpy_docstring = False

smartquotes = False  # they would turn --option into a dash

html_theme = "furo"
html_title = "bridge"
html_baseurl = "https://serverless-bridge.github.io/serverless-bridge/"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["accessible.js"]
html_theme_options = {
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": ["view"],
}
html_show_sphinx = False
html_copy_source = False
copybutton_prompt_text = "$ "
linkcheck_ignore = [REPOSITORY, html_baseurl, r"http://localhost.*"]
linkcheck_timeout = 20


def link_repository(_app: Any, name: str, source: list[str]) -> None:
    """Turn links to files outside ``docs/`` into links to the repository, where those files are pages."""
    folder = (DOCS / name).parent

    def replace(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        is_page = target.is_relative_to(DOCS)
        return match[0] if is_page else f"]({REPOSITORY}/blob/main/{target.relative_to(ROOT).as_posix()}"

    source[0] = re.sub(r"\]\(((?:\.\./)+[\w./-]+)", replace, source[0])


def setup(app: Any) -> None:
    """Connect the change of links."""
    app.connect("source-read", link_repository)
