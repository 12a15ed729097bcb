"""``bridge package``: what is in the artifact, that it runs, and that nothing is left behind."""

from __future__ import annotations

import importlib.metadata
import json
import marshal
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from bridge.dev.gateway import Request
from bridge.dev.packaging import archive, interpreter
from tests.dev.cli.packages import (
    FLASK,
    HOST,
    PROJECTS,
    aws_client,
    bare_python,
    listing,
    names,
    package,
    packaged,
    temporary,
    unpacked,
    uv_cache,
    write,
)
from tests.dev.cli.serve_process import BRIDGE, environment
from tests.end_to_end.conftest import rie as rie
from tests.end_to_end.emulator import ALONE, Emulator

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType

THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cpython-{THIS.replace('.', '')}"
PLAIN = """
def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"tea"]
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bridge's cache, one for all tests: the first that needs a package fills it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A project without requirements."""
    return write(tmp_path / "plain", {"app.py": PLAIN})


def left_behind(project: Path) -> list[Path]:
    """What a build has put into the folder for temporary files."""
    return list(temporary(project).glob("bridge-*"))


def read(file: Path, name: str) -> bytes:
    with ZipFile(file) as archive:
        return archive.read(name)


@pytest.fixture(scope="session", params=PROJECTS)
def artifact(request: pytest.FixtureRequest, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project's artifact for this machine, unpacked, and what it answers."""
    if HOST is None:
        pytest.skip("this processor is none of Lambda's, so nothing made for Lambda runs here")
    files, app, answer = PROJECTS[request.param]
    folder = write(tmp_path_factory.mktemp("project"), files)
    file = packaged(folder, cache, app, "--arch", HOST, "--platform", "manylinux_2_17")
    return unpacked(file, folder / "unpacked"), answer


@pytest.mark.slow
@pytest.mark.aws
@pytest.mark.parametrize("client", ["awslambdaric", "bridge.runtime", "bootstrap"])
def test_the_artifact_runs_by_itself_and_brings_all_its_bytecode(
    client: str, artifact: tuple[Path, str], rie: Path, tmp_path: Path
) -> None:
    folder, answer = artifact
    before = listing(folder)
    python = bare_python()
    variables = {"PYTHONPYCACHEPREFIX": ""}  # compiled files would be written beside the sources
    if client == "awslambdaric":
        variables["PYTHONPATH"] = str(aws_client(tmp_path / "client"))
    command: list[str] = [*python, "-m", client]
    if client == "bootstrap":  # as Lambda calls a wrapper: with the command of its own client
        command = [*ALONE, f"exec {folder}/bridge/runtime/bootstrap {' '.join(python)} /var/runtime/bootstrap.py"]
    handler = "bridge.entrypoint.handler"
    with Emulator(rie, folder, handler, tmp_path / "log", variables=variables, command=command) as function:
        for source in ("http-api", "rest-api", "alb"):
            got = function.ask(Request("GET", "/"), source)
            assert (got.status, got.body.decode()) == (200, answer), function.log
    assert listing(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "machine"), [("arm64", 0xB7), ("x86_64", 0x3E)])
def test_native_requirements_are_for_the_target(arch: str, machine: int, cache: Path, tmp_path: Path) -> None:
    files, app, _ = PROJECTS["fastapi"]
    file = packaged(write(tmp_path, files), cache, app, "--arch", arch, "--python", "3.13")
    native = [name for name in names(file) if name.endswith(".so")]
    assert [re.sub(r".*cpython-313-(\w+)-.*", r"\1", name) for name in native] == [
        {"arm64": "aarch64"}.get(arch, arch) for _ in native
    ]
    assert native
    for name in native:
        head = read(file, name)[:20]
        assert (head[:4], head[18]) == (b"\x7fELF", machine)


@pytest.mark.slow
def test_what_a_package_has_is_all_there(cache: Path, tmp_path: Path) -> None:
    files, app, _ = PROJECTS["flask"]
    file = packaged(write(tmp_path, files), cache, app)
    found = names(file)
    assert {"app.py", "data.txt", "flask/app.py", "flask/py.typed", "flask-3.1.2.dist-info/entry_points.txt"} <= found
    assert {"bridge/entrypoint.py", "asgiref/wsgi.py", f"bridge/__pycache__/entrypoint.{TAG}.pyc"} <= found
    assert not [name for name in found if re.search(r"^bin/|direct_url|INSTALLER|REQUESTED|/\.lock", name)]
    assert not [name for name in found if re.match(r"bridge/(cli|gateway|packaging|serverless)/", name)]
    assert json.loads(read(file, ".serverless-wsgi")) == {"app": "app:app"}
    with ZipFile(file) as archive:
        assert archive.getinfo("bridge/runtime/bootstrap").external_attr >> 16 == 0o100755
        record = archive.read("flask-3.1.2.dist-info/RECORD").decode().splitlines()
    assert {line.split(",")[0] for line in record} <= found


@pytest.mark.slow
def test_two_runs_in_different_folders_without_any_cache_give_the_same_bytes(tmp_path: Path) -> None:
    files, app, _ = PROJECTS["fastapi"]
    made: list[bytes] = []
    for name in ("here", "there/deeper"):
        folder = write(tmp_path / name, files)
        made.append(
            packaged(folder, tmp_path / f"cache-of-{folder.name}", app, PYTHONHASHSEED=str(len(made))).read_bytes()
        )
        time.sleep(1.1)  # so that times differ
    assert made[0] == made[1]


@pytest.mark.slow
def test_uv_and_pip_give_the_same_files(cache: Path, tmp_path: Path) -> None:
    pip = shutil.which("pip")
    if pip is None:
        pytest.skip("there is no pip here to compare uv with")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "pip").symlink_to(pip)
    files, app, _ = PROJECTS["flask"]
    found = []
    for name, path in (("uv", os.environ["PATH"]), ("pip", f"{programs}:/usr/bin:/bin")):
        if name == "pip" and shutil.which("uv", path=path):
            pytest.skip("uv is among the system's own programs and cannot be hidden")
        folder = write(tmp_path / name, files)
        file = packaged(folder, tmp_path / "caches" / name, app, "--arch", "arm64", PATH=path)
        found.append({entry for entry in names(file) if not entry.endswith("RECORD")})
    assert found[0] == found[1]


def test_bytecode_is_for_the_targets_python_and_asks_for_no_source(plain: Path, cache: Path) -> None:
    compiled = read(packaged(plain, cache, "app:app"), f"__pycache__/app.{TAG}.pyc")
    assert int.from_bytes(compiled[4:8], "little") == 1  # hash-based, unchecked: PEP 552
    code: CodeType = marshal.loads(compiled[16:])
    assert code.co_filename == "/var/task/app.py"


def test_bytecode_is_left_out_if_asked(plain: Path, cache: Path) -> None:
    assert not [name for name in names(packaged(plain, cache, "app:app", "--no-bytecode")) if name.endswith(".pyc")]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_another_python_compiles_for_itself(version: str, plain: Path, cache: Path) -> None:
    if version == THIS or (python := interpreter.find(version)) is None:
        pytest.skip(f"there is no other Python {version} here")
    file = packaged(plain, cache, "app:app", "--python", version)
    compiled = read(file, f"__pycache__/app.cpython-{version.replace('.', '')}.pyc")
    magic = subprocess.check_output(
        [python, "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"], text=True
    )
    assert compiled[:4].hex() == magic.strip()


def test_without_an_interpreter_of_that_version_it_says_what_that_costs(plain: Path, cache: Path) -> None:
    status, _, err = package(plain, cache, "app:app", "--python", "3.99")
    assert status == 0
    assert "There is no Python 3.99 here to compile with" in err
    assert not [name for name in names(plain / "build" / "function.zip") if name.endswith(".pyc")]


def test_the_projects_folder_stays_as_it_was_but_for_the_artifact(plain: Path, cache: Path) -> None:
    before = listing(plain)
    packaged(plain, cache, "app:app")
    after = listing(plain)
    assert set(after) - set(before) == {"build", "build/function.zip"}
    assert {name: after[name] for name in before} == before
    assert left_behind(plain) == []


def test_the_table_has_the_size_of_each_package(plain: Path, cache: Path) -> None:
    status, out, _ = package(plain, cache, "app:app")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["serverless-bridge", "asgiref"]
    assert re.search(r"^your code +\d+\.\d KB +\d+\.\d KB$", out, re.MULTILINE)
    assert re.search(r"^build/function\.zip \(\d+\.\d KB\)$", out, re.MULTILINE)


@pytest.mark.slow
def test_what_lambda_will_not_take_is_told(plain: Path, cache: Path) -> None:
    (plain / "noise.bin").write_bytes(os.urandom(51 * 1024 * 1024))
    with (plain / "zeros.bin").open("wb") as stream:
        stream.truncate(210 * 1024 * 1024)
    status, _, err = package(plain, cache, "app:app")
    assert status == 0
    assert "Lambda takes up to 50.0 MB in an upload" in err
    assert "Lambda takes up to 250.0 MB, layers included" in err


def test_layer_has_the_requirements_apart(plain: Path, cache: Path) -> None:
    code = packaged(plain, cache, "app:app", "--layer")
    layer = plain / "build" / "function-layer.zip"
    assert names(code) == {"app.py", f"__pycache__/app.{TAG}.pyc", ".serverless-wsgi"}
    assert all(name.startswith("python/") for name in names(layer))
    compiled = read(layer, f"python/bridge/__pycache__/adapter.{TAG}.pyc")
    assert marshal.loads(compiled[16:]).co_filename == "/opt/python/bridge/adapter.py"


@pytest.mark.slow
def test_image_is_a_folder_for_docker(plain: Path, cache: Path) -> None:
    for _ in range(2):  # the second replaces the first
        status, _, err = package(
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


def test_image_replaces_no_folder_of_somebody_else(plain: Path, cache: Path) -> None:
    write(plain, {"mine/Dockerfile": "FROM scratch\n"})
    status, _, err = package(plain, cache, "app:app", "--image", "-o", "mine")
    assert status == 1
    assert "is there already, and is nothing that `bridge package --image` made" in err
    assert (plain / "mine" / "Dockerfile").read_text() == "FROM scratch\n"


@pytest.mark.slow
def test_patterns_count_in_the_order_of_the_command_line(plain: Path, cache: Path) -> None:
    write(plain, {"a.csv": "", "b.csv": "", ".env": "A=1", "tests/test_a.py": "", ".gitignore": "*.log\n", "x.log": ""})
    file = packaged(plain, cache, "app:app", "--exclude", "*.csv", "--include", "b.csv", "--include", "x.log")
    own = {name for name in names(file) if "/" not in name}
    assert own == {"app.py", "b.csv", "x.log", ".serverless-wsgi"}
    assert "asgiref/wsgi.py" in names(file)
    assert "asgiref/wsgi.py" not in names(packaged(plain, cache, "app:app", "--exclude", "asgiref/wsgi.py"))


@pytest.mark.slow
def test_what_was_made_for_another_target_stays_out(plain: Path, cache: Path) -> None:
    write(plain, {"build/index.js": "", "build/data.zip": "no zip"})
    packaged(plain, cache, "app:app", "--layer", "-o", "build/arm.zip", "--arch", "arm64")
    packaged(plain, cache, "app:app", "-o", "build/other.zip")
    assert package(plain, cache, "app:app", "--image")[0] == 0
    own = {name for name in names(packaged(plain, cache, "app:app")) if name.startswith("build/")}
    assert own == {"build/index.js", "build/data.zip"}


def test_secrets_and_ignored_files_are_left_out_and_told(plain: Path, cache: Path) -> None:
    write(plain, {".env": "A=1", ".gitignore": "*.log\n", "x.log": ""})
    status, _, err = package(plain, cache, "app:app")
    assert status == 0
    assert "Left out, for secrets do not belong into an artifact: .env." in err
    assert "Left out because of .gitignore: 1 files or folders." in err


@pytest.mark.slow
def test_slim_leaves_out_what_lambda_has(plain: Path, cache: Path) -> None:
    write(plain, {"requirements.txt": "boto3\nmarkupsafe\n"})
    whole = names(packaged(plain, cache, "app:app"))
    assert "boto3/__init__.py" in whole
    assert "markupsafe/_speedups.pyi" in whole
    slim = names(packaged(plain, cache, "app:app", "--slim"))
    assert {name.partition("/")[0] for name in slim if not name.startswith(("bridge", "asgiref", "serverless"))} == {
        "__pycache__", "app.py", "requirements.txt", ".serverless-wsgi", "markupsafe",
        *(name.partition("/")[0] for name in whole if name.lower().startswith("markupsafe-")),
    }  # fmt: skip
    assert "markupsafe/_speedups.pyi" not in slim


@pytest.mark.slow
def test_slim_keeps_of_metadata_what_programs_ask_for(cache: Path, tmp_path: Path) -> None:
    files, app, _ = PROJECTS["flask"]
    file = packaged(write(tmp_path / "project", files), cache, app, "--slim")
    info = {name.partition("/")[2] for name in names(file) if name.startswith("flask-3.1.2.dist-info/")}
    assert info == {"METADATA", "entry_points.txt", "licenses/LICENSE.txt"}
    place = unpacked(file, tmp_path / "unpacked") / "flask-3.1.2.dist-info"
    found = importlib.metadata.PathDistribution(place)
    assert (found.version, found.metadata["Name"]) == ("3.1.2", "Flask")
    assert "\n\n" not in (place / "METADATA").read_text()  # behind which its README stood
    assert [each.name for each in found.entry_points] == ["flask"]
    assert "werkzeug>=3.1.0" in (found.requires or [])


def test_what_libdeflate_compresses_is_what_zlib_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    shorter, longer = [], []
    for content in (b"", b"a", b"tea " * 5000, os.urandom(3000), json.__file__.encode() * 30):
        shorter.append(archive.compressed("x", content))
        with monkeypatch.context() as without:
            without.setattr(archive, "_best", None)
            longer.append(archive.compressed("x", content))
        assert shorter[-1].content() == longer[-1].content() == content
    assert archive.compressor() == "libdeflate"
    assert sum(len(entry.data) for entry in shorter) <= sum(len(entry.data) for entry in longer)


def test_the_projects_own_settings_file_stays_but_for_the_application(plain: Path, cache: Path) -> None:
    write(plain, {".serverless-wsgi": '{"app": "old.app", "base_path": "/shop"}'})
    file = packaged(plain, cache, "app:app", "--text-types", "application/x-tex, font/*")
    assert json.loads(read(file, ".serverless-wsgi")) == {
        "app": "app:app", "base_path": "/shop", "text_mime_types": ["application/x-tex", "font/*"],
    }  # fmt: skip


def test_an_empty_name_is_no_application_and_no_wish_for_none(plain: Path, cache: Path) -> None:
    status, out, err = package(plain, cache, "")
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert not (plain / "build").exists()


def test_the_application_may_be_the_projects(plain: Path, cache: Path) -> None:
    write(plain, {"pyproject.toml": '[tool.bridge]\napp = "app:app"\n'})
    assert json.loads(read(packaged(plain, cache), ".serverless-wsgi")) == {"app": "app:app"}


def test_the_application_may_hang_on_an_option_of_the_framework(plain: Path, cache: Path) -> None:
    reference = "custom: {apps: {live: 'app:app'}, wsgi: {app: '${self:custom.apps.${opt:stage}}'}}\n"
    write(plain, {"serverless.yml": f"{reference}functions: {{web: {{handler: bridge.entrypoint.handler}}}}\n"})
    file = packaged(plain, cache, "--opt", "stage=live", "--no-bytecode")
    assert json.loads(read(file, ".serverless-wsgi")) == {"app": "app:app"}


def test_of_functions_with_different_applications_one_is_to_be_named(plain: Path, cache: Path) -> None:
    one = "{handler: bridge.entrypoint.handler, events: [httpApi: 'GET /%s'], environment: {BRIDGE_APP: '%s'}}"
    functions = {name: one % (name, app) for name, app in (("a", "app:app"), ("b", "app:app"), ("c", "web:app"))}
    write(
        plain, {"serverless.yml": "functions:\n" + "".join(f"  {name}: {said}\n" for name, said in functions.items())}
    )
    status, _, err = package(plain, cache, "--no-bytecode")
    assert (status, err) == (2, "bridge: The project has several applications (app:app, web:app): name one.\n")


@pytest.mark.slow
def test_the_projects_file_says_how_it_is_packaged_and_the_command_line_comes_before_it(
    plain: Path, cache: Path
) -> None:
    table = (
        'app = "app:app"\npython = "3.99"\narch = "arm64"\nplatform = "manylinux_2_28"\nslim = true\n'
        'requirements = ["needs/prod.txt"]\npip-args = ["--no-build-isolation"]\ntext-types = ["font/*", "image/x"]\n'
        'exclude = ["*.csv"]\ninclude = ["b.csv"]\n'
    )
    files = {"pyproject.toml": f"[tool.bridge]\n{table}", "needs/prod.txt": "markupsafe\n", "needs/dev.txt": "six\n"}
    write(plain, {**files, "a.csv": "", "b.csv": ""})
    options = ("--no-bytecode", "--python", "3.13")
    file = packaged(plain, cache, *options)
    assert json.loads(read(file, ".serverless-wsgi"))["text_mime_types"] == ["font/*", "image/x"]
    found = names(file)
    assert "b.csv" in found
    assert "a.csv" not in found
    assert "markupsafe/_speedups.cpython-313-aarch64-linux-gnu.so" in found
    assert "markupsafe/_speedups.pyi" not in found

    words = (
        "--arch",
        "x86_64",
        "--platform",
        "manylinux_2_17",
        "--no-slim",
        "-r",
        "needs/dev.txt",
        "--text-types",
        "a/b",
    )
    file = packaged(plain, cache, *options, *words, "--exclude", "b.csv", "--include", "a.csv")
    assert json.loads(read(file, ".serverless-wsgi"))["text_mime_types"] == ["a/b"]
    found = names(file)
    assert {"six.py", "a.csv"} <= found
    assert not {"b.csv", "markupsafe/__init__.py"} & found
    status, _, err = package(plain, cache)
    assert (status, "3.99" in err) == (1, True)  # there is no wheel of it


@pytest.mark.slow
def test_each_kind_of_project_is_installed(cache: Path, tmp_path: Path) -> None:
    toml = (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["itsdangerous==2.2.0"]\n'
    )
    dev = '[dependency-groups]\ndev = ["six"]\n'
    pyproject = write(tmp_path / "pyproject", {"app.py": PLAIN, "pyproject.toml": toml})
    uv = write(tmp_path / "uv", {"app.py": PLAIN, "pyproject.toml": toml + dev})
    subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=uv, check=True)
    hashes = re.findall(r"sha256:[0-9a-f]{64}", (uv / "uv.lock").read_text())[:2]
    pins = "".join(f'{{file = "x", hash = "{each}"}},' for each in hashes)
    lock = f'[[package]]\nname = "itsdangerous"\nversion = "2.2.0"\nfiles = [{pins}]\n'
    asked = '[tool.poetry.dependencies]\npython = "^3.11"\nitsdangerous = "^2.1"\n'
    poetry = write(tmp_path / "poetry", {"app.py": PLAIN, "pyproject.toml": asked, "poetry.lock": lock})
    pipfile = json.dumps({"default": {"itsdangerous": {"version": "==2.2.0", "hashes": hashes}}})
    pipenv = write(tmp_path / "pipenv", {"app.py": PLAIN, "Pipfile.lock": pipfile})
    for folder in (pyproject, uv, poetry, pipenv):
        before = listing(folder)
        found = names(packaged(folder, cache, "app:app"))
        assert "itsdangerous-2.2.0.dist-info/METADATA" in found, folder.name
        assert "six.py" not in found
        assert {name: each for name, each in listing(folder).items() if "build" not in name} == before


@pytest.mark.slow
def test_a_hash_of_a_lock_that_is_wrong_stops_it(plain: Path, cache: Path) -> None:
    write(plain, {"requirements.txt": f"itsdangerous==2.2.0 --hash=sha256:{'0' * 64}\n"})
    status, _, err = package(plain, cache, "app:app")
    assert status == 1
    assert "Hash mismatch" in err


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["hatchling.build", "setuptools.build_meta"])
def test_a_requirement_in_a_folder_is_built_each_time_and_the_folder_stays_as_it_was(
    backend: str, plain: Path, cache: Path
) -> None:
    build = f'[build-system]\nrequires = ["{backend.partition(".")[0]}"]\nbuild-backend = "{backend}"\n'
    write(plain, {
        "requirements.txt": "-e ./lib  # our own\n", "lib/mylib/__init__.py": "A = 1\n",
        "lib/pyproject.toml": f'[project]\nname = "mylib"\nversion = "1"\n{build}',
    })  # fmt: skip
    before = listing(plain)
    for number in (1, 2):
        (plain / "lib/mylib/__init__.py").write_text(f"A = {number}\n")
        file = packaged(plain, cache, "app:app", "--exclude", "/lib/")
        assert read(file, "mylib/__init__.py") == f"A = {number}\n".encode()
    assert not [name for name in names(file) if name.endswith(".pth")]
    assert b"plain" not in b"".join(read(file, name) for name in names(file) if "mylib" in name)
    after = {name: what for name, what in listing(plain).items() if name.partition("/")[0] != "build"}
    assert after.keys() == before.keys()


@pytest.mark.slow
def test_folders_in_requirements_files_of_one_name_are_all_built(plain: Path, cache: Path) -> None:
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    for name in ("one", "two"):
        write(plain / name, {
            "requirements.txt": "./lib\n", f"lib/of_{name}/__init__.py": "",
            "lib/pyproject.toml": f'[project]\nname = "of-{name}"\nversion = "1"\n{build}',
        })  # fmt: skip
    file = packaged(plain, cache, "app:app", "-r", "one/requirements.txt", "-r", "two/requirements.txt")
    assert {"of_one/__init__.py", "of_two/__init__.py"} <= names(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ("no-such-package-of-anybody", "no-such-package-of-anybody was not found"),
        ("itsdangerous==99", "there is no version of itsdangerous==99"),
        ("markupsafe==1.1.1", "A requirement has no wheel for Python 3.12 on arm64"),
        ("==1", "cannot be installed"),
        ("-r more.txt", "more.txt"),
    ],
)
def test_a_requirement_that_cannot_be_had_is_one_clear_message(
    requirement: str, says: str, plain: Path, cache: Path
) -> None:
    write(plain, {"requirements.txt": requirement})
    before = listing(plain)
    status, out, err = package(plain, cache, "app:app", "--arch", "arm64", "--python", "3.12")
    assert (status, out) == (1, "")
    assert says in err
    assert "Traceback" not in err
    assert listing(plain) == before
    assert left_behind(plain) == []


@pytest.mark.slow
def test_plain_python_of_which_there_are_only_sources_is_built(plain: Path, cache: Path) -> None:
    write(plain, {"requirements.txt": "docopt==0.6.2\n"})
    assert "docopt.py" in names(packaged(plain, cache, "app:app", "--arch", "arm64"))


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["nothing:app"], 1, "nothing:app: there is no module 'nothing'"),
        (["web/app:app"], 1, "web/app:app: the project has no folder 'web'"),
        (["broken:app"], 1, "broken:app cannot be imported: broken.py, line 1"),
        (["../app.py:app"], 1, "is not in the project"),
        (["app:"], 1, "does not name an application"),
        (
            ["app:app", "--exclude", "app.py"],
            1,
            "there is no module 'app' among the files of the project that are packed",
        ),
        (["app:app", "--python", "3"], 2, "--python 3: write a version as 3.12"),
        (["app:app", "--platform", "win32"], 2, "--platform win32"),
        (["app:app", "--arch", "mips"], 2, "invalid choice: 'mips'"),
        (["app:app", "--pip-args", "'"], 2, "--pip-args"),
        (["app:app", "--layer", "--image"], 2, "not allowed with"),
        (["app:app", "--no-bytecode", "--fetch-python"], 2, "--fetch-python means nothing with --no-bytecode"),
        (["app:app", "-r", "none.txt"], 1, "--requirements none.txt: there is no such file"),
        (["app:app", "-o", "."], 1, "is a folder"),
        (["app:app", "-o", "app.py/function.zip"], 1, "The artifact cannot be made: "),
        (["app:app", "--pip-args=--no-such-option"], 1, "--no-such-option"),
        ([], 1, "No application is named"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_clear_message(
    words: list[str], status: int, says: str, plain: Path, cache: Path
) -> None:
    write(plain, {"broken.py": "def app(:\n"})
    before = listing(plain)
    got, out, err = package(plain, cache, *words)
    assert (got, out) == (status, "")
    assert says in err
    assert "Traceback" not in err
    assert listing(plain) == before
    assert left_behind(plain) == []


@pytest.mark.parametrize(
    ("file", "hides"),
    [("asgiref.py", "asgiref.py"), ("asgiref/__init__.py", "asgiref"), ("asgiref/wsgi.py", "asgiref"),
     ("web/asgiref/__init__.py", "asgiref"), ("asgiref/own.py", None), ("web/in/asgiref.py", None)],
)  # fmt: skip
def test_a_project_file_that_hides_a_requirement_is_told(
    file: str, hides: str | None, plain: Path, cache: Path
) -> None:
    write(plain, {file: "", "web/app.py": PLAIN})
    status, _, err = package(plain, cache, "web/app:app", "--no-bytecode")
    assert status == 0
    assert [line for line in err.splitlines() if "hides" in line] == [
        f"{hides} of the project hides the requirement asgiref." for _ in (hides,) if hides
    ]


def test_a_project_file_that_hides_the_bridge_is_refused(plain: Path, cache: Path) -> None:
    write(plain, {"bridge.py": ""})
    status, _, err = package(plain, cache, "app:app")
    assert status == 1
    assert "bridge.py of the project hides the bridge itself" in err


@pytest.mark.slow
def test_a_file_that_is_no_valid_python_is_told_and_packed(plain: Path, cache: Path) -> None:
    write(plain, {"template.py": "{{ name }} = (\n"})
    for _ in range(2):  # also when the cache has it
        status, _, err = package(plain, cache, "app:app")
        assert status == 0
        assert f"Not valid Python {THIS}, packed as it is: template.py." in err
    assert "template.py" in names(plain / "build" / "function.zip")


def test_a_file_that_cannot_be_read_is_named(plain: Path, cache: Path) -> None:
    (plain / "closed.txt").symlink_to("/proc/self/mem")  # its first page is nobody's, not even root's
    status, out, err = package(plain, cache, "app:app")
    assert (status, out) == (1, "")
    assert err == "bridge: closed.txt cannot be read: Input/output error. --exclude leaves it out.\n"
    packaged(plain, cache, "app:app", "--exclude", "closed.txt")


@pytest.mark.slow
def test_several_at_once_are_in_nobodys_way(plain: Path, tmp_path: Path) -> None:
    write(plain, {"requirements.txt": "markupsafe\n"})
    words = ("app:app", "--arch", "arm64", "-o")
    with ThreadPoolExecutor(4) as threads:
        done = list(
            threads.map(lambda n: package(plain, tmp_path / "cache", *words, str(tmp_path / f"{n}.zip")), range(4))
        )
    assert [status for status, _, _ in done] == [0] * 4, done
    assert len({(tmp_path / f"{number}.zip").read_bytes() for number in range(4)}) == 1


@pytest.mark.slow
def test_a_disk_without_room_is_one_clear_message_and_leaves_the_artifact_that_was_there(
    plain: Path, cache: Path
) -> None:
    file = packaged(plain, cache, "app:app")
    before = file.read_bytes()
    (plain / "noise.bin").write_bytes(os.urandom(2_000_000))
    limited = ["sh", "-c", f'ulimit -f 1000; exec "{BRIDGE}" package app:app']  # no file above 512 kB or 1 MB
    env = environment(XDG_CACHE_HOME=str(cache), UV_CACHE_DIR=uv_cache(), TMPDIR=str(temporary(plain)))
    done = subprocess.run(limited, cwd=plain, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert re.search(r"^bridge: The artifact cannot be made: .*File too large\.$", done.stderr, re.MULTILINE)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["function.zip"]
    assert left_behind(plain) == []


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_done_without(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "no-folder").write_text("")
    assert packaged(plain, tmp_path / "no-folder", "app:app").is_file()
    assert left_behind(plain) == []


@pytest.mark.slow
def test_a_cache_that_is_broken_is_made_again(plain: Path, tmp_path: Path) -> None:
    first = packaged(plain, tmp_path / "cache", "app:app").read_bytes()
    parts = list((tmp_path / "cache").rglob("parts/*.zip"))
    for place, part in enumerate(parts):
        part.write_bytes(part.read_bytes()[: -40 if place % 2 else 10])
    assert packaged(plain, tmp_path / "cache", "app:app").read_bytes() == first
    assert len(parts) == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_half_way_leaves_nothing(number: signal.Signals, plain: Path, tmp_path: Path) -> None:
    write(plain, {"requirements.txt": "flask\npydantic\n"})
    before = listing(plain)
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"), UV_CACHE_DIR=uv_cache(), TMPDIR=str(temporary(plain)))
    temporary(plain).mkdir()
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
        while not left_behind(plain) and process.poll() is None:  # it has not begun
            time.sleep(0.01)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, number) if number == signal.SIGINT else process.terminate()
        _, err = process.communicate(timeout=30)
        if process.returncode == 0:  # it was faster
            break
        assert process.returncode == 128 + number
        assert "Traceback" not in err
        assert listing(plain) == before
        assert left_behind(plain) == []
        assert not [path for path in (tmp_path / "cache").rglob("*") if path.name.startswith(".") and path.is_dir()]
        stopped += 1
    assert stopped


@pytest.mark.slow
def test_a_person_sees_a_bar_and_a_pipe_does_not(plain: Path, cache: Path) -> None:
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
    status, piped, err = package(plain, cache, "app:app")
    assert (status, piped) == (0, out)
    assert "Installing" not in err


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # its other end is closed
        return b""


@pytest.mark.slow
def test_a_second_run_asks_nobody(cache: Path, tmp_path: Path) -> None:
    files: dict[str, Any] = {"app.py": FLASK, "data.txt": "", "requirements.txt": "flask\n"}
    folder = write(tmp_path / "project", files)
    first = packaged(folder, cache, "app:app").read_bytes()
    nowhere = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty")}
    status, _, _ = package(folder, tmp_path / "other-cache", "app:app", **nowhere)
    assert status == 1
    # Settings of uv are a part of what went in: the same ones, but no network for anybody.
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    assert packaged(folder, cache, "app:app", **dead).read_bytes() == first
