"""Which functions of a service serve which application, as the Serverless Framework plugin reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.deploying.function_settings import HANDLER
from bridge.dev.errors import UsageError
from bridge.dev.projects.serverless_applications import ServerlessService, describe_applications

if TYPE_CHECKING:
    from pathlib import Path

WSGI = {"handler": "wsgi_handler.handler"}
STREAM = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bridge/runtime/bootstrap", "BRIDGE_RESPONSE_MODE": "stream"}


def described(folder: Path, functions: dict[str, Any], **config: Any) -> dict[str, Any]:
    config = {"custom": {"wsgi": {"app": "web/app.app"}}, **config, "functions": functions}
    return describe_applications(ServerlessService(config, folder))


def environments(folder: Path, functions: dict[str, Any], **config: Any) -> dict[str, dict[str, str]]:
    """The variables to add to each deployed function."""
    answer = described(folder, functions, **config)
    return {key: application["environment"] for key, application in answer["applications"].items()}


@pytest.mark.parametrize("handler", [HANDLER, "wsgi_handler.handler", "web/wsgi_handler.handler", "wsgi.handler"])
def test_a_function_with_the_handler_of_an_application_serves_it(tmp_path: Path, handler: str) -> None:
    answer = described(tmp_path, {"api": {"handler": handler}, "job": {"handler": "job.run"}, "image": {"image": "x"}})
    assert answer["applications"] == {
        "api": {
            "app": "web/app.app",
            "text_types": [],
            "has_own_artifact": False,
            "environment": {},
            "local_environment": {"BRIDGE_APP": "web/app.app"},
        }
    }
    assert answer["shared"] == "api"


def test_a_deprecated_handler_is_a_warning(tmp_path: Path) -> None:
    functions = {"one": {"handler": "wsgi.handler"}, "two": {"handler": "wsgi.handler"}}
    warning = 'The handler "wsgi.handler" is deprecated; write "bridge.entrypoint.handler" in serverless.yml.'
    assert described(tmp_path, functions)["warnings"] == [warning]
    assert described(tmp_path, {"one": WSGI})["warnings"] == []


def test_a_functions_application_is_its_own_then_that_of_its_environment_then_that_of_all(tmp_path: Path) -> None:
    functions = {
        "own": {**WSGI, "wsgi": {"app": "own:app"}, "environment": {"BRIDGE_APP": "env:app"}},
        "env": {**WSGI, "environment": {"BRIDGE_APP": "env:app"}},
        "all": WSGI,
    }
    applications = described(tmp_path, functions)["applications"]
    assert {key: applications[key]["app"] for key in applications} == {
        "own": "own:app",
        "env": "env:app",
        "all": "web/app.app",
    }


def test_functions_that_share_an_artifact_have_a_variable_if_it_names_another_application(tmp_path: Path) -> None:
    functions = {
        "other": {**WSGI, "wsgi": {"app": "other:app", "textMimeTypes": ["a/b"]}},
        "main": WSGI,
        "env": {**WSGI, "wsgi": {"app": "web/app.app"}, "environment": {"BRIDGE_APP": "env:app"}},
    }
    assert described(tmp_path, functions)["shared"] == "main"
    assert environments(tmp_path, functions) == {
        "other": {"BRIDGE_APP": "other:app", "BRIDGE_TEXT_TYPES": "a/b"},
        "main": {},
        "env": {"BRIDGE_APP": "web/app.app"},
    }


def test_functions_packaged_individually_have_their_application_in_their_artifact(tmp_path: Path) -> None:
    own = {"app": "other:app", "textMimeTypes": ["a/b"]}
    functions: dict[str, dict[str, Any]] = {"other": {**WSGI, "wsgi": own}, "main": WSGI}
    assert environments(tmp_path, functions, package={"individually": True}) == {"other": {}, "main": {}}
    functions["other"]["package"] = {"individually": True}
    assert environments(tmp_path, functions) == {"other": {}, "main": {}}


def test_a_streaming_url_needs_the_runtime_of_the_bridge(tmp_path: Path) -> None:
    url = {"url": {"invokeMode": "RESPONSE_STREAM"}}
    own = {"environment": {"BRIDGE_RESPONSE_MODE": "buffer"}}
    functions = {"live": WSGI | url, "own": WSGI | url | own, "whole": WSGI | {"url": True}}
    assert environments(tmp_path, functions) == {
        "live": STREAM,
        "own": {"AWS_LAMBDA_EXEC_WRAPPER": STREAM["AWS_LAMBDA_EXEC_WRAPPER"]},
        "whole": {},
    }
    provider = {"environment": STREAM | {"AWS_LAMBDA_EXEC_WRAPPER": {"Ref": "Wrapper"}}}
    assert environments(tmp_path, {"live": WSGI | url}, provider=provider) == {"live": {}}


def test_text_types_are_added_unless_the_function_sets_its_own(tmp_path: Path) -> None:
    functions = {"api": WSGI, "own": {**WSGI, "environment": {"BRIDGE_TEXT_TYPES": "c/d"}}}
    applications = described(tmp_path, functions, custom={"wsgi": {"app": "a:a", "textMimeTypes": ["a/b"]}})[
        "applications"
    ]
    assert [applications[key]["text_types"] for key in applications] == [["a/b"], ["a/b"]]
    assert applications["api"]["local_environment"] == {"BRIDGE_APP": "a:a", "BRIDGE_TEXT_TYPES": "a/b"}
    assert applications["own"]["local_environment"] == {"BRIDGE_APP": "a:a"}


@pytest.mark.parametrize(
    ("function", "package"),
    [({"package": {"artifact": "own.zip"}}, {}), ({}, {"artifact": "own.zip"})],
    ids=["function", "service"],
)
def test_a_function_with_its_own_artifact_is_deployed_as_it_is(
    tmp_path: Path, function: dict[str, Any], package: dict[str, Any]
) -> None:
    made = WSGI | function | {"wsgi": {"app": "own:app"}, "url": {"invokeMode": "RESPONSE_STREAM"}}
    answer = described(tmp_path, {"made": made, "unnamed": WSGI | function}, package=package, custom={})
    assert list(answer["applications"]) == ["made"]
    application = answer["applications"]["made"]
    assert (application["has_own_artifact"], application["environment"]) == (True, {})
    assert application["local_environment"] == {"BRIDGE_APP": "own:app"}
    assert answer["shared"] is None


def test_a_handler_module_of_the_projects_own_serves_no_application_unless_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "wsgi_handler.py").write_text("")
    assert described(tmp_path, {"own": WSGI}, custom={})["applications"] == {}
    assert list(described(tmp_path, {"own": WSGI})["applications"]) == ["own"]


def test_a_function_without_an_application_is_an_error_that_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r'^Function "api" has .*custom\.wsgi\.app: api\.app .*functions\.api\.wsgi\.app'
    ):
        described(tmp_path, {"api": WSGI}, custom={})


def test_text_types_must_be_a_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"textMimeTypes is 'a/b'; it must be a list"):
        described(tmp_path, {"api": WSGI}, custom={"wsgi": {"app": "a:a", "textMimeTypes": "a/b"}})
