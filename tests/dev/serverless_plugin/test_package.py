"""``sls package`` with the plugin: the artifacts, and the functions in them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import Request
from tests.dev.cli.packages import FASTAPI, FLASK, HOST, aws_client, bare_python, file_digests, unpack, zip_names
from tests.dev.cli.serve_process import run
from tests.dev.serverless_plugin.framework import EDITIONS, in_turn
from tests.end_to_end.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.dev.serverless_plugin.framework import Framework, PackagedService

pytestmark = [pytest.mark.slow]

# One edition each for what does not depend on the order in which an edition packages.
with_serverless_3, with_osls_4 = (
    pytest.mark.parametrize("framework", [edition], indirect=True) for edition in EDITIONS
)

HANDLER = "bridge.entrypoint.handler"
PLAIN = """
def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"tea"]
"""
SIX = FLASK.replace("from flask import Flask", "import six, typing_extensions\nfrom flask import Flask")
DJANGO = {
    "site/manage.py": "",
    "site/shop/__init__.py": "",
    "site/shop/settings.py": "SECRET_KEY = 'k'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'shop.urls'\n",
    "site/shop/urls.py": "from django.http import HttpResponse\nfrom django.urls import path\n"
    "urlpatterns = [path('', lambda request: HttpResponse('django'))]\n",
    "site/shop/wsgi.py": "import os\nfrom django.core.wsgi import get_wsgi_application\n"
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\napplication = get_wsgi_application()\n",
    "site/requirements.txt": "django\n",
}


class FunctionCheck:
    """Runs a function with AWS's runtime and with that of the bridge, and sends requests from several front doors."""

    def __init__(self, rie: Path, folder: Path) -> None:
        self._rie, self._folder, self._count = rie, folder, 0

    def __call__(self, packaged: PackagedService, name: str, body: str) -> None:
        if HOST is None:
            pytest.skip("this processor is none of Lambda's, so nothing made for Lambda runs here")
        assert packaged.function(name)["Handler"] == HANDLER
        root = unpack(packaged.artifact(name), self._folder / f"unpacked-{name}")
        client = aws_client(self._folder / f"client-{name}")
        for module in ("awslambdaric", "bridge.runtime"):
            variables = {**packaged.variables(name), "PYTHONPYCACHEPREFIX": "", "PYTHONPATH": str(client)}
            variables.pop("AWS_LAMBDA_EXEC_WRAPPER", None)  # Lambda would run it; the command below names the runtime
            variables.pop("BRIDGE_RESPONSE_MODE", None)
            command = [*bare_python(), "-m", module]
            self._count += 1
            log = self._folder / f"log-{self._count}"
            with Emulator(self._rie, root, HANDLER, log, variables=variables, command=command) as function:
                for source in ("http-api", "rest-api", "alb"):
                    answer = function.request(Request("GET", "/"), source)
                    assert (answer.status, answer.body.decode()) == (200, body), function.log


@pytest.fixture
def check(rie: Path, tmp_path: Path) -> FunctionCheck:
    return FunctionCheck(rie, tmp_path)


def config(functions: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The content of serverless.yml, for the processor of this machine."""
    architecture = {"architecture": HOST} if HOST else {}
    return {"functions": dict(functions), **more, "provider": {**architecture, **more.get("provider", {})}}


@pytest.mark.aws
def test_a_service_of_serverless_wsgi_is_packaged_and_nothing_else_in_its_folder_changes(
    framework: Framework, check: FunctionCheck, tmp_path: Path
) -> None:
    files = {
        "web/app.py": SIX,
        "web/data.txt": "tea",
        "web/.env": "SECRET=1",
        "web/notes.md": "notes",
        "web/requirements.txt": "flask==3.1.2\nsix\ntyping_extensions\n",
        "requirements.txt": "no-such-requirement-anywhere\n",  # serverless-wsgi reads the one beside the application
        "other.py": "def handler(event, context):\n    return 1\n",
        "unseen.py": "",
    }
    functions = {
        "api": {"handler": "wsgi.handler", "events": [{"http": "ANY /"}, {"http": "ANY /{proxy+}"}]},
        "other": {"handler": "other.handler"},
    }
    custom = {"wsgi": {"app": "web/app.app", "textMimeTypes": ["application/custom"], "pipArgs": "--no-cache-dir"}}
    patterns = {"patterns": ["!**", "web/**", "!web/*.md", "other.py"]}
    project = framework.project(tmp_path / "shop", files, config(functions, custom=custom, package=patterns))
    before = file_digests(project.folder)
    packaged = project.package()
    after = {
        name: digest for name, digest in file_digests(project.folder).items() if not name.startswith(".serverless")
    }
    assert after == before
    assert 'The handler "wsgi.handler" is deprecated' in packaged.result.err
    assert "Left out, because they may contain secrets: web/.env." in packaged.result.err
    names = zip_names(packaged.artifact("api"))
    own = {name for name in names if name.startswith(("web/", "other", "unseen", "node_modules")) and "__" not in name}
    assert own == {"web/app.py", "web/data.txt", "web/requirements.txt", "other.py"}
    assert {"six.py", "typing_extensions.py", "flask-3.1.2.dist-info/METADATA"} <= names
    assert packaged.artifact("other") == packaged.artifact("api")
    assert packaged.function("other")["Handler"] == "other.handler"
    check(packaged, "api", "flask 3.1.2 tea")


@pytest.mark.aws
@with_osls_4
def test_a_vendored_copy_of_the_plugin_is_found_by_name_and_is_not_in_the_artifact(
    framework: Framework, tmp_path: Path
) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    assert run(folder, "plugin", "--vendor")[0] == 0
    config = {"custom": {"wsgi": {"app": "app.app"}}, "functions": {"api": {"handler": HANDLER}}}
    packaged = framework.project(folder, {"app.py": PLAIN}, config).package()
    names = zip_names(packaged.artifact("api"))
    assert {"app.py", ".serverless-wsgi"} <= set(names)
    assert [name for name in names if "serverless_plugins" in name] == []


def test_several_applications_share_an_artifact_and_each_function_serves_its_own(
    framework: Framework, check: FunctionCheck, tmp_path: Path
) -> None:
    files = {**DJANGO, "api/main.py": FASTAPI, "api/requirements.txt": "fastapi\npydantic\n"}
    functions = {
        "site": {"handler": "wsgi_handler.handler", "events": [{"httpApi": "*"}]},
        "api": {"handler": HANDLER, "wsgi": {"app": "api/main:app", "textMimeTypes": ["application/x-tea"]}},
        "live": {"handler": HANDLER, "wsgi": {"app": "api/main:app"}, "url": {"invokeMode": "RESPONSE_STREAM"}},
    }
    custom = {"wsgi": {"app": "site/shop.wsgi.application"}}
    packaged = framework.project(tmp_path / "shop", files, config(functions, custom=custom)).package()
    assert packaged.variables("site") == {}
    assert packaged.variables("api") == {"BRIDGE_APP": "api/main:app", "BRIDGE_TEXT_TYPES": "application/x-tea"}
    assert packaged.variables("live") == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bridge/runtime/bootstrap",
        "BRIDGE_APP": "api/main:app",
        "BRIDGE_RESPONSE_MODE": "stream",
    }
    check(packaged, "site", "django")
    check(packaged, "api", '{"cups":2}')


@pytest.mark.aws
def test_functions_packaged_individually_each_have_their_module_and_its_requirements(
    framework: Framework, check: FunctionCheck, tmp_path: Path
) -> None:
    files = {
        "web/app.py": FLASK,
        "web/data.txt": "alone",
        "web/requirements.txt": "flask==3.1.2\n",
        "plain/app.py": PLAIN,
        "jobs/job.py": "def run(event, context):\n    return 1\n",
    }
    functions = {
        "web": {"handler": "wsgi_handler.handler", "module": "web", "package": {"patterns": ["!**/*.md", "web/**"]}},
        "plain": {"handler": "wsgi_handler.handler", "module": "plain", "wsgi": {"app": "plain/app.app"}},
        "job": {"handler": "job.run", "module": "jobs"},
    }
    custom = {"wsgi": {"app": "web/app.app"}}
    package = {"individually": True}
    packaged = framework.project(tmp_path / "shop", files, config(functions, custom=custom, package=package)).package()
    artifacts = {name: zip_names(packaged.artifact(name)) for name in functions}
    assert {"app.py", "data.txt", "flask/app.py"} <= artifacts["web"]
    assert "flask/app.py" not in artifacts["plain"]
    assert artifacts["job"] == {name for name in artifacts["job"] if "job" in name}
    check(packaged, "web", "flask 3.1.2 alone")
    check(packaged, "plain", "tea")


@pytest.mark.aws
@pytest.mark.parametrize(("framework", "options"), in_turn({}, {"zip": True}), indirect=["framework"])
def test_serverless_python_requirements_packages_the_requirements_if_it_is_enabled(
    framework: Framework, check: FunctionCheck, python_with_pip: str, options: dict[str, bool], tmp_path: Path
) -> None:
    files = {"web/app.py": FLASK, "web/data.txt": "both", "requirements.txt": "flask==3.1.2\n"}
    custom = {"wsgi": {"app": "web/app.app"}, "pythonRequirements": {"pythonBin": python_with_pip, **options}}
    functions = {"api": {"handler": "wsgi_handler.handler"}}
    more = {"custom": custom, "plugins": ["serverless-python-requirements"]}
    packaged = framework.project(tmp_path / "shop", files, config(functions, **more)).package()
    names = zip_names(packaged.artifact("api"))
    assert ("flask/app.py" in names) is not options.get("zip", False)
    assert "bridge/entrypoint.py" in names
    check(packaged, "api", "flask 3.1.2 both")


@pytest.mark.aws
def test_with_serverless_python_requirements_a_module_is_the_root_of_an_individual_artifact(
    framework: Framework, check: FunctionCheck, python_with_pip: str, tmp_path: Path
) -> None:
    files = {"web/app.py": FLASK, "web/data.txt": "own", "web/requirements.txt": "flask==3.1.2\n"}
    more = {
        "custom": {"wsgi": {"app": "web/app.app"}, "pythonRequirements": {"pythonBin": python_with_pip}},
        "plugins": ["serverless-python-requirements"],
        "package": {"individually": True},
    }
    functions = {"api": {"handler": "wsgi_handler.handler", "module": "web"}}
    packaged = framework.project(tmp_path / "shop", files, config(functions, **more)).package()
    contents = {path.name: zip_names(path) for path in (tmp_path / "shop" / ".serverless").glob("*.zip")}
    (artifact,) = [name for name, own in contents.items() if "bridge/entrypoint.py" in own]
    assert packaged.artifact("api").name == artifact
    assert "app.py" in contents[artifact]
    check(packaged, "api", "flask 3.1.2 own")


@with_osls_4
def test_native_requirements_are_for_the_functions_processor_and_python(framework: Framework, tmp_path: Path) -> None:
    files = {"main.py": FASTAPI, "requirements.txt": "fastapi\npydantic\n"}
    # Options with which pip builds for Lambda; uv has no such options.
    pip_args = "--platform manylinux2014_x86_64 --only-binary=:all: --prefer-binary --timeout 60"
    more = {
        "custom": {"wsgi": {"app": "main.app", "pipArgs": pip_args}},
        "provider": {"runtime": "python3.11", "architecture": "arm64"},
    }
    functions = {"api": {"handler": "wsgi_handler.handler"}, "job": {"handler": "job.run", "runtime": "python3.12"}}
    packaged = framework.project(tmp_path / "shop", files, config(functions, **more)).package()
    assert 'Functions "api" and "job" share an artifact, but differ in runtime or architecture' in packaged.result.err
    native = [name for name in zip_names(packaged.artifact("api")) if name.endswith(".so")]
    assert native
    assert all(name.endswith("cpython-311-aarch64-linux-gnu.so") for name in native)


@with_serverless_3
def test_a_pattern_that_names_a_secret_or_a_node_module_includes_it(framework: Framework, tmp_path: Path) -> None:
    files = {"app.py": PLAIN, ".env": "A=1", "keys/a.pem": "", "keys/b.pem": "", "tests/data.json": "{}"}
    patterns = {"patterns": [".env", "keys/a.pem", "node_modules/htmx/**"]}
    more = {"custom": {"wsgi": {"app": "app.app"}}, "package": patterns}
    project = framework.project(tmp_path / "shop", files, config({"api": {"handler": "wsgi_handler.handler"}}, **more))
    for name in ("htmx", "other"):
        (project.folder / "node_modules" / name).mkdir()
        (project.folder / "node_modules" / name / "index.js").write_text("")
    packaged = project.package()
    names = zip_names(packaged.artifact("api"))
    kept = {name for name in names if name.startswith((".env", "keys", "node_modules", "tests"))}
    assert kept == {".env", "keys/a.pem", "node_modules/htmx/index.js", "tests/data.json"}
    assert "keys/b.pem" in packaged.result.err


@with_osls_4
def test_without_an_application_the_artifact_has_the_requirements(framework: Framework, tmp_path: Path) -> None:
    files = {"job.py": "import six\n\ndef run(event, context):\n    return 1\n", "requirements.txt": "six\n"}
    earlier = {"made/job.zip": "of an earlier run"}  # in the folder to which the framework moves artifacts
    own = {"bin/python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'}
    more = {"custom": {"wsgi": {"pythonBin": "bin/python"}}}
    project = framework.project(
        tmp_path / "shop", files | earlier | own, config({"job": {"handler": "job.run"}}, **more)
    )
    (project.folder / "bin" / "python").chmod(0o755)
    packaged = project.package("--package", "made")
    names = zip_names(packaged.artifact("job"))
    assert {"job.py", "six.py"} <= names
    assert not [name for name in names if name.startswith(("bridge/", ".serverless-wsgi", "made/"))]


@with_serverless_3
def test_artifacts_and_handlers_of_the_projects_own_are_unchanged_and_the_application_runs_locally(
    framework: Framework, tmp_path: Path
) -> None:
    handler = "def handler(event, context):\n    return 1\n"
    files = {"app.py": PLAIN, "wsgi_handler.py": handler, "own.zip": "content"}
    functions = {
        "own": {"handler": "wsgi_handler.handler"},
        "zipped": {"handler": "wsgi_handler.handler", "wsgi": {"app": "app.app"}, "package": {"artifact": "own.zip"}},
    }
    project = framework.project(tmp_path / "shop", files, config(functions))
    packaged = project.package()
    assert [packaged.function(name)["Handler"] for name in functions] == ["wsgi_handler.handler"] * 2
    assert "wsgi_handler.py" in zip_names(packaged.artifact("own"))
    assert (project.folder / "own.zip").read_text() == "content"
    result = project.sls("wsgi", "exec", "local", "--command", "print(app.__name__)")
    assert (result.status, result.out) == (0, "app\n"), result.err


FAILURES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "no application": (
        {},
        {},
        'Function "api" has the handler of an application, but serverless.yml names no application',
    ),
    "no module": ({}, {"custom": {"wsgi": {"app": "nowhere.app"}}}, "there is no module 'nowhere'"),
    "no requirement": (
        {"requirements.txt": "no-such-requirement-anywhere==1\n"},
        {"custom": {"wsgi": {"app": "app.app"}}},
        "no-such-requirement-anywhere",
    ),
    "no python": (
        {},
        {"custom": {"wsgi": {"app": "app.app", "pythonBin": "/no/python"}}},
        'pythonBin is "/no/python"',
    ),
    "old runtime": (
        {},
        {"custom": {"wsgi": {"app": "app.app"}}, "provider": {"runtime": "python3.10"}},
        'Function "api" has the runtime python3.10; an application needs python3.11 or later.',
    ),
    "no runtime": (
        {},
        {"custom": {"wsgi": {"app": "app.app"}}, "provider": {"runtime": None}},
        'Function "api" has no runtime; an application needs python3.11 or later.',
    ),
}


@pytest.mark.parametrize(("framework", "failure"), in_turn(*FAILURES), indirect=["framework"])
def test_an_error_is_one_message_and_leaves_no_files(framework: Framework, failure: str, tmp_path: Path) -> None:
    files, more, message = FAILURES[failure]
    project = framework.project(
        tmp_path / "shop",
        {"app.py": PLAIN, **files},
        config({"api": {"handler": "wsgi_handler.handler"}}, **more),
    )
    before = file_digests(project.folder)
    result = project.sls("package")
    assert result.status == 1
    output = result.out + result.err  # the framework prints errors on standard output
    assert message in output
    assert "Traceback" not in output
    assert "    at " not in output  # as in a stack trace of Node.js
    after = {
        name: digest for name, digest in file_digests(project.folder).items() if not name.startswith(".serverless")
    }
    assert after == before


def test_a_service_without_an_application_has_commands_that_need_none(framework: Framework, tmp_path: Path) -> None:
    project = framework.project(tmp_path / "shop", {}, config({"api": {"handler": "wsgi_handler.handler"}}))
    result = project.sls("print")
    assert result.status == 0, result.out + result.err
    result = project.sls("wsgi", "exec", "local", "--command", "1")
    assert result.status == 1
    assert "names no application" in result.out + result.err


def test_ctrl_c_ends_packaging_without_a_stack_trace_and_leaves_no_files(framework: Framework, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as index:  # a package index that never answers
        index.settimeout(60)
        custom = {"wsgi": {"app": "app.app", "pipArgs": f"--index-url http://127.0.0.1:{index.getsockname()[1]}/"}}
        functions = {"api": {"handler": "wsgi_handler.handler"}}
        project = framework.project(tmp_path / "shop", {"app.py": PLAIN}, config(functions, custom=custom))
        before = file_digests(project.folder)
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        with subprocess.Popen(
            [str(framework.program), "package"],
            cwd=project.folder,
            env=framework.environment(project.folder, TMPDIR=str(temporary)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            connection, _ = index.accept()
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
            connection.close()
    assert process.returncode == -signal.SIGINT
    assert output.endswith("Stopped; nothing was packaged.\n")
    assert "    at " not in output
    assert not list(temporary.glob("bridge*"))  # the framework leaves one
    after = {
        name: digest for name, digest in file_digests(project.folder).items() if not name.startswith(".serverless")
    }
    assert after == before


def test_the_npm_package_has_the_plugin_and_nothing_else(frameworks: list[Path], tmp_path: Path) -> None:
    from bridge import __version__
    from tests.dev.serverless_plugin.framework import PLUGIN

    manifest = json.loads((PLUGIN / "package.json").read_text())
    assert (manifest["name"], manifest["version"]) == ("serverless-bridge", __version__)
    packed = subprocess.run(
        ["npm", "pack", "--dry-run", "--json", "--loglevel=error"], cwd=PLUGIN, capture_output=True, text=True
    )
    files = {entry["path"] for entry in json.loads(packed.stdout)[0]["files"]}
    assert files == {"package.json", "README.md", "index.js", *(f"lib/{path.name}" for path in PLUGIN.glob("lib/*.js"))}
