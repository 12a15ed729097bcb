"""``bridge exec``, ``command``, ``manage`` and ``flask``: local and remote execution, output and exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.remote.commands import DISABLED_MESSAGE
from tests.dev.cli.serve_process import ASGI, WSGI, run
from tests.remote.fake_lambda import CREDENTIALS, NO_AWS_CONFIG, FakeLambda

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fake_lambda() -> Iterator[FakeLambda]:
    fake = FakeLambda()
    yield fake
    fake.close()


def run_remotely(fake: FakeLambda, folder: Path, command: str, *arguments: str) -> tuple[int, str, str]:
    function = ("--function", "shop", "--endpoint-url", fake.url)
    return run(folder, command, *function, *arguments, **NO_AWS_CONFIG, **CREDENTIALS)


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_standard_output_is_the_codes_output_and_the_exit_status_is_the_codes(tmp_path: Path, app: str) -> None:
    code = (
        "import os, sys\nprint('Grüße')\nos.system('echo from the shell')\nprint('error', file=sys.stderr)\nsys.exit(7)"
    )
    assert run(tmp_path, "exec", "--local", app, "-c", code) == (7, "Grüße\nfrom the shell\nerror\n", "")


def test_an_exception_is_a_traceback_and_status_1(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "exec", "--local", WSGI, "-c", "print('first')\n1 / 0")
    assert (status, err) == (1, "")
    assert out.startswith("first\nTraceback (most recent call last):\n")
    assert out.endswith("ZeroDivisionError: division by zero\n")


def test_a_forked_child_of_the_code_prints_no_result(tmp_path: Path) -> None:
    code = "import os\nif os.fork() == 0:\n    raise SystemExit(3)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))"
    assert run(tmp_path, "exec", "--local", WSGI, "-c", code) == (0, "3\n", "")


@pytest.mark.slow
def test_the_code_comes_from_an_option_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("\ufeffprint('file')\n", encoding="utf-8")
    for arguments, stdin, out in (
        (("-c", "print('option')"), "print('input')", "option\n"),
        (("-f", "code.py"), "print('input')", "file\n"),
        (("-f", "-"), "print('input')", "input\n"),
        ((), "print('input')\n", "input\n"),
    ):
        assert run(tmp_path, "exec", "--local", WSGI, *arguments, stdin=stdin) == (0, out, "")


def test_arguments_after_two_dashes_are_the_commands(tmp_path: Path) -> None:
    arguments = ("--", "sh", "-c", 'echo "a  b"; exit 3')
    assert run(tmp_path, "command", "--local", WSGI, *arguments) == (3, "a  b\n", "")


def test_the_application_is_the_projects_by_default(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\napp = "app:app"\nsource = "alb"\nruntime = true\n')
    (tmp_path / "app.py").write_text("print('imported')\ndef app(environ, start):\n    return []\n")
    (tmp_path / "variables").write_text("TEA=sencha\n")
    code = "import os, app as module\nprint(module.app is app, os.environ['TEA'])"
    status, out, err = run(tmp_path, "exec", "--local", "-c", code, "--env-file", "variables")
    assert (status, out, err) == (0, "True sencha\n", "imported\n")


def test_the_only_application_in_the_code_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text("from flask import Flask\nshop = Flask(__name__)\n")
    status, out, err = run(tmp_path, "flask", "--local", "-c", "routes")
    assert (status, err) == (0, "Found web:shop: Flask (WSGI) in web.py, line 2.\n")
    assert "/static/<path:filename>" in out


def test_a_shell_command_needs_no_application(tmp_path: Path) -> None:
    (tmp_path / "variables").write_text("TEA=sencha\n")
    arguments = ("command", "--local", "--env-file", "variables", "-c", "echo $TEA")
    assert run(tmp_path, *arguments) == (0, "sencha\n", "")
    (tmp_path / "app.py").write_text("raise SystemExit('imported')\n")
    assert run(tmp_path, "command", "--local", "app:app", "-c", "exit 3") == (3, "", "")


@pytest.mark.parametrize(("command", "framework"), [("manage", "Django"), ("flask", "Flask")])
def test_a_command_of_another_framework_is_one_line(tmp_path: Path, command: str, framework: str) -> None:
    (tmp_path / "app.py").write_text("from bottle import Bottle\napp = Bottle()\n")
    status, out, _ = run(tmp_path, command, "--local", "-c", "check")
    assert status == 1
    assert out.startswith(f"The application is not a {framework} application: its type is bottle.Bottle")
    assert len(out.splitlines()) == 1


def test_a_handler_without_remote_commands_is_reported(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return {'statusCode': 200}\n")
    status, out, err = run(tmp_path, "exec", "--local", "app:handler", "-c", "1")
    assert (status, out) == (1, "")
    assert 'app:handler does not support remote commands: it returned {"statusCode": 200}.' in err


@pytest.mark.slow
def test_manage_runs_the_projects_own_commands(tmp_path: Path) -> None:
    commands = tmp_path / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    (tmp_path / "settings.py").write_text("INSTALLED_APPS = ['shop']\nROOT_URLCONF = 'app'\nALLOWED_HOSTS = ['*']\n")
    (tmp_path / "app.py").write_text(
        "import os\nfrom django.core.wsgi import get_wsgi_application\nurlpatterns = []\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\napp = get_wsgi_application()\n"
    )
    for folder in (tmp_path / "shop", commands.parent, commands):
        (folder / "__init__.py").touch()
    (commands / "brew.py").write_text("""
from django.core.management.base import BaseCommand, CommandError

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("cups", nargs="*")

    def handle(self, *args, cups, **options):
        self.stdout.write(f"brewing {cups}")
        self.stderr.write("hot")
        print("ready")
        if not cups:
            raise CommandError("no cups", returncode=3)
""")
    manage = ("manage", "--local", "app:app")
    assert run(tmp_path, *manage, "-c", "brew 'a b' c") == (0, "brewing ['a b', 'c']\nhot\nready\n", "")
    assert run(tmp_path, *manage, "--", "brew", "a b") == (0, "brewing ['a b']\nhot\nready\n", "")
    assert run(tmp_path, *manage, stdin="brew\n") == (3, "brewing []\nhot\nready\nCommandError: no cups\n", "")


@pytest.mark.slow
def test_the_event_is_serverless_wsgis(fake_lambda: FakeLambda, tmp_path: Path) -> None:
    assert run_remotely(fake_lambda, tmp_path, "flask", "-c", "é", "--qualifier", "live") == (0, "done\n", "")
    path = "/2015-03-31/functions/shop/invocations?Qualifier=live"
    assert fake_lambda.requests == [(path, {"_serverless-wsgi": {"command": "flask", "data": "é"}})]


@pytest.mark.slow
def test_the_exit_status_and_output_are_the_functions(fake_lambda: FakeLambda, tmp_path: Path) -> None:
    fake_lambda.respond([5, "whole\n☕"])
    assert run_remotely(fake_lambda, tmp_path, "exec", "-c", "1") == (5, "whole\n☕", "")


@pytest.mark.slow
def test_an_error_of_a_function_without_commands_says_how_to_enable_them(
    fake_lambda: FakeLambda, tmp_path: Path
) -> None:
    fake_lambda.respond(
        {"errorType": "EventError", "errorMessage": DISABLED_MESSAGE, "stackTrace": ["deep"]}, error=True
    )
    status, out, err = run_remotely(fake_lambda, tmp_path, "exec", "-c", "1")
    assert (status, out) == (1, "")
    assert err == f"bridge: shop failed: EventError: {DISABLED_MESSAGE}\n"
    stage = ("--name", "shop", "--stage", "prod", "--endpoint-url", fake_lambda.url)
    status, out, err = run(tmp_path, "exec", *stage, "-c", "1", **NO_AWS_CONFIG, **CREDENTIALS)
    assert err.endswith("\nFor this deployment: bridge deploy --stage prod --env BRIDGE_REMOTE_COMMANDS=on\n")


def test_missing_aws_configuration_is_one_message(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "exec", "--function", "shop", "-c", "1", **NO_AWS_CONFIG)
    assert (status, out, err) == (1, "", "bridge: You must specify a region. Set it with --region or AWS_REGION.\n")


def test_without_boto3_the_message_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise ModuleNotFoundError(\"No module named 'boto3'\", name='boto3')\n")
    status, out, err = run(tmp_path, "exec", "--function", "shop", "-c", "1", PYTHONPATH=str(tmp_path))
    assert (status, out) == (1, "")
    assert "bridge exec --function needs the package boto3" in err
    assert err.endswith("pip install 'serverless-bridge[remote]'\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("exec", "-c", "1"), "`bridge exec --function NAME`"),
        (("exec", "--function", "a", "--local", "b"), "not allowed with argument --function"),
        (("exec", "--local", "a", "-c", "1", "-f", "x"), "not allowed with argument -c/--command"),
        (
            ("exec", "--local", "a", "--region", "b", "--profile", "c"),
            "--region and --profile do not apply with --local",
        ),
        (("exec", "--function", "a", "--env-file", "b"), "--env-file does not apply with --function"),
        (("exec", "--function", "a", "--opt", "stage=b"), "--opt does not apply with --function"),
        (("exec", "--local", "a", "-f", "nowhere.py"), "--file nowhere.py cannot be read: No such file or directory."),
        (("exec", "--local", "a", "-f", "latin-1"), "latin-1 is not valid UTF-8"),
        (("flask", "--local", "a", "-c", "b", "--", "c"), "The command is given twice: after -- and with -c or -f."),
    ],
)
def test_options_that_exclude_each_other_are_refused(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "latin-1").write_bytes(b"\xe9")
    status, out, err = run(tmp_path, *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_the_env_file_of_the_project_is_ignored_for_a_deployed_function(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\nenv-file = "variables"\n')
    status, _, err = run(tmp_path, "exec", "--function", "shop", "-c", "1", **NO_AWS_CONFIG)
    assert (status, err) == (1, "bridge: You must specify a region. Set it with --region or AWS_REGION.\n")


def test_the_application_may_depend_on_an_option_of_the_framework(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text(
        "custom: {apps: {live: 'app:app'}, wsgi: {app: '${self:custom.apps.${opt:stage}}'}}\n"
        "functions: {web: {handler: bridge.entrypoint.handler}}\n"
    )
    (tmp_path / "app.py").write_text("def app(environ, start_response): ...\n")
    status, out, err = run(tmp_path, "exec", "--local", "--opt", "stage=live", "-c", "print(app.__name__)")
    assert (status, out) == (0, "app\n"), err
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\nstage = "live"\n')
    status, out, err = run(tmp_path, "exec", "--local", "-c", "print(app.__name__)")
    assert (status, out) == (0, "app\n"), err
