"""Projects with one file, as the readers find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.dev.projects.discover import find_project

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.dev.projects.project import Project

# A service and a template with one function, to which events and properties are added.
SERVICE = "functions: {f: {handler: a.b, events: [%s]}}"
TEMPLATE = "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, %s}}}"


def serverless(folder: Path, text: str) -> Project:
    """Write serverless.yml and return the project."""
    (folder / "serverless.yml").write_text(text)
    return find_project(None, folder)


def sam(folder: Path, text: str) -> Project:
    """Write a SAM template and return the project."""
    (folder / "template.yaml").write_text(text)
    return find_project(None, folder)


def routes(project: Project) -> list[tuple[str, str, str]]:
    """Return method, template and function of each route."""
    return [(route.method, route.template, route.function) for route in project.routes]
