"""pip's options for uv."""

from __future__ import annotations

import shlex

import pytest

from bridge.dev.packaging.pip_options import for_uv

CASES = {
    "what uv knows": ("--no-deps -U -i https://a.example --pre", "--no-deps -U -i https://a.example --pre", {}),
    "the target": ("--platform manylinux2014_x86_64 --only-binary=:all: --abi=cp311", "--only-binary=:all:", {}),
    "pip's own words": ("--prefer-binary --progress-bar off --no-input -q", "-q", {}),
    "another name": ("--no-dependencies", "--no-deps", {}),
    "the network": (
        "--timeout 60 --retries=3 --proxy http://p:1",
        "",
        {"UV_HTTP_TIMEOUT": "60", "UV_HTTP_RETRIES": "3", "HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1"},
    ),
    "a value that looks like an option": ("--find-links --debug-wheels", "--find-links --debug-wheels", {}),
    "no value where there must be one": ("--platform", "", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_pips_alone_is_left_out_or_said_in_uvs_way(case: str) -> None:
    given, words, variables = CASES[case]
    assert for_uv(shlex.split(given)) == (words.split(), variables)
