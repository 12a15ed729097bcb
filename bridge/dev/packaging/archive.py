"""Reads and writes zip files whose bytes depend on nothing but their content.

``zipfile`` compresses again what it copies from another archive, so :func:`write_zip` writes the format itself:
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from bridge.dev.packaging import PackagingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# A dependency of the extra `package`.
_libdeflate: Callable[[bytes, int], bytes | bytearray] | None = None
with contextlib.suppress(ImportError):
    from deflate import deflate_compress as _libdeflate

_STORED, _DEFLATED = 0, 8
_MADE_ON_UNIX, _VERSION, _UTF_8 = 3 << 8, 20, 0x800
_TIME, _DATE = 0, (0 << 9) | (1 << 5) | 1  # 1980-01-01, the earliest date of the format
_REGULAR_FILE = 0o100000
# The limits of the format without its ZIP64 extension; those of Lambda are far lower.
_MAX_ENTRIES, _MAX_BYTES = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file in an archive.

    Attributes:
        path: the path, with slashes.
        is_executable: whether the file's mode is 755 instead of 644.
        method: the compression method of *data*, as the format numbers it.
        crc: the CRC-32 of the content.
        size: the size of the content in bytes.
        data: the compressed content.
    """

    path: str
    is_executable: bool
    method: int
    crc: int
    size: int
    data: bytes

    def in_folder(self, folder: str) -> ZipEntry:
        """Return the same file with *folder* before its path."""
        return replace(self, path=f"{folder}/{self.path}")

    def content(self) -> bytes:
        """Return the decompressed content."""
        return zlib.decompress(self.data, -zlib.MAX_WBITS) if self.method == _DEFLATED else self.data


def make_entry(path: str, content: bytes, *, is_executable: bool = False) -> ZipEntry:
    """Return an entry with *content*, compressed if that makes it smaller."""
    data, method = _deflate(content), _DEFLATED
    if len(data) >= len(content):
        data, method = content, _STORED
    return ZipEntry(path, is_executable, method, zlib.crc32(content), len(content), data)


def compressor_name() -> str:
    """Return the name of the compression library; another library gives other bytes for the same content."""
    return "zlib" if _libdeflate is None else "libdeflate"


def _deflate(content: bytes) -> bytes:
    if _libdeflate is not None and content:  # libdeflate returns no valid stream for empty content
        return bytes(_libdeflate(content, 12))
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def write_zip(file: Path, entries: Iterable[ZipEntry]) -> None:
    """Write an archive atomically, with its entries sorted by path.

    Raises:
        PackagingError: the entries exceed the limits of the format.
        OSError: the file cannot be written.
    """
    with atomic_write(file) as partial, partial.open("wb") as stream:
        directory: list[bytes] = []
        offset = 0
        for entry in sorted(entries, key=lambda entry: entry.path):
            name = entry.path.encode()
            next_offset = offset + 30 + len(name) + len(entry.data)
            if len(directory) == _MAX_ENTRIES or max(next_offset, entry.size) > _MAX_BYTES:
                raise PackagingError(
                    f"{file.name} would contain more than {_MAX_ENTRIES} files or 4 GB, which a zip file cannot hold. "
                    "Leave files out with --exclude, or build a container image with --image."
                )
            flags = 0 if name.isascii() else _UTF_8
            fields = (flags, entry.method, _TIME, _DATE, entry.crc, len(entry.data), entry.size, len(name))
            stream.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, _VERSION, *fields, 0) + name)
            stream.write(entry.data)
            mode = (_REGULAR_FILE | (0o755 if entry.is_executable else 0o644)) << 16
            header = struct.pack("<IHH", 0x02014B50, _MADE_ON_UNIX | _VERSION, _VERSION)
            directory.append(header + struct.pack("<HHHHIIIHHHHHII", *fields, 0, 0, 0, 0, mode, offset) + name)
            offset = next_offset
        central_directory = b"".join(directory)
        count = len(directory)
        end = (0, 0, count, count, len(central_directory), offset, 0)
        stream.write(central_directory + struct.pack("<IHHHHIIH", 0x06054B50, *end))


def read_zip(file: Path) -> list[ZipEntry]:
    """Return the entries of an archive, without decompressing them.

    Raises:
        OSError: the file cannot be read.
        BadZipFile: the file is not a zip file, or it is damaged.
    """
    entries = []
    with ZipFile(file) as archive, file.open("rb") as stream:
        for info in archive.infolist():
            stream.seek(info.header_offset)
            header = stream.read(30)
            if len(header) < 30 or header[:4] != b"PK\x03\x04":
                raise BadZipFile(f"the header of {info.filename} is missing")
            stream.seek(sum(struct.unpack("<HH", header[26:30])), os.SEEK_CUR)
            data = stream.read(info.compress_size)
            is_executable = bool(info.external_attr >> 16 & 0o100)
            entries.append(ZipEntry(info.filename, is_executable, info.compress_type, info.CRC, info.file_size, data))
    return entries


@contextlib.contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces *file* at the end of the ``with`` block.

    After an exception *file* is unchanged, and the temporary file and any folder created for it are removed.
    """
    new_folders = [folder for folder in file.parents if not folder.exists()]
    partial = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        os.close(descriptor)
        partial = Path(name)
        yield partial
        partial.chmod(0o666 & ~_umask())
        partial.replace(file)
    except BaseException:
        if partial is not None:
            partial.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for folder in new_folders:
                folder.rmdir()
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
