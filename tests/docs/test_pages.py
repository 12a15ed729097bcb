"""The documentation's links, markers and generated page."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml

import bridge
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, code, links

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [*PAGES, *ROOT.glob("*.md"), *sorted((ROOT / "examples").glob("*/README.md"))]


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_or_heading_leads_somewhere(page: Path) -> None:
    missing = []
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            missing.append(link)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_on_the_site_a_link_to_a_page_stays_there_and_another_one_leads_to_the_repository(page: Path) -> None:
    configuration = runpy.run_path(str(DOCS / "conf.py"))
    source = [page.read_text(encoding="utf-8")]
    configuration["link_repository"](None, page.relative_to(DOCS).with_suffix("").as_posix(), source)
    for target in re.findall(r"\]\(([^)\s#]+)", re.sub(r"```.*?```", "", source[0], flags=re.DOTALL)):
        in_repository = target.removeprefix(f"{configuration['REPOSITORY']}/blob/main/")
        if in_repository != target:
            assert (ROOT / in_repository).exists(), target
            assert not in_repository.startswith("docs/"), target
        elif not target.startswith(("http", "mailto:")):
            assert (page.parent / target).resolve().is_relative_to(DOCS), target


def test_on_pypi_every_link_of_the_readme_leads_to_the_repository_at_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    hook = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join((ROOT / fragment["path"]).read_text(encoding="utf-8") for fragment in hook["fragments"])
    for substitution in hook["substitutions"]:
        replacement = substitution["replacement"].replace("$HFPR_VERSION", "1.0")
        text = re.sub(substitution["pattern"], replacement, text)
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert (
        "https://raw.githubusercontent.com/serverless-bridge/serverless-bridge/v1.0/docs/images/inspector.png"
        in targets
    )
    assert "https://github.com/serverless-bridge/serverless-bridge/blob/v1.0/docs/quickstart.md" in targets


def test_every_page_is_in_the_table_of_contents() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = {line for line in text.splitlines() if (DOCS / f"{line}.md").is_file()}
    assert {page.relative_to(DOCS).as_posix().removesuffix(".md") for page in PAGES} - listed == {"index"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_marker_stands_before_a_block(page: Path) -> None:
    blocks(page)


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_valid_in_its_language(page: Path) -> None:
    for text in code(page, "python"):
        compile(text, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for text in code(page, "toml"):
        tomllib.loads(text)
    for text in code(page, "json"):
        json.loads(text)
    for text in code(page, "yaml"):
        yaml.safe_load(text)


def test_the_page_of_the_python_api_has_every_public_name() -> None:
    text = (DOCS / "python-api.md").read_text(encoding="utf-8")
    assert [name for name in bridge.__all__ if f":: {name}\n" not in text] == []


def test_every_message_that_troubleshooting_explains_is_in_the_code() -> None:
    headings = re.findall(r"^### (.*)$", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    messages = headings[: headings.index('502 Bad Gateway, or {"message": "Internal Server Error"}')]
    code = " ".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "bridge").rglob("*.py")))
    code = re.sub(r'"\s+f?"', "", code)  # the parts of a message on several lines
    parts = [part.strip() for message in messages for part in re.split(r"…|, |\. |5000|localhost", message)]
    assert [part for part in parts if part and part not in code] == []


def test_the_page_of_the_command_line_is_up_to_date() -> None:
    subprocess.run([sys.executable, ROOT / "scripts/command_line_reference.py", "--check"], check=True)
