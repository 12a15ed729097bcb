"""``bridge exec``, ``command``, ``manage`` and ``flask``: where they run, what they print, how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.remote.function import OFF
from tests.dev.cli.serve_process import ASGI, WSGI, run
from tests.remote.lambdas import CREDENTIALS, NOTHING, Lambda

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def lambdas() -> Iterator[Lambda]:
    made = Lambda()
    yield made
    made.close()


def remotely(lambdas: Lambda, folder: Path, command: str, *arguments: str, **more: Any) -> tuple[int, str, str]:
    where = ("--function", "shop", "--endpoint-url", lambdas.url)
    return run(folder, command, *where, *arguments, **NOTHING, **CREDENTIALS, **more)


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_the_output_alone_is_on_standard_output_and_the_status_is_the_codes(tmp_path: Path, app: str) -> None:
    code = (
        "import os, sys\nprint('Grüße')\nos.system('echo from the shell')\nprint('error', file=sys.stderr)\nsys.exit(7)"
    )
    assert run(tmp_path, "exec", "--local", app, "-c", code) == (7, "Grüße\nfrom the shell\nerror\n", "")


def test_an_exception_is_a_traceback_and_status_1(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "exec", "--local", WSGI, "-c", "print('first')\n1 / 0")
    assert (status, err) == (1, "")
    assert out.startswith("first\nTraceback (most recent call last):\n")
    assert out.endswith("ZeroDivisionError: division by zero\n")


def test_a_fork_of_the_code_does_not_answer_as_well(tmp_path: Path) -> None:
    code = "import os\nif os.fork() == 0:\n    raise SystemExit(3)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))"
    assert run(tmp_path, "exec", "--local", WSGI, "-c", code) == (0, "3\n", "")


@pytest.mark.slow
def test_the_code_comes_from_a_word_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("\ufeffprint('file')\n", encoding="utf-8")
    for arguments, stdin, out in (
        (("-c", "print('word')"), "print('input')", "word\n"),
        (("-f", "code.py"), "print('input')", "file\n"),
        (("-f", "-"), "print('input')", "input\n"),
        ((), "print('input')\n", "input\n"),
    ):
        assert run(tmp_path, "exec", "--local", WSGI, *arguments, stdin=stdin) == (0, out, "")


def test_words_after_two_dashes_are_the_commands(tmp_path: Path) -> None:
    words = ("--", "sh", "-c", 'echo "a  b"; exit 3')
    assert run(tmp_path, "command", "--local", WSGI, *words) == (3, "a  b\n", "")


def test_without_an_application_it_is_the_projects(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\napp = "app:app"\nsource = "alb"\nruntime = true\n')
    (tmp_path / "app.py").write_text("print('imported')\ndef app(environ, start):\n    return []\n")
    (tmp_path / "variables").write_text("TEA=sencha\n")
    code = "import os, app as module\nprint(module.app is app, os.environ['TEA'])"
    status, out, err = run(tmp_path, "exec", "--local", "-c", code, "--env-file", "variables")
    assert (status, out, err) == (0, "True sencha\n", "imported\n")


def test_a_handler_of_the_projects_own_says_that_it_knows_no_commands(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return {'statusCode': 200}\n")
    status, out, err = run(tmp_path, "exec", "--local", "app:handler", "-c", "1")
    assert (status, out) == (1, "")
    assert 'app:handler does not know commands; it answered {"statusCode": 200}.' in err


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
def test_a_function_is_asked_with_serverless_wsgis_event(lambdas: Lambda, tmp_path: Path) -> None:
    assert remotely(lambdas, tmp_path, "flask", "-c", "é", "--qualifier", "live") == (0, "done\n", "")
    path = "/2015-03-31/functions/shop/invocations?Qualifier=live"
    assert lambdas.asked == [(path, {"_serverless-wsgi": {"command": "flask", "data": "é"}})]


@pytest.mark.slow
def test_a_functions_status_and_output_are_the_commands(lambdas: Lambda, tmp_path: Path) -> None:
    lambdas.answer([5, "whole\n☕"])
    assert remotely(lambdas, tmp_path, "exec", "-c", "1") == (5, "whole\n☕", "")


@pytest.mark.slow
def test_a_function_with_commands_off_is_a_hint(lambdas: Lambda, tmp_path: Path) -> None:
    lambdas.answer({"errorType": "EventError", "errorMessage": OFF, "stackTrace": ["deep"]}, error=True)
    status, out, err = remotely(lambdas, tmp_path, "exec", "-c", "1")
    assert (status, out) == (1, "")
    assert err == f"bridge: shop failed: EventError: {OFF}\n"


def test_what_is_missing_to_ask_a_function_is_one_message(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "exec", "--function", "shop", "-c", "1", **NOTHING)
    assert (status, out, err) == (1, "", "bridge: You must specify a region. Name it by --region or AWS_REGION.\n")


def test_without_boto3_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise ModuleNotFoundError(\"No module named 'boto3'\", name='boto3')\n")
    status, out, err = run(tmp_path, "exec", "--function", "shop", "-c", "1", PYTHONPATH=str(tmp_path))
    assert (status, out, err) == (1, "", "bridge: This needs boto3: pip install 'serverless-bridge[remote]'\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("exec", "-c", "1"), "--function NAME is a deployed function, --local APP an application here."),
        (("exec", "--function", "a", "--local", "b"), "not allowed with argument --function"),
        (("exec", "--local", "a", "-c", "1", "-f", "x"), "not allowed with argument -c/--command"),
        (("exec", "--local", "a", "--region", "b", "--profile", "c"), "--region and --profile means nothing with it"),
        (("exec", "--function", "a", "--env-file", "b"), "--env-file means nothing with it"),
        (("exec", "--function", "a", "--opt", "stage=b"), "--opt means nothing with it"),
        (("exec", "--local", "a", "-f", "nowhere.py"), "--file nowhere.py cannot be read: No such file or directory."),
        (("exec", "--local", "a", "-f", "latin-1"), "latin-1 cannot be read as UTF-8"),
        (("flask", "--local", "a", "-c", "b", "--", "c"), "stand in place of -c or -f"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "latin-1").write_bytes(b"\xe9")
    status, out, err = run(tmp_path, *arguments)
    assert (status, out) == (2, "")
    assert says in err


def test_a_file_of_variables_that_the_project_names_is_not_for_a_deployed_function(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.bridge]\nenv-file = "variables"\n')
    status, _, err = run(tmp_path, "exec", "--function", "shop", "-c", "1", **NOTHING)
    assert (status, err) == (1, "bridge: You must specify a region. Name it by --region or AWS_REGION.\n")


def test_the_application_may_hang_on_an_option_of_the_framework(tmp_path: Path) -> None:
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
