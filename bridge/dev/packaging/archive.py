"""Zip files whose bytes follow from what is in them alone, made of parts that are compressed once and used again.

zipfile would compress what it copies from another archive a second time, so the format is written here:
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from bridge.dev.packaging import PackagingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_best: Callable[[bytes, int], bytes | bytearray] | None = None
with contextlib.suppress(ImportError):  # it comes with the extra `package`
    from deflate import deflate_compress as _best

_STORED, _DEFLATED = 0, 8
_MADE_ON_UNIX, _VERSION, _UTF_8 = 3 << 8, 20, 0x800
_TIME, _DATE = 0, (0 << 9) | (1 << 5) | 1  # 1980-01-01, the first that the format knows
_REGULAR = 0o100000
# Lambda takes far less; more than this would need the format's second edition.
_MOST_ENTRIES, _MOST_BYTES = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive.

    Attributes:
        path: its name, with slashes.
        is_program: whether it may be run.
        method: how *data* is compressed.
        crc: the checksum of the content.
        size: the size of the content.
        data: the content as it is in the archive.
    """

    path: str
    is_program: bool
    method: int
    crc: int
    size: int
    data: bytes

    def below(self, folder: str) -> Entry:
        """The same file in *folder*."""
        return replace(self, path=f"{folder}/{self.path}")

    def content(self) -> bytes:
        """The file's content."""
        return zlib.decompress(self.data, -zlib.MAX_WBITS) if self.method == _DEFLATED else self.data


def compressed(path: str, content: bytes, *, is_program: bool = False) -> Entry:
    """An entry for *content*, as small as zip files have it."""
    data = _deflate(content)
    method = _DEFLATED
    if len(data) >= len(content):
        data, method = content, _STORED
    return Entry(path, is_program, method, zlib.crc32(content), len(content), data)


def compressor() -> str:
    """What compresses here: another one gives other bytes."""
    return "zlib" if _best is None else "libdeflate"


def _deflate(content: bytes) -> bytes:
    """The shortest form, by libdeflate, which finds some that are 3 % shorter than zlib's best."""
    if _best is not None and content:  # it makes nothing of nothing
        return bytes(_best(content, 12))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def write_zip(file: Path, entries: Iterable[Entry]) -> None:
    """Write an archive: whole, or not at all.

    Raises:
        PackagingError: there is too much for the format.
        OSError: it cannot be written.
    """
    with whole_file(file) as partial, partial.open("wb") as stream:
        directory, place, count = [], 0, 0
        for entry in sorted(entries, key=lambda entry: entry.path):
            name = entry.path.encode()
            flags = 0 if name.isascii() else _UTF_8
            fields = (flags, entry.method, _TIME, _DATE, entry.crc, len(entry.data), entry.size, len(name))
            stream.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, _VERSION, *fields, 0) + name)
            stream.write(entry.data)
            mode = (_REGULAR | (0o755 if entry.is_program else 0o644)) << 16
            head = struct.pack("<IHH", 0x02014B50, _MADE_ON_UNIX | _VERSION, _VERSION)
            directory.append(head + struct.pack("<HHHHIIIHHHHHII", *fields, 0, 0, 0, 0, mode, place) + name)
            place += 30 + len(name) + len(entry.data)
            count += 1
            if count > _MOST_ENTRIES or place > _MOST_BYTES or entry.size > _MOST_BYTES:
                raise PackagingError(f"{file.name} would have more than {_MOST_ENTRIES} files or 4 GB: use an image.")
        listing = b"".join(directory)
        end = (0, 0, count, count, len(listing), place, 0)
        stream.write(listing + struct.pack("<IHHHHIIH", 0x06054B50, *end))


def read_zip(file: Path) -> list[Entry]:
    """The entries of an archive as they are.

    Raises:
        OSError: it is not there.
        BadZipFile: it is none, or broken.
    """
    entries = []
    with ZipFile(file) as archive, file.open("rb") as stream:
        for info in archive.infolist():
            stream.seek(info.header_offset)
            head = stream.read(30)
            if len(head) < 30 or head[:4] != b"PK\x03\x04":
                raise BadZipFile(f"{file}: no entry where {info.filename} should be")
            stream.seek(sum(struct.unpack("<HH", head[26:30])), os.SEEK_CUR)
            data = stream.read(info.compress_size)
            is_program = bool(info.external_attr >> 16 & 0o100)
            entries.append(Entry(info.filename, is_program, info.compress_type, info.CRC, info.file_size, data))
    return entries


@contextlib.contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """A file beside *file* that takes its place in the end; after an error neither it nor a new folder is left."""
    new = [folder for folder in file.parents if not folder.exists()]
    partial = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        os.close(handle)
        partial = file.with_name(os.path.basename(name))  # noqa: PTH119
        yield partial
        partial.chmod(0o666 & ~_umask())
        partial.replace(file)
    except BaseException:
        if partial is not None:
            partial.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for folder in new:
                folder.rmdir()
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
