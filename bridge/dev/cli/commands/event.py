"""``bridge event``: prints the event that a front door sends for a request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.common_options import add_front_door_options, choose_source, front_door_settings, serverless_options
from bridge.dev.cli.output import to_json
from bridge.dev.cli.request_options import add_request_options, request_from
from bridge.dev.errors import CommandError, NoApplicationError
from bridge.dev.gateway import Answer, FrontDoorConfig, RefusedError, Request, front_door
from bridge.dev.gateway.cors import FunctionUrlCors, is_preflight
from bridge.dev.gateway.event_parts import strip_prefix
from bridge.dev.gateway.routes import match
from bridge.dev.projects.discover import find_project
from bridge.dev.projects.project import Project

if TYPE_CHECKING:
    import argparse

_PREFLIGHT = "a CORS preflight reaches no function"


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    parser = subparsers.add_parser("event", help="print the event that AWS sends for a request")
    add_request_options(parser)
    add_front_door_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the event as JSON."""
    request = request_from(options)
    try:
        project = find_project(None, Path.cwd(), serverless_options(options), command="bridge event", detect=False)
    except NoApplicationError:  # an event does not depend on the application
        project = Project()
    choose_source(options, project.source)
    settings = front_door_settings(options)
    if not settings.binary_media_types:
        settings = replace(settings, binary_media_types=project.binary_media_types)
    print(to_json(_compose(request, options.source, settings, project)))
    return 0


def _compose(request: Request, source: str, settings: FrontDoorConfig, project: Project) -> dict[str, Any]:
    """Return the event for *request*, with the route of the project that matches it.

    Raises:
        CommandError: the front door responds without calling the function.
    """
    rules = front_door(source)
    try:
        if isinstance(project.cors_behind(source), FunctionUrlCors) and is_preflight(request):
            raise RefusedError(Answer(200, explanation=_PREFLIGHT))
        if project.routes:
            path = strip_prefix(request, settings, rules.no_route) or "/"
            matched = match(project.routes, request.method, path, rest=source == "rest-api")
            if matched is None:
                raise RefusedError(replace(rules.no_route, explanation="no route of the project matches the request"))
            if matched[0].preflight is not None:
                raise RefusedError(Answer(200, explanation=_PREFLIGHT))
            settings = replace(settings, route=matched[1])
        return rules.compose(request, settings)
    except RefusedError as refusal:
        answer = refusal.answer
        raise CommandError(
            f"{source} sends no event for this request, because it answers {answer.status} itself: "
            f"{answer.explanation}."
        ) from None
