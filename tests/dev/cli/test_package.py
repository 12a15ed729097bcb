"""``bridge package``: the artifact's content, that it runs, and that no temporary file is left."""

from __future__ import annotations

import importlib.metadata
import json
import marshal
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from bridge.dev.gateway import Request
from bridge.dev.packaging.bytecode import find_interpreter
from tests.dev.cli.packages import (
    FLASK,
    HOST,
    PLAIN,
    PROJECTS,
    aws_client,
    bare_python,
    build_zip,
    file_digests,
    other_python,
    run_package,
    temporary_folder,
    unpack,
    uv_cache,
    write_files,
    zip_names,
)
from tests.dev.cli.serve_process import BRIDGE, environment
from tests.end_to_end.conftest import rie as rie
from tests.end_to_end.emulator import WITHOUT_ARGUMENT, Emulator

if TYPE_CHECKING:
    from types import CodeType

THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cpython-{THIS.replace('.', '')}"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A project without requirements."""
    return write_files(tmp_path / "plain", {"app.py": PLAIN})


def left_behind(project: Path) -> list[Path]:
    """Return the temporary files of builds that were not removed."""
    return list(temporary_folder(project).glob("bridge-*"))


def read(file: Path, name: str) -> bytes:
    with ZipFile(file) as archive:
        return archive.read(name)


@pytest.fixture(scope="session", params=PROJECTS)
def artifact(request: pytest.FixtureRequest, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project's artifact for this machine, unpacked, and the body of its response to GET /."""
    if HOST is None:
        pytest.skip("Lambda does not have the processor of this machine")
    files, app, answer = PROJECTS[request.param]
    folder = write_files(tmp_path_factory.mktemp("project"), files)
    file = build_zip(folder, cache, app, "--arch", HOST, "--platform", "manylinux_2_17")
    return unpack(file, folder / "unpacked"), answer


@pytest.mark.slow
@pytest.mark.aws
@pytest.mark.parametrize("client", ["awslambdaric", "bridge.runtime", "bootstrap"])
def test_the_artifact_runs_without_installed_packages_and_contains_all_bytecode(
    client: str, artifact: tuple[Path, str], rie: Path, tmp_path: Path
) -> None:
    folder, answer = artifact
    before = file_digests(folder)
    python = bare_python()
    variables = {"PYTHONPYCACHEPREFIX": ""}  # Python would write missing bytecode beside the sources
    if client == "awslambdaric":
        variables["PYTHONPATH"] = str(aws_client(tmp_path / "client"))
    command: list[str] = [*python, "-m", client]
    if client == "bootstrap":  # as Lambda runs AWS_LAMBDA_EXEC_WRAPPER: with the command of its own client
        command = [
            *WITHOUT_ARGUMENT,
            f"exec {folder}/bridge/runtime/bootstrap {' '.join(python)} /var/runtime/bootstrap.py",
        ]
    handler = "bridge.entrypoint.handler"
    with Emulator(rie, folder, handler, tmp_path / "log", variables=variables, command=command) as function:
        for source in ("http-api", "rest-api", "alb"):
            got = function.request(Request("GET", "/"), source)
            assert (got.status, got.body.decode()) == (200, answer), function.log
    assert file_digests(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "machine"), [("arm64", 0xB7), ("x86_64", 0x3E)])
def test_native_requirements_are_for_the_target(arch: str, machine: int, cache: Path, tmp_path: Path) -> None:
    files, app, _ = PROJECTS["fastapi"]
    file = build_zip(write_files(tmp_path, files), cache, app, "--arch", arch, "--python", "3.13")
    native = [name for name in zip_names(file) if name.endswith(".so")]
    assert [re.sub(r".*cpython-313-(\w+)-.*", r"\1", name) for name in native] == [
        {"arm64": "aarch64"}.get(arch, arch) for _ in native
    ]
    assert native
    for name in native:
        head = read(file, name)[:20]
        assert (head[:4], head[18]) == (b"\x7fELF", machine)


@pytest.mark.slow
def test_packages_are_complete_without_records_of_the_installer(cache: Path, tmp_path: Path) -> None:
    files, app, _ = PROJECTS["flask"]
    file = build_zip(write_files(tmp_path, files), cache, app)
    names = zip_names(file)
    assert {"app.py", "data.txt", "flask/app.py", "flask/py.typed", "flask-3.1.2.dist-info/entry_points.txt"} <= names
    assert {"bridge/entrypoint.py", "asgiref/wsgi.py", f"bridge/__pycache__/entrypoint.{TAG}.pyc"} <= names
    assert not [name for name in names if re.search(r"^bin/|direct_url|INSTALLER|REQUESTED|/\.lock", name)]
    assert {"bridge/__init__.py", "bridge/runtime/bootstrap"} <= names
    assert not [name for name in names if name.startswith("bridge/dev/")]
    assert json.loads(read(file, ".serverless-wsgi")) == {"app": "app:app"}
    with ZipFile(file) as archive:
        assert archive.getinfo("bridge/runtime/bootstrap").external_attr >> 16 == 0o100755
        record = archive.read("flask-3.1.2.dist-info/RECORD").decode().splitlines()
    assert {line.split(",")[0] for line in record} <= names


@pytest.mark.slow
def test_builds_in_different_folders_without_a_cache_give_the_same_bytes(tmp_path: Path) -> None:
    files, app, _ = PROJECTS["fastapi"]
    made: list[bytes] = []
    for name in ("here", "there/deeper"):
        folder = write_files(tmp_path / name, files)
        made.append(
            build_zip(folder, tmp_path / f"cache-of-{folder.name}", app, PYTHONHASHSEED=str(len(made))).read_bytes()
        )
        time.sleep(1.1)  # so that times differ
    assert made[0] == made[1]


@pytest.mark.slow
def test_uv_and_pip_give_the_same_files(cache: Path, tmp_path: Path) -> None:
    pip = shutil.which("pip")
    if pip is None:
        pytest.skip("pip is not installed")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "pip").symlink_to(pip)
    files, app, _ = PROJECTS["flask"]
    contents = []
    for name, path in (("uv", os.environ["PATH"]), ("pip", f"{programs}:/usr/bin:/bin")):
        if name == "pip" and shutil.which("uv", path=path):
            pytest.skip("uv is installed in a system folder and cannot be hidden")
        folder = write_files(tmp_path / name, files)
        file = build_zip(folder, tmp_path / "caches" / name, app, "--arch", "arm64", PATH=path)
        contents.append({entry for entry in zip_names(file) if not entry.endswith("RECORD")})
    assert contents[0] == contents[1]


def test_bytecode_is_unchecked_and_names_the_folder_of_lambda(plain: Path, cache: Path) -> None:
    compiled = read(build_zip(plain, cache, "app:app"), f"__pycache__/app.{TAG}.pyc")
    assert int.from_bytes(compiled[4:8], "little") == 1  # hash-based, unchecked: PEP 552
    code: CodeType = marshal.loads(compiled[16:])
    assert code.co_filename == "/var/task/app.py"


def test_no_bytecode_leaves_it_out(plain: Path, cache: Path) -> None:
    names = zip_names(build_zip(plain, cache, "app:app", "--no-bytecode"))
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_an_interpreter_of_the_targets_version_compiles(version: str, plain: Path, cache: Path) -> None:
    if version == THIS or (python := find_interpreter(version)) is None:
        pytest.skip(f"no other Python {version} is installed")
    file = build_zip(plain, cache, "app:app", "--python", version)
    compiled = read(file, f"__pycache__/app.cpython-{version.replace('.', '')}.pyc")
    magic = subprocess.check_output(
        [python, "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"], text=True
    )
    assert compiled[:4].hex() == magic.strip()


def test_without_an_interpreter_of_the_targets_version_there_is_a_warning(plain: Path, tmp_path: Path) -> None:
    version, env = other_python(tmp_path / "machine")
    status, _, err = run_package(plain, tmp_path / "empty-cache", "app:app", "--python", version, **env)
    assert status == 0
    assert f"There is no Python {version} on this machine to compile bytecode with" in err
    assert not [name for name in zip_names(plain / "build" / "function.zip") if name.endswith(".pyc")]


def test_only_the_artifact_is_written_into_the_project(plain: Path, cache: Path) -> None:
    before = file_digests(plain)
    build_zip(plain, cache, "app:app")
    after = file_digests(plain)
    assert set(after) - set(before) == {"build", "build/function.zip"}
    assert {name: after[name] for name in before} == before
    assert left_behind(plain) == []


def test_the_size_of_each_package_is_printed(plain: Path, cache: Path) -> None:
    status, out, _ = run_package(plain, cache, "app:app")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["serverless-bridge", "asgiref"]
    assert re.search(r"^your code +\d+\.\d KiB +\d+\.\d KiB$", out, re.MULTILINE)
    assert re.search(r"^total +\d+\.\d [KM]iB +\d+\.\d KiB$", out, re.MULTILINE)
    assert re.search(r"^build/function\.zip \(\d+\.\d KiB\)$", out, re.MULTILINE)


@pytest.mark.slow
def test_an_artifact_above_lambdas_limits_is_a_warning(plain: Path, cache: Path) -> None:
    (plain / "noise.bin").write_bytes(os.urandom(51 * 1024 * 1024))
    with (plain / "zeros.bin").open("wb") as stream:
        stream.truncate(210 * 1024 * 1024)
    status, _, err = run_package(plain, cache, "app:app")
    assert status == 0
    assert "Lambda takes up to 50.0 MiB in an upload" in err
    assert "Lambda takes up to 250.0 MiB, layers included" in err


def test_layer_writes_the_requirements_into_a_second_zip(plain: Path, cache: Path) -> None:
    code = build_zip(plain, cache, "app:app", "--layer")
    layer = plain / "build" / "function-layer.zip"
    assert zip_names(code) == {"app.py", f"__pycache__/app.{TAG}.pyc", ".serverless-wsgi"}
    assert all(name.startswith("python/") for name in zip_names(layer))
    compiled = read(layer, f"python/bridge/__pycache__/entrypoint.{TAG}.pyc")
    assert marshal.loads(compiled[16:]).co_filename == "/opt/python/bridge/entrypoint.py"


@pytest.mark.slow
def test_image_writes_a_folder_for_docker(plain: Path, cache: Path) -> None:
    for _ in range(2):  # the second replaces the first
        status, _, err = run_package(
            plain, cache, "app:app", "--image", "--arch", "arm64", "--python", "3.13", "--no-bytecode"
        )
        assert status == 0, err
    folder = plain / "build" / "image"
    dockerfile = (folder / "Dockerfile").read_text()
    assert "FROM public.ecr.aws/lambda/python:3.13-arm64\n" in dockerfile
    assert 'CMD ["bridge.entrypoint.handler"]' in dockerfile
    assert (folder / "code" / "app.py").read_text() == PLAIN
    assert (folder / "requirements" / "bridge" / "runtime" / "bootstrap").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in (plain / "build").iterdir()) == ["image"]


def test_image_does_not_replace_a_folder_that_it_did_not_write(plain: Path, cache: Path) -> None:
    write_files(plain, {"mine/Dockerfile": "FROM scratch\n"})
    status, _, err = run_package(plain, cache, "app:app", "--image", "-o", "mine")
    assert status == 1
    assert "mine exists and was not made by `bridge package --image`" in err
    assert (plain / "mine" / "Dockerfile").read_text() == "FROM scratch\n"


@pytest.mark.slow
def test_the_last_pattern_on_the_command_line_decides(plain: Path, cache: Path) -> None:
    write_files(
        plain, {"a.csv": "", "b.csv": "", ".env": "A=1", "tests/test_a.py": "", ".gitignore": "*.log\n", "x.log": ""}
    )
    file = build_zip(plain, cache, "app:app", "--exclude", "*.csv", "--include", "b.csv", "--include", "x.log")
    own = {name for name in zip_names(file) if "/" not in name}
    assert own == {"app.py", "b.csv", "x.log", ".serverless-wsgi"}
    assert "asgiref/wsgi.py" in zip_names(file)
    assert "asgiref/wsgi.py" not in zip_names(build_zip(plain, cache, "app:app", "--exclude", "asgiref/wsgi.py"))


@pytest.mark.slow
def test_earlier_artifacts_are_left_out(plain: Path, cache: Path) -> None:
    write_files(plain, {"build/index.js": "", "build/data.zip": "no zip"})
    build_zip(plain, cache, "app:app", "--layer", "-o", "build/arm.zip", "--arch", "arm64")
    build_zip(plain, cache, "app:app", "-o", "build/other.zip")
    assert run_package(plain, cache, "app:app", "--image")[0] == 0
    own = {name for name in zip_names(build_zip(plain, cache, "app:app")) if name.startswith("build/")}
    assert own == {"build/index.js", "build/data.zip"}
    (plain / "build/function.zip").rename(plain / "earlier.zip")
    status, _, err = run_package(plain, cache, "app:app", "-o", "out/f.zip")
    assert status == 0
    assert "Left out, because earlier builds have made them: build/arm-layer.zip, build/arm.zip, build/image, " in err
    assert {name for name in zip_names(plain / "out/f.zip") if name.endswith(".zip")} == {"build/data.zip"}


@pytest.mark.slow
def test_the_best_compression_is_used_on_request(plain: Path, cache: Path) -> None:
    write_files(plain, {"words.txt": Path(__file__).read_text() * 3})
    fast, best = (
        build_zip(plain, cache, "app:app", *option).stat().st_size for option in ((), ("--best-compression",))
    )
    assert best < fast


def test_secrets_and_ignored_files_are_left_out_with_a_warning(plain: Path, cache: Path) -> None:
    write_files(plain, {".env": "A=1", ".gitignore": "*.log\n", "x.log": ""})
    status, _, err = run_package(plain, cache, "app:app")
    assert status == 0
    assert "Left out, because they may contain secrets: .env. To include one: --include .env\n" in err
    assert "Left out, because of .gitignore: 1 file or folder." in err


@pytest.mark.slow
def test_slim_leaves_out_the_packages_of_lambdas_runtime(plain: Path, cache: Path) -> None:
    write_files(plain, {"requirements.txt": "boto3\nmarkupsafe\n"})
    whole = zip_names(build_zip(plain, cache, "app:app"))
    assert "boto3/__init__.py" in whole
    assert "markupsafe/_speedups.pyi" in whole
    slim = zip_names(build_zip(plain, cache, "app:app", "--slim"))
    assert {name.partition("/")[0] for name in slim if not name.startswith(("bridge", "asgiref", "serverless"))} == {
        "__pycache__", "app.py", "requirements.txt", ".serverless-wsgi", "markupsafe",
        *(name.partition("/")[0] for name in whole if name.lower().startswith("markupsafe-")),
    }  # fmt: skip
    assert "markupsafe/_speedups.pyi" not in slim


@pytest.mark.slow
def test_slim_keeps_the_metadata_that_importlib_reads(cache: Path, tmp_path: Path) -> None:
    files, app, _ = PROJECTS["flask"]
    file = build_zip(write_files(tmp_path / "project", files), cache, app, "--slim")
    info = {name.partition("/")[2] for name in zip_names(file) if name.startswith("flask-3.1.2.dist-info/")}
    assert info == {"METADATA", "entry_points.txt", "licenses/LICENSE.txt"}
    place = unpack(file, tmp_path / "unpacked") / "flask-3.1.2.dist-info"
    distribution = importlib.metadata.PathDistribution(place)
    assert (distribution.version, distribution.metadata["Name"]) == ("3.1.2", "Flask")
    assert "\n\n" not in (place / "METADATA").read_text()  # the README follows an empty line
    assert [each.name for each in distribution.entry_points] == ["flask"]
    assert "werkzeug>=3.1.0" in (distribution.requires or [])


def test_the_projects_settings_file_is_kept_with_the_packaged_application(plain: Path, cache: Path) -> None:
    write_files(plain, {".serverless-wsgi": '{"app": "old.app", "base_path": "/shop"}'})
    file = build_zip(plain, cache, "app:app", "--text-types", "application/x-tex, font/*")
    assert json.loads(read(file, ".serverless-wsgi")) == {
        "app": "app:app", "base_path": "/shop", "text_mime_types": ["application/x-tex", "font/*"],
    }  # fmt: skip


def test_the_application_in_pyproject_is_the_default(plain: Path, cache: Path) -> None:
    write_files(plain, {"pyproject.toml": '[tool.bridge]\napp = "app:app"\n'})
    assert json.loads(read(build_zip(plain, cache), ".serverless-wsgi")) == {"app": "app:app"}


def test_the_only_application_in_the_code_is_packaged(plain: Path, cache: Path) -> None:
    status, _, err = run_package(plain, cache, "--no-bytecode")
    assert (status, err.splitlines()[0]) == (0, "Found app:app: function (WSGI) in app.py, line 2.")
    assert json.loads(read(plain / "build/function.zip", ".serverless-wsgi")) == {"app": "app:app"}


def test_a_configuration_that_cannot_be_read_is_named(cache: Path, tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "serverless.ts": "module.exports = {}"})
    _, _, err = run_package(shop, cache, "--no-bytecode", PATH=str(Path(sys.executable).parent))
    assert err.startswith("serverless.ts is a program that the Serverless Framework runs.")


def test_the_application_in_serverless_yml_may_depend_on_an_option(plain: Path, cache: Path) -> None:
    reference = "custom: {apps: {live: 'app:app'}, wsgi: {app: '${self:custom.apps.${opt:stage}}'}}\n"
    write_files(plain, {"serverless.yml": f"{reference}functions: {{web: {{handler: bridge.entrypoint.handler}}}}\n"})
    file = build_zip(plain, cache, "--opt", "stage=live", "--no-bytecode")
    assert json.loads(read(file, ".serverless-wsgi")) == {"app": "app:app"}


def test_a_project_with_several_applications_is_a_usage_error(plain: Path, cache: Path) -> None:
    one = "{handler: bridge.entrypoint.handler, events: [httpApi: 'GET /%s'], environment: {BRIDGE_APP: '%s'}}"
    functions = {name: one % (name, app) for name, app in (("a", "app:app"), ("b", "app:app"), ("c", "web:app"))}
    lines = "".join(f"  {name}: {config}\n" for name, config in functions.items())
    write_files(plain, {"serverless.yml": f"functions:\n{lines}"})
    status, _, err = run_package(plain, cache, "--no-bytecode")
    assert status == 2
    assert "The project has several applications. Name one on the command line:\n  bridge package app:app\n" in err


@pytest.mark.slow
def test_options_in_pyproject_are_defaults_for_the_command_line(plain: Path, cache: Path) -> None:
    table = (
        'app = "app:app"\npython = "3.99"\narch = "arm64"\nplatform = "manylinux_2_28"\nslim = true\n'
        'requirements = ["needs/prod.txt"]\npip-args = ["--no-build-isolation"]\ntext-types = ["font/*", "image/x"]\n'
        'exclude = ["*.csv"]\ninclude = ["b.csv"]\n'
    )
    files = {"pyproject.toml": f"[tool.bridge]\n{table}", "needs/prod.txt": "markupsafe\n", "needs/dev.txt": "six\n"}
    write_files(plain, {**files, "a.csv": "", "b.csv": ""})
    options = ("--no-bytecode", "--python", "3.13")
    file = build_zip(plain, cache, *options)
    assert json.loads(read(file, ".serverless-wsgi"))["text_mime_types"] == ["font/*", "image/x"]
    names = zip_names(file)
    assert "b.csv" in names
    assert "a.csv" not in names
    assert "markupsafe/_speedups.cpython-313-aarch64-linux-gnu.so" in names
    assert "markupsafe/_speedups.pyi" not in names

    words = shlex.split("--arch x86_64 --platform manylinux_2_17 --no-slim -r needs/dev.txt --text-types a/b")
    file = build_zip(plain, cache, *options, *words, "--exclude", "b.csv", "--include", "a.csv")
    assert json.loads(read(file, ".serverless-wsgi"))["text_mime_types"] == ["a/b"]
    names = zip_names(file)
    assert {"six.py", "a.csv"} <= names
    assert not {"b.csv", "markupsafe/__init__.py"} & names
    status, _, err = run_package(plain, cache)
    assert (status, "--python 3.99" in err) == (2, True)


@pytest.mark.slow
def test_each_kind_of_project_is_installed(cache: Path, tmp_path: Path) -> None:
    toml = (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["itsdangerous==2.2.0"]\n'
    )
    dev = '[dependency-groups]\ndev = ["six"]\n'
    pyproject = write_files(tmp_path / "pyproject", {"app.py": PLAIN, "pyproject.toml": toml})
    uv = write_files(tmp_path / "uv", {"app.py": PLAIN, "pyproject.toml": toml + dev})
    subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=uv, check=True)
    hashes = re.findall(r"sha256:[0-9a-f]{64}", (uv / "uv.lock").read_text())[:2]
    pins = "".join(f'{{file = "x", hash = "{each}"}},' for each in hashes)
    lock = f'[[package]]\nname = "itsdangerous"\nversion = "2.2.0"\nfiles = [{pins}]\n'
    dependencies = '[tool.poetry.dependencies]\npython = "^3.11"\nitsdangerous = "^2.1"\n'
    poetry = write_files(tmp_path / "poetry", {"app.py": PLAIN, "pyproject.toml": dependencies, "poetry.lock": lock})
    pipfile = json.dumps({"default": {"itsdangerous": {"version": "==2.2.0", "hashes": hashes}}})
    pipenv = write_files(tmp_path / "pipenv", {"app.py": PLAIN, "Pipfile.lock": pipfile})
    for folder in (pyproject, uv, poetry, pipenv):
        before = file_digests(folder)
        names = zip_names(build_zip(folder, cache, "app:app"))
        assert "itsdangerous-2.2.0.dist-info/METADATA" in names, folder.name
        assert "six.py" not in names
        assert {name: each for name, each in file_digests(folder).items() if "build" not in name} == before


@pytest.mark.slow
def test_local_projects_in_requirements_files_of_the_same_name_are_all_built(plain: Path, cache: Path) -> None:
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    for name in ("one", "two"):
        write_files(plain / name, {
            "requirements.txt": "./lib\n", f"lib/of_{name}/__init__.py": "",
            "lib/pyproject.toml": f'[project]\nname = "of-{name}"\nversion = "1"\n{build}',
        })  # fmt: skip
    file = build_zip(plain, cache, "app:app", "-r", "one/requirements.txt", "-r", "two/requirements.txt")
    assert {"of_one/__init__.py", "of_two/__init__.py"} <= zip_names(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("no-such-package-anywhere", "no-such-package-anywhere was not found"),
        ("itsdangerous==99", "there is no version of itsdangerous==99"),
        ("markupsafe==1.1.1", "markupsafe 1.1.1 has no wheel for Python 3.12 on arm64"),
        ("==1", "cannot be installed"),
        ("-r more.txt", "more.txt"),
    ],
)
def test_a_requirement_that_cannot_be_installed_is_one_message(
    requirement: str, message: str, plain: Path, cache: Path
) -> None:
    write_files(plain, {"requirements.txt": requirement})
    before = file_digests(plain)
    status, out, err = run_package(plain, cache, "app:app", "--arch", "arm64", "--python", "3.12")
    assert (status, out) == (1, "")
    assert message in err
    assert "Traceback" not in err
    assert file_digests(plain) == before
    assert left_behind(plain) == []


@pytest.mark.slow
def test_pure_python_without_a_wheel_is_built_from_its_sources(plain: Path, cache: Path) -> None:
    write_files(plain, {"requirements.txt": "docopt==0.6.2\n"})
    assert "docopt.py" in zip_names(build_zip(plain, cache, "app:app", "--arch", "arm64"))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing:app"], 1, "nothing:app: there is no module 'nothing'"),
        (["web/app:app"], 1, "web/app:app: the project has no folder 'web'"),
        (["broken:app"], 1, "broken:app cannot be imported: broken.py, line 1: "),
        (["../app.py:app"], 1, "is not in the project"),
        (["app:"], 1, "does not name an application"),
        (["app:app", "--exclude", "app.py"], 1, "there is no module 'app' among the project's files"),
        (["app:app", "--python", "3"], 2, "--python 3: this is not a version of Python 3. Write"),
        (
            ["app:app", "--python", "3.15"],
            2,
            "that both Lambda and the bridge have: 3.11, 3.12",
        ),
        (["app:app", "--python", "python3.9"], 2, "--python 3.9: the artifact would not run."),
        (["app:app", "-o", "app.py"], 1, "app.py is not a zip file, and would be overwritten"),
        (["app:app", "--platform", "win32"], 2, "--platform win32"),
        (["app:app", "--arch", "mips"], 2, "invalid choice: 'mips'"),
        (["app:app", "--pip-args", "'"], 2, "--pip-args"),
        (["app:app", "--layer", "--image"], 2, "not allowed with"),
        (["app:app", "--no-bytecode", "--fetch-python"], 2, "cannot be combined with --no-bytecode"),
        (["app:app", "-r", "none.txt"], 1, "--requirements none.txt: there is no such file"),
        (["app:app", "-o", "."], 1, "is a folder"),
        (["app:app", "-o", "app.py/function.zip"], 1, "The artifact cannot be built: "),
        (["app:app", "--pip-args=--no-such-option"], 1, "--no-such-option"),
        ([""], 1, "'' does not name an application"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_invalid_argument_is_one_message(
    arguments: list[str], status: int, message: str, plain: Path, cache: Path
) -> None:
    write_files(plain, {"broken.py": "def app(:\n"})
    before = file_digests(plain)
    actual, out, err = run_package(plain, cache, *arguments)
    assert (actual, out) == (status, "")
    assert message in err
    assert "Traceback" not in err
    assert file_digests(plain) == before
    assert left_behind(plain) == []


@pytest.mark.parametrize(
    ("file", "hides"),
    [("asgiref.py", "asgiref.py"), ("asgiref/__init__.py", "asgiref"), ("asgiref/wsgi.py", "asgiref"),
     ("web/asgiref/__init__.py", "asgiref"), ("asgiref/own.py", None), ("web/in/asgiref.py", None)],
)  # fmt: skip
def test_a_project_file_that_hides_a_requirement_is_a_warning(
    file: str, hides: str | None, plain: Path, cache: Path
) -> None:
    write_files(plain, {file: "", "web/app.py": PLAIN})
    status, _, err = run_package(plain, cache, "web/app:app", "--no-bytecode")
    assert status == 0
    assert [line for line in err.splitlines() if "hides" in line] == [
        f"{hides} of the project hides the requirement asgiref. If that is not intended, give it another name or leave "
        "it out with --exclude."
        for _ in (hides,)
        if hides
    ]


def test_a_project_file_that_hides_the_bridge_is_an_error(plain: Path, cache: Path) -> None:
    write_files(plain, {"bridge.py": ""})
    status, _, err = run_package(plain, cache, "app:app")
    assert status == 1
    assert "bridge.py of the project hides the bridge itself" in err


@pytest.mark.slow
def test_an_invalid_python_file_is_packaged_with_a_warning(plain: Path, cache: Path) -> None:
    write_files(plain, {"template.py": "{{ name }} = (\n"})
    for _ in range(2):  # the second time from the cache
        status, _, err = run_package(plain, cache, "app:app")
        assert status == 0
        assert f"because they are not valid Python {THIS}: template.py." in err
    assert "template.py" in zip_names(plain / "build" / "function.zip")


def test_an_error_names_the_file_that_cannot_be_read(plain: Path, cache: Path) -> None:
    (plain / "closed.txt").symlink_to("/proc/self/mem")  # reading it at position 0 fails, even for root
    status, out, err = run_package(plain, cache, "app:app", "--include", "closed.txt")
    assert (status, out) == (1, "")
    assert err == (
        "bridge: closed.txt cannot be read: Input/output error. Make it readable, or leave it out: "
        "--exclude /closed.txt\n"
    )
    build_zip(plain, cache, "app:app", "--exclude", "/closed.txt")


@pytest.mark.slow
def test_concurrent_builds_share_the_cache(plain: Path, tmp_path: Path) -> None:
    write_files(plain, {"requirements.txt": "markupsafe\n"})
    words = ("app:app", "--arch", "arm64", "-o")
    with ThreadPoolExecutor(4) as threads:
        done = list(
            threads.map(lambda n: run_package(plain, tmp_path / "cache", *words, str(tmp_path / f"{n}.zip")), range(4))
        )
    assert [status for status, _, _ in done] == [0] * 4, done
    assert len({(tmp_path / f"{number}.zip").read_bytes() for number in range(4)}) == 1


@pytest.mark.slow
def test_a_full_disk_is_one_message_and_leaves_the_earlier_artifact_unchanged(plain: Path, cache: Path) -> None:
    file = build_zip(plain, cache, "app:app")
    before = file.read_bytes()
    (plain / "noise.bin").write_bytes(os.urandom(2_000_000))
    limited = ["sh", "-c", f'ulimit -f 1000; exec "{BRIDGE}" package app:app']  # the unit is 512 bytes or 1 KiB
    env = environment(XDG_CACHE_HOME=str(cache), UV_CACHE_DIR=uv_cache(), TMPDIR=str(temporary_folder(plain)))
    done = subprocess.run(limited, cwd=plain, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert re.search(r"^bridge: The artifact cannot be built: .*File too large\.$", done.stderr, re.MULTILINE)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["function.zip"]
    assert left_behind(plain) == []


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_ignored(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "no-folder").write_text("")
    assert build_zip(plain, tmp_path / "no-folder", "app:app").is_file()
    assert left_behind(plain) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_files(number: signal.Signals, plain: Path, tmp_path: Path) -> None:
    write_files(plain, {"requirements.txt": "flask\npydantic\n"})
    before = file_digests(plain)
    env = environment(
        XDG_CACHE_HOME=str(tmp_path / "cache"), UV_CACHE_DIR=uv_cache(), TMPDIR=str(temporary_folder(plain))
    )
    temporary_folder(plain).mkdir()
    stopped = 0
    for seconds in (0.05, 0.3, 0.8, 1.4):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        process = subprocess.Popen(
            [BRIDGE, "package", "app:app"],
            cwd=plain,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while not left_behind(plain) and process.poll() is None:  # until the build has begun
            time.sleep(0.01)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, number) if number == signal.SIGINT else process.terminate()
        _, err = process.communicate(timeout=30)
        if (plain / "build" / "function.zip").exists():  # the build was faster
            break
        assert process.returncode == 128 + number
        assert "Traceback" not in err
        assert file_digests(plain) == before
        assert left_behind(plain) == []
        assert not [path for path in (tmp_path / "cache").rglob("*") if path.name.startswith(".") and path.is_dir()]
        stopped += 1
    assert stopped


@pytest.mark.slow
def test_a_progress_bar_is_shown_only_on_a_terminal(plain: Path, cache: Path) -> None:
    ours, theirs = pty.openpty()
    env = environment(XDG_CACHE_HOME=str(cache), UV_CACHE_DIR=uv_cache(), TERM="xterm", COLUMNS="80")
    done = subprocess.Popen(
        [BRIDGE, "package", "app:app"], cwd=plain, env=env, stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    out, _ = done.communicate(timeout=30)
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert done.returncode == 0
    assert b"Installing requirements" in shown
    assert "Installing" not in out
    status, piped, err = run_package(plain, cache, "app:app")
    assert (status, piped) == (0, out)
    assert "Installing" not in err


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.slow
def test_a_second_build_needs_no_network(cache: Path, tmp_path: Path) -> None:
    files: dict[str, Any] = {"app.py": FLASK, "data.txt": "", "requirements.txt": "flask\n"}
    folder = write_files(tmp_path / "project", files)
    first = build_zip(folder, cache, "app:app").read_bytes()
    nowhere = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty"), "PIP_CONFIG_FILE": os.devnull}
    status, _, _ = run_package(folder, tmp_path / "other-cache", "app:app", **nowhere)
    assert status == 1
    # The cache's key contains uv's variables, so the network is cut off by a proxy that does not exist.
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    assert build_zip(folder, cache, "app:app", **dead).read_bytes() == first
