"""Options of pip's own, as uv understands them: people have them in their configuration, and need not change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What uv does in any case, or what is about pip's own words, and the target's: function and options of ours say that.
# https://pip.pypa.io/en/stable/cli/pip_install/
_NOTHING = """
    -I --ignore-installed --no-user --use-pep517 --prefer-binary --no-input --no-clean --debug --require-virtualenv
    --no-warn-script-location --no-warn-conflicts --no-python-version-warning --check-build-dependencies
"""
_NOTHING_WITH_VALUE = """
    --platform --python-version --implementation --abi --upgrade-strategy --src --progress-bar --root-user-action
    --exists-action --use-feature --use-deprecated --resume-retries --log
"""
_OTHER_NAME = {"--no-dependencies": "--no-deps"}
# https://docs.astral.sh/uv/reference/environment/
_VARIABLES = {
    "--timeout": ("UV_HTTP_TIMEOUT",),
    "--default-timeout": ("UV_HTTP_TIMEOUT",),
    "--retries": ("UV_HTTP_RETRIES",),
    "--proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "--client-cert": ("SSL_CLIENT_CERT",),
}


def for_uv(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Words for ``pip install`` as words for ``uv pip install``, and variables for what uv has no option for."""
    alone, with_value = _NOTHING.split(), {*_NOTHING_WITH_VALUE.split(), *_VARIABLES}
    kept: list[str] = []
    variables: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in with_value:
            value = value if equals else next(rest, "")
            variables |= dict.fromkeys(_VARIABLES.get(name, ()), value)
        elif word not in alone:
            kept.append(_OTHER_NAME.get(word, word))
    return kept, variables
