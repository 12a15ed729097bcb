"""Uploads of files."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.examples.browser import Browser

EVERY_BYTE = bytes(range(256))


CONTENTS = [b"", b"just text\n", EVERY_BYTE * 100 + b"\r\n--", b"\r\n" * 50]


# WebOb leaves a large request's temporary file to the garbage collector, behind any server
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_an_uploaded_file_arrives_byte_for_byte(browser: Browser) -> None:
    for content in CONTENTS:
        answer = browser.upload("/upload", "tea leaves.bin", content)
        assert answer.status == 200, answer
        digest = hashlib.sha256(content).hexdigest()
        assert json.loads(answer.body) == {"filename": "tea leaves.bin", "size": len(content), "sha256": digest}
