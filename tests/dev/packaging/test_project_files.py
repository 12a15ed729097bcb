"""The project's files that go into an artifact."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.project_files import FileList, choose_files, choose_listed_files, read_file_list
from tests.dev.cli.packages import write_files

LISTED = [
    "app.py",
    "web/app.py",
    "web/.env",
    "keys/a.pem",
    "node_modules/htmx/index.js",
    "own/bin/python",
    "own/pyvenv.cfg",
    "__pycache__/app.pyc",
    "tests/data.json",
]


def create(folder: Path, *names: str) -> Path:
    return write_files(folder, {name: name for name in names})


def test_code_templates_and_data_are_included(tmp_path: Path) -> None:
    names = {
        "app.py",
        "shop/__init__.py",
        "shop/templates/index.html",
        "shop/data.bin",
        "names/space/module.py",
        "build/a.js",
    }
    assert set(choose_files(create(tmp_path, *names)).files) == names


@pytest.mark.parametrize(
    "name",
    [".git/config", "__pycache__/app.cpython-311.pyc", "shop/__pycache__/a.pyc", "a.pyc", ".venv/bin/python",
     "node_modules/a/index.js", ".mypy_cache/a", ".serverless/a.zip", "shop.egg-info/PKG-INFO", "tests/test_app.py",
     ".gitignore", ".idea/a.xml", "uv.lock", "serverless.yml"],
)  # fmt: skip
def test_files_of_development_tools_are_left_out(name: str, tmp_path: Path) -> None:
    assert set(choose_files(create(tmp_path, "app.py", name)).files) == {"app.py"}


def test_a_tests_folder_below_the_top_level_is_included(tmp_path: Path) -> None:
    assert set(choose_files(create(tmp_path, "shop/tests/data.json")).files) == {"shop/tests/data.json"}


@pytest.mark.parametrize(
    "name",
    [".env", ".env.prod", ".env~", ".envrc.local", "prod.env", ".ENV", "tls/server.key", "SERVER.KEY", "tls/server.pem",
     "auth/key.p8", "putty.ppk", "id_rsa", "id_ed25519_sk", ".aws/credentials", ".kube/config", ".docker/config.json",
     ".npmrc", ".git-credentials", ".pgpass", ".my.cnf", ".vault-token", "prod.tfvars", "prod.auto.tfvars.json",
     "terraform.tfstate", "service-account.json", "Service-Account-prod.json", "deploy_rsa", "github_deploy_key",
     "accessKeys.csv", "shop-firebase-adminsdk-x1.json", "secrets.yml", ".rclone.conf", ".m2/settings.xml", "pip.conf",
     ".node_repl_history", ".openai_api_key", "token.pickle", "KubeConfig.yaml", ".aws-credentials"],
)  # fmt: skip
def test_secrets_are_left_out_and_reported(name: str, tmp_path: Path) -> None:
    create(tmp_path, "app.py", name)
    for chosen in (choose_files(tmp_path), choose_listed_files(tmp_path, FileList(["app.py", name], ["**"]))):
        assert set(chosen.files) == {"app.py"}
        assert len(chosen.secrets) == 1
        assert name.startswith(chosen.secrets[0])


PRIVATE_KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{'MIIEowIBAAKCAQEA' * 4}\n"
SECRETS = {
    "deploy.txt": (PRIVATE_KEY, "a private key"),
    "key.json": (json.dumps({"key": PRIVATE_KEY.replace("RSA ", "")}), "a private key"),
    "notes.md": (
        "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz"[:40],
        "a secret access key of AWS",
    ),
    "aws.yml": ("SecretAccessKey: '" + "q" * 20 + "A/+9" * 5 + "'", "a secret access key of AWS"),
    "gcp.json": (json.dumps({"type": "service_account", "private_key": "…"}, indent=2), "the key of a service account"),
    "ci.cfg": ("token=ghp_" + "aB3" * 12, "a token of GitHub"),
    "ai.txt": ("key: sk-proj-" + "aB3-" * 12, "a key of OpenAI"),
    "claude.txt": ("sk-ant-api03-" + "aB3_" * 23, "a key of Anthropic"),
    "mail.ini": ("key = SG." + "aB" * 11 + "." + "x" * 43, "a key of SendGrid"),
    "hub.txt": ("hf_" + "aB" * 17, "a token of Hugging Face"),
    "blob.txt": ("AccountName=a;AccountKey=" + "aB" * 43 + "==;", "a key of Azure"),
    "token.json": (json.dumps({"refresh_token": "1//0" + "aB-" * 20}), "a refresh token of Google"),
    "wg0.conf": ("[Interface]\nPrivateKey = " + "a" * 43 + "=\n", "a key of WireGuard"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_files_with_sure_signs_of_secrets_are_left_out_and_reported(name: str, tmp_path: Path) -> None:
    text, sign = SECRETS[name]
    write_files(tmp_path, {"app.py": "", name: text})
    for chosen in (choose_files(tmp_path), choose_listed_files(tmp_path, FileList(["app.py", name], ["**"]))):
        assert (set(chosen.files), chosen.contained_secrets) == ({"app.py"}, {name: sign})
    assert set(choose_files(tmp_path, [f"!{name}"]).files) == {"app.py", name}


def test_a_folder_may_have_the_name_of_an_algorithm(tmp_path: Path) -> None:
    assert set(choose_files(create(tmp_path, "sign_rsa/__init__.py")).files) == {"sign_rsa/__init__.py"}


def test_a_module_with_a_secret_is_packaged_and_reported(tmp_path: Path) -> None:
    chosen = choose_files(write_files(tmp_path, {"app.py": f"KEY = {PRIVATE_KEY!r}"}))
    assert (set(chosen.files), chosen.contained_secrets) == ({"app.py"}, {"app.py": "a private key"})


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN PRIVATE KEY-----\n…\n", "if '-----BEGIN RSA PRIVATE KEY-----' in text:",
     "aws_secret_access_key = ${KEY}",
     "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", '{"type": "service_account"}',
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@home", "sha1: da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "sk-proj-example", "AccountKey=...", "class sk-proj-navigation-menu", "PrivateKey = <base64>"],
)  # fmt: skip
def test_text_that_only_speaks_of_secrets_is_packaged(text: str, tmp_path: Path) -> None:
    chosen = choose_files(write_files(tmp_path, {"notes.md": text, "id_rsa.pub": text}))
    assert (set(chosen.files), chosen.contained_secrets) == ({"notes.md", "id_rsa.pub"}, {})


def test_certificates_without_a_private_key_are_not_secrets(tmp_path: Path) -> None:
    create(tmp_path, "app.py")
    certificate = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
    (tmp_path / "global-bundle.pem").write_text(certificate, encoding="utf-8")
    (tmp_path / "both.pem").write_text(f"{certificate}-----BEGIN RSA PRIVATE KEY-----\n", encoding="utf-8")
    file_list = FileList(["app.py", "global-bundle.pem", "both.pem"])
    for chosen in (choose_files(tmp_path), choose_listed_files(tmp_path, file_list)):
        assert set(chosen.files) == {"app.py", "global-bundle.pem"}
        assert chosen.secrets == ["both.pem"]


def test_a_virtual_environment_of_any_name_is_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "my-env/pyvenv.cfg", "my-env/lib/flask.py")
    assert set(choose_files(tmp_path).files) == {"app.py"}
    assert set(choose_files(tmp_path, ["!/my-env/"]).files) == {"app.py", "my-env/pyvenv.cfg", "my-env/lib/flask.py"}


def test_the_users_patterns_take_precedence_and_the_last_one_decides(tmp_path: Path) -> None:
    create(tmp_path, "app.py", ".env", "data/a.csv", "data/b.csv", "tls/ca.pem", "tests/a.py")
    (tmp_path / ".gitignore").write_text("data/\n")
    assert set(choose_files(tmp_path, ["!.env", "!data/", "data/b.csv", "!tls/ca.pem"]).files) == {
        "app.py", ".env", "data/a.csv", "tls/ca.pem",
    }  # fmt: skip
    assert set(choose_files(tmp_path, ["!tests/"]).files) == {"app.py", "tests/a.py"}


def test_a_path_includes_a_file_in_a_folder_that_is_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "node_modules/htmx/dist/htmx.js", "node_modules/htmx/README", "node_modules/x/htmx.js")
    assert set(choose_files(tmp_path, ["!node_modules/htmx/dist/htmx.js"]).files) == {
        "app.py",
        "node_modules/htmx/dist/htmx.js",
    }


def test_a_name_includes_no_file_in_folders_that_are_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "ca.pem", ".venv/lib/certifi/ca.pem")
    assert set(choose_files(tmp_path, ["!*.pem"]).files) == {"app.py", "ca.pem"}


def test_the_artifact_is_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "build/function.zip", "build/a.js")
    without = [tmp_path / "build" / "function.zip"]
    assert set(choose_files(tmp_path, without=without).files) == {"app.py", "build/a.js"}
    file_list = FileList(["build/function.zip", "app.py"])
    assert set(choose_listed_files(tmp_path, file_list, without=without).files) == {"app.py"}


def test_links_are_followed_but_not_into_their_own_folder_or_to_missing_files(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "shared/lib/a.py")
    (tmp_path / "lib").symlink_to(tmp_path / "shared" / "lib")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "lost").symlink_to(tmp_path / "nothing")
    chosen = choose_files(tmp_path)
    assert set(chosen.files) == {"app.py", "lib/a.py", "shared/lib/a.py"}
    assert chosen.broken_links == ["lost"]


def test_links_out_of_the_project_are_left_out_unless_they_are_named(tmp_path: Path) -> None:
    project = create(tmp_path / "project", "app.py")
    create(tmp_path, "id.txt", "shared/lib/a.py", "shared/lib/b.py")
    (project / "notes.txt").symlink_to(tmp_path / "id.txt")
    (project / "lib").symlink_to("../shared/lib")
    (tmp_path / "shared/lib/c.py").symlink_to("b.py")
    chosen = choose_files(project)
    assert (set(chosen.files), chosen.outside_links) == ({"app.py"}, ["lib", "notes.txt"])
    chosen = choose_files(project, ["!/lib/", "!notes.txt"])
    assert (set(chosen.files), chosen.outside_links) == (
        {"app.py", "lib/a.py", "lib/b.py", "lib/c.py", "notes.txt"},
        [],
    )
    listed = ["app.py", "lib/a.py", "lib/b.py", "notes.txt"]
    chosen = choose_listed_files(project, FileList(listed, ["**"]))
    assert (set(chosen.files), chosen.outside_links) == ({"app.py"}, ["lib", "notes.txt"])
    assert set(choose_listed_files(project, FileList(listed, ["lib/**", "notes.*"])).files) == set(listed)


def test_a_link_to_a_secret_of_the_project_is_one(tmp_path: Path) -> None:
    create(tmp_path, "app.py", ".env")
    (tmp_path / "settings.txt").symlink_to(".env")
    assert choose_files(tmp_path).secrets == [".env", "settings.txt"]


def test_links_to_each_other_are_an_error(tmp_path: Path) -> None:
    create(tmp_path, "app.py")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(PackagingError, match=r"a is a symbolic link that leads back to itself, to b.* --exclude /a"):
        choose_files(tmp_path)
    assert set(choose_files(tmp_path, ["/a", "/b"]).files) == {"app.py"}


def test_files_that_git_tracks_although_they_are_ignored_are_reported(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "static/a.css", "static/b.css", "a.log")
    git = ["git", "-C", str(tmp_path), "-c", "core.excludesFile=/dev/null"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / ".gitignore").write_text("static/\n*.log\n")
    subprocess.run([*git, "add", "-f", "static/a.css"], check=True)
    chosen = choose_files(tmp_path)
    assert (set(chosen.files), chosen.ignored, chosen.tracked) == ({"app.py"}, ["a.log", "static"], ["static/a.css"])


def test_files_whose_names_are_not_utf_8_are_reported(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "data/x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/data/caf\xe9.txt")).write_text("")
    chosen = choose_files(tmp_path)
    assert (set(chosen.files), chosen.undecodable) == ({"app.py", "data/x"}, [r"data/caf\xe9.txt"])


def test_what_earlier_builds_have_made_is_left_out(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "shop/views.py", "data/samples.txt")
    artifacts = {
        "out/bridge.zip": [".serverless-wsgi"],
        "out/layer.zip": ["python/bridge/entrypoint.py"],
        "out/requirements.zip": ["python/flask/app.py", "python/flask-3.1.dist-info/METADATA"],
        "terraform/lambda.ZIP": ["shop/views.py", "other.py"],
        "build/src.zip": ["cart/models.py"],
        "build/prefixed.zip": ["release/src/cart/models.py"],
        "build/flat.zip": ["models.py"],
        "build/function": [".serverless-wsgi"],
        "data/samples.zip": ["samples.txt", "views.py", "__init__.py"],
    }
    write_files(tmp_path, {"src/cart/models.py": "x = 1\n", "src/cart/__init__.py": ""})
    for name, members in artifacts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, "x = 1\n" if member.endswith("models.py") else "")
    folders = {
        "out/image": {"Dockerfile": "# Made by `bridge package`. \nFROM x\n"},
        "sam": {"template.yaml": "Resources: {F: {Metadata: {\n  SamResourceId: F}}}"},
        "assembly": {"cdk.out": "{}"},
        "packaged": {"serverless-state.json": "{}"},
    }
    for folder, files in folders.items():
        write_files(tmp_path / folder, {**files, "app.py": ""})
    chosen = choose_files(tmp_path)
    own = {"app.py", "shop/views.py", "src/cart/models.py", "src/cart/__init__.py", "data/samples.txt"}
    assert set(chosen.files) == {*own, "data/samples.zip"}
    assert set(chosen.artifacts) == {*artifacts, *folders} - {"data/samples.zip"}
    assert "out/bridge.zip" in choose_files(tmp_path, ["!/out/bridge.zip"]).files
    listed = ["app.py", "out/bridge.zip", "assembly/app.py"]
    chosen = choose_listed_files(tmp_path, FileList(listed, ["**"]))
    assert (set(chosen.files), chosen.artifacts) == ({"app.py"}, ["assembly", "out/bridge.zip"])


def test_large_files_and_databases_are_packaged_and_reported(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "notes.db")
    (tmp_path / "model.bin").write_bytes(bytes(6 << 20))
    databases = ["shop.sqlite3", "carts"]
    for name in databases:
        sqlite3.connect(tmp_path / name).execute("create table a (b)").connection.close()
    chosen = choose_files(tmp_path)
    assert set(chosen.files) == {"app.py", "notes.db", "model.bin", *databases}
    assert chosen.sizes == {"model.bin": 6 << 20, **{name: (tmp_path / name).stat().st_size for name in databases}}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_an_error_names_the_folder_that_cannot_be_read(tmp_path: Path) -> None:
    create(tmp_path, "app.py", "closed/a.py")
    (tmp_path / "closed").chmod(0)
    try:
        with pytest.raises(PackagingError, match=r"closed cannot be read: Permission denied"):
            choose_files(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)


def listed_files(folder: Path, *patterns: str) -> set[str]:
    return set(choose_listed_files(create(folder, *LISTED), FileList(LISTED, patterns)).files)


def test_tool_files_and_secrets_in_a_file_list_are_left_out(tmp_path: Path) -> None:
    assert listed_files(tmp_path, "**", "web/**", "*", "**/*") == {"app.py", "web/app.py", "tests/data.json"}


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("web/.env", "web/.env"),
        ("**/.env", "web/.env"),
        ("web/.env*", "web/.env"),
        ("keys/*.pem", "keys/a.pem"),
        ("node_modules/**", "node_modules/htmx/index.js"),
        ("node_modules/htmx/index.js", "node_modules/htmx/index.js"),
        ("own/**", "own/pyvenv.cfg"),
    ],
)
def test_a_pattern_of_the_file_list_that_names_a_file_includes_it(pattern: str, file: str, tmp_path: Path) -> None:
    assert file in listed_files(tmp_path, pattern)


@pytest.mark.parametrize("pattern", ["other/.env", ".env", "keys/b.pem", "node_modules/other/**", "[", "web/*.py"])
def test_a_pattern_of_the_file_list_that_names_another_file_includes_nothing(pattern: str, tmp_path: Path) -> None:
    assert listed_files(tmp_path, pattern) == {"app.py", "web/app.py", "tests/data.json"}


def test_the_users_patterns_take_precedence_over_the_file_lists(tmp_path: Path) -> None:
    create(tmp_path, *LISTED)
    patterns = ["/web/", "!web/.env", "tests", "!/node_modules/htmx/"]
    chosen = choose_listed_files(tmp_path, FileList(LISTED, ["**"]), patterns)
    assert set(chosen.files) == {"app.py", "web/.env", "node_modules/htmx/index.js"}


def test_secrets_and_broken_links_in_a_file_list_are_reported(tmp_path: Path) -> None:
    create(tmp_path, "a/.env")
    (tmp_path / "gone").symlink_to("nowhere")
    chosen = choose_listed_files(tmp_path, FileList(["a/.env", "gone", "never-there"]))
    assert (chosen.files, chosen.secrets, chosen.broken_links) == ({}, ["a/.env"], ["gone"])


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "web/../../secret"])
def test_a_listed_file_outside_the_project_is_an_error(path: str, tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="not in the project"):
        choose_listed_files(tmp_path, FileList([path]))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"files": [1]}', '{"files": ["a"], "asked": [2]}', '{"files": 1}', None]
)
def test_an_invalid_file_list_is_an_error(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "list.json").write_text(content)
    with pytest.raises(PackagingError, match=r"--files .*list\.json: the file"):
        read_file_list(tmp_path / "list.json")


def test_a_file_list_is_read_from_json(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"files": ["a"], "asked": ["*"]}')
    assert read_file_list(tmp_path / "list.json") == FileList(["a"], ["*"])
