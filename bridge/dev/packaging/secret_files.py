"""Recognises files with secrets, by their names and by sure signs in their content."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from bridge.dev.packaging.gitignore import expression_of, is_excluded, parse_patterns

if TYPE_CHECKING:
    from pathlib import Path

# The content of longer files is not searched, in bytes.
MAX_TEXT_SIZE = 256 * 1024

# In lower case, as names are compared.
_NAMES = parse_patterns([
    # Environment variables.
    ".env*", "*.env", "*.env~", "*.env.bak", "*.env.local", "*.env.prod*", ".dev.vars",
    # Keys, and what stores them.
    "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pkcs12", "*.ppk", "*.jks", "*.keystore", "*.kdbx", "*.keytab",
    "*.agekey", "*.ovpn", "*.kdb", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "!id_*.pub",
    "ssh_host_*_key", ".ssh/", ".gnupg/", ".password-store/", "secring.*",
    # Passwords and tokens of programs.
    ".netrc", "_netrc", ".git-credentials", ".gitcredentials", ".pypirc", ".npmrc", ".yarnrc", ".htpasswd",
    ".htdigest", ".pgpass", "pgpass.conf", ".pg_service.conf", ".my.cnf", ".mylogin.cnf", ".vault-token",
    ".vault_pass*", ".vault-pass*", ".docker/config.json", ".dockercfg", ".dockerconfigjson", ".kube/", "kubeconfig",
    "*.kubeconfig", ".cargo/credentials*", ".gem/credentials", ".composer/auth.json", ".config/gh/",
    ".databrickscfg", ".s3cfg", ".boto", ".passwd-s3fs", ".snowsql/", ".secrets", ".secrets.*",
    ".streamlit/secrets.toml", "secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml", "secrets.ini", ".secret",
    ".ansible_vault_pass*", ".*_history", ".viminfo", "rclone.conf", ".rclone.conf", ".pip/", "pip.conf", ".condarc",
    ".yarnrc.yml", ".m2/", ".sentryclirc", ".ftpconfig", "sftp-config.json", ".remote-sync.json", ".snowflake/",
    ".dbt/", ".pulumi/", ".mc/", ".*_api_key", "api_key.txt", "kubeconfig.yaml", "kubeconfig.yml",
    # Accounts of clouds.
    ".aws/", ".azure/", ".oci/", ".config/gcloud/", ".gcloud/", "service-account*.json", "service_account*.json",
    "serviceaccount*.json", "client_secret*.json", "application_default_credentials.json", "credentials.json",
    "rootkey.csv", "*accesskeys.csv", "*_credentials.csv", "aws_credentials", ".aws_credentials", "aws-credentials",
    ".aws-credentials", "*firebase-adminsdk*.json", "google-credentials.json", "gcp-key.json", "token.pickle",
    # Terraform writes variables into its plans and states.
    "*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*", "tfplan", "*.tfplan", ".terraformrc", "terraform.rc",
    ".terraform.d/",
])  # fmt: skip

# Names that a folder, such as a Python package, may have.
_FILE_NAMES = parse_patterns(["*_rsa", "*_ecdsa", "*_ed25519", "*_deploy_key"])
_ANY_NAME = expression_of([*_NAMES, *_FILE_NAMES])

# Kinds of secrets: a word without which a file is not searched, and an expression that matches nothing else.
_AWS_KEY = rb"(?<![A-Za-z0-9/+=])(?![A-Za-z0-9/+=]*EXAMPLE)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
_SIGNS: list[tuple[str, bytes, re.Pattern[bytes]]] = [
    (what, word, re.compile(expression, re.MULTILINE | (re.IGNORECASE if word.islower() else 0)))
    for what, word, expression in (
        (
            "a private key",
            b"PRIVATE KEY",
            rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[rn])+(?:[\w-]+: [^\n]*\n)*"
            rb"(?:\s|\\[rn])*[A-Za-z0-9+/=]{24}",
        ),
        ("a private key", b"PuTTY-User-Key-File", rb"^PuTTY-User-Key-File-\d: "),
        (
            "a secret access key of AWS",
            b"aws_secret",
            rb"aws_secret(?:_access)?_key[\"']?\s*(?:=>|[=:,])\s*[\"']?" + _AWS_KEY,
        ),
        ("a secret access key of AWS", b"secretaccesskey", rb"secretaccesskey[\"']?\s*[=:,]\s*[\"']?" + _AWS_KEY),
        (
            "the key of a service account",
            b"service_account",
            rb"\"type\"\s*:\s*\"service_account\"(?=[\s\S]*\"private_key\")"
            rb"|\"private_key\"[\s\S]*\"type\"\s*:\s*\"service_account\"",
        ),
        ("a token of GitHub", b"gh", rb"(?<!\w)gh[pousr]_(?-i:[A-Za-z0-9]{36})(?!\w)"),
        ("a token of GitHub", b"github_pat_", rb"(?<!\w)github_pat_(?-i:\w{82})(?!\w)"),
        ("a token of GitLab", b"glpat-", rb"(?<!\w)glpat-(?-i:[\w-]{20})(?!\w)"),
        ("a token of Slack", b"xox", rb"(?<!\w)xox[abprs]-(?-i:\d{8,}-[\w-]{20,})"),
        ("a secret key of Stripe", b"k_live_", rb"(?<!\w)[rs]k_live_(?-i:[A-Za-z0-9]{24,})"),
        ("a token of PyPI", b"pypi-", rb"(?<!\w)pypi-(?-i:AgEIcHlwaS5vcmc[\w-]{50,})"),
        ("a token of npm", b"npm_", rb"(?<!\w)npm_(?-i:[A-Za-z0-9]{36})(?!\w)"),
        ("a key of Anthropic", b"sk-ant-", rb"(?<!\w)sk-ant-(?-i:[a-z]+\d\d-[\w-]{80,})"),
        ("a key of OpenAI", b"sk-", rb"(?<!\w)sk-(?:proj|svcacct|admin)-(?-i:[\w-]{40,})"),
        ("a key of SendGrid", b"sg.", rb"(?<!\w)SG\.(?-i:[\w-]{22}\.[\w-]{43})(?!\w)"),
        ("a token of Hugging Face", b"hf_", rb"(?<!\w)hf_(?-i:[A-Za-z]{34})(?!\w)"),
        ("a key of Azure", b"accountkey=", rb"accountkey=(?-i:[A-Za-z0-9+/]{86}==)"),
        ("a refresh token of Google", b"refresh_token", rb"\"refresh_token\"\s*:\s*\"1//0(?-i:[\w-]{40,})\""),
        ("a key of WireGuard", b"privatekey", rb"^\s*PrivateKey\s*=\s*(?-i:[A-Za-z0-9+/]{43}=)"),
    )
]


def is_secret_name(path: str, file: Path, *, is_folder: bool) -> bool:
    """Return whether the name of a file or folder is one of secrets, in any case, or of a link's target.

    Args:
        path: the path in the project.
        file: the location. A ``.pem`` file with certificates and no key is no secret.
        is_folder: whether it is a folder.
    """
    names = [path.lower()]
    if file.is_symlink():
        names += [each.lower().strip("/") for each in (str(file.readlink()), os.path.realpath(file))]
    names = [name for name in names if _ANY_NAME.fullmatch(name)]
    patterns = _NAMES if is_folder else [*_NAMES, *_FILE_NAMES]
    return any(is_excluded(name, patterns, is_folder=is_folder) for name in names) and not _is_certificate(file)


def find_secret(content: bytes) -> str | None:
    """Return what secret the content of a file shows, such as ``"a private key"``; None for none, or binary data."""
    if b"\0" in content:
        return None
    lower = content.lower()
    for what, word, expression in _SIGNS:
        if word in (lower if word.islower() else content) and expression.search(content):
            return what
    return None


def _is_certificate(file: Path) -> bool:
    """Return whether a .pem file has certificates without a private key, such as those of a database's authority."""
    if file.suffix.lower() != ".pem":
        return False
    try:
        content = file.read_bytes()
    except OSError:
        return False
    return b"-----BEGIN CERTIFICATE-----" in content and b"PRIVATE KEY-----" not in content
