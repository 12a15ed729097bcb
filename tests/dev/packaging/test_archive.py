"""Zip files: readable by other tools, reproducible, and written atomically."""

from __future__ import annotations

import random
import struct
import subprocess
import tempfile
import tracemalloc
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dev.packaging import PackagingError, archive
from bridge.dev.packaging.archive import make_entry, make_entry_of_file, read_zip, write_zip

ENTRIES = [
    make_entry("b/café.txt", b"tea " * 1000),
    make_entry("a.py", b"x"),
    make_entry("bridge/runtime/bootstrap", b"#!/bin/sh\n" * 9, is_executable=True),
    make_entry("empty", b""),
    make_entry("noise", random.Random(1).randbytes(5000)),
]


def test_zipfile_reads_an_archive(tmp_path: Path) -> None:
    file = tmp_path / "function.zip"
    write_zip(file, ENTRIES)
    with ZipFile(file) as read:
        assert read.testzip() is None
        assert read.namelist() == ["a.py", "b/café.txt", "bridge/runtime/bootstrap", "empty", "noise"]
        assert read.read("b/café.txt") == b"tea " * 1000
        assert {info.date_time for info in read.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        modes = {info.filename: info.external_attr >> 16 for info in read.infolist()}
    assert modes["bridge/runtime/bootstrap"] == 0o100755
    assert modes["a.py"] == 0o100644


def test_unzip_restores_the_modes_of_files(tmp_path: Path) -> None:
    write_zip(tmp_path / "function.zip", ENTRIES)
    done = subprocess.run(["unzip", "-q", "function.zip", "-d", "out"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "bridge/runtime/bootstrap").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "a.py").read_bytes() == b"x"


def test_the_order_of_the_entries_does_not_change_the_bytes(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", ENTRIES)
    write_zip(tmp_path / "b.zip", ENTRIES[::-1])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@given(st.dictionaries(st.text("abcdé/", min_size=1), st.binary(max_size=300), max_size=5))
def test_read_zip_returns_the_entries_that_were_written(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.zip")
        entries = [make_entry(name, data) for name, data in sorted(files.items())]
        write_zip(file, entries)
        assert read_zip(file) == entries
        assert {entry.path: entry.content() for entry in entries} == files


def test_after_an_error_the_existing_file_is_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "function.zip"
    file.write_bytes(b"existing")
    broken = replace(ENTRIES[0], path="z", size=-1)  # the last entry: all others are written before the error
    with pytest.raises(struct.error):
        write_zip(file, [*ENTRIES, broken])
    assert file.read_bytes() == b"existing"
    assert list(tmp_path.iterdir()) == [file]


def test_after_an_error_new_folders_are_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), archive.atomic_write(tmp_path / "build" / "out" / "function.zip"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_more_files_than_the_format_allows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert archive._MAX_ENTRIES == 65_535
    monkeypatch.setattr(archive, "_MAX_ENTRIES", 4)
    with pytest.raises(PackagingError, match="more than 4 files"):
        write_zip(tmp_path / "function.zip", ENTRIES)
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_compressed_and_written_without_being_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MAX_SIZE_IN_MEMORY", 1 << 20)
    monkeypatch.setattr(archive, "_CHUNK_SIZE", 1 << 16)
    texts, noise = tmp_path / "texts", tmp_path / "noise"
    texts.write_bytes(b"tea and cake " * 700_000)
    noise.write_bytes(random.Random(3).randbytes(9 << 20))
    noise.chmod(0o755)
    tracemalloc.start()
    try:
        entries = [make_entry_of_file(file.name, file, tmp_path) for file in (noise, texts)]
        write_zip(tmp_path / "a.zip", entries)
        again = read_zip(tmp_path / "a.zip")
        copied = tmp_path / "copy"
        for entry in again:
            with copied.open("ab") as stream:
                stream.writelines(entry.chunks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20
    assert copied.read_bytes() == noise.read_bytes() + texts.read_bytes()
    with ZipFile(tmp_path / "a.zip") as read:
        assert read.testzip() is None
        assert [(info.filename, info.compress_type, info.external_attr >> 16) for info in read.infolist()] == [
            ("noise", 0, 0o100755),
            ("texts", 8, 0o100644),
        ]


def test_the_best_compression_is_smaller_than_the_default_one() -> None:
    content = Path(archive.__file__).read_bytes() * 5
    fast, best = (make_entry("a", content, level=level) for level in (archive.FAST, archive.BEST))
    assert len(best.data) < len(fast.data)
    assert best.content() == fast.content() == content


def test_an_archive_with_a_digest_is_intact_until_a_byte_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    write_zip(file, ENTRIES, with_digest=True)
    content = file.read_bytes()
    assert archive.is_intact(file)
    assert read_zip(file) == sorted(ENTRIES, key=lambda entry: entry.path)
    for position in (0, 100, len(content) - 40, len(content) - 1):
        file.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert not archive.is_intact(file)
    for damaged in (b"", content[:20], content[:-1]):
        file.write_bytes(damaged)
        assert not archive.is_intact(file)


def test_a_truncated_zip_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    write_zip(file, ENTRIES)
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(BadZipFile):
        read_zip(file)


def test_zlib_decompresses_what_libdeflate_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = (b"", b"a", b"tea " * 5000, random.Random(2).randbytes(3000), b"/usr/lib/python3/json" * 30)
    assert archive.compressor_name() == "libdeflate"
    by_libdeflate = [make_entry("x", content) for content in contents]
    monkeypatch.setattr(archive, "_libdeflate", None)
    by_zlib = [make_entry("x", content) for content in contents]
    for entries in (by_libdeflate, by_zlib):
        assert tuple(entry.content() for entry in entries) == contents
    assert sum(len(entry.data) for entry in by_libdeflate) <= sum(len(entry.data) for entry in by_zlib)
