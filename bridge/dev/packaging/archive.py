"""Reads and writes zip files whose bytes depend on nothing but their content.

``zipfile`` compresses again what it copies from another archive, so :func:`write_zip` writes the format itself:
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import shutil
import struct
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING
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
# The levels of libdeflate; zlib has the same up to 9.
FAST, BEST = 6, 12
_CHUNK_SIZE = 1 << 20
# The content of larger files is compressed into a file, and copied from there, in bytes.
_MAX_SIZE_IN_MEMORY = 16 << 20
_DIGEST_SIZE = hashlib.sha256().digest_size
# The limits of the format without its ZIP64 extension; those of Lambda are far lower.
_MAX_ENTRIES, _MAX_BYTES = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes in a file that are too many to keep in memory.

    Attributes:
        file: the file.
        offset: where they begin.
        size: how many there are.
    """

    file: Path
    offset: int
    size: int

    def __len__(self) -> int:
        return self.size

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in parts."""
        rest = self.size
        with self.file.open("rb") as stream:
            stream.seek(self.offset)
            while rest and (chunk := stream.read(min(rest, _CHUNK_SIZE))):
                rest -= len(chunk)
                yield chunk
        if rest:
            raise OSError(errno.EIO, "the file has changed and is shorter now", str(self.file))


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
    data: bytes | FilePart

    def in_folder(self, folder: str) -> ZipEntry:
        """Return the same file with *folder* before its path."""
        return replace(self, path=f"{folder}/{self.path}")

    def compressed_chunks(self) -> Iterator[bytes]:
        """Yield the compressed content in parts."""
        if isinstance(self.data, FilePart):
            yield from self.data.chunks()
        else:
            yield self.data

    def chunks(self) -> Iterator[bytes]:
        """Yield the decompressed content in parts."""
        if self.method != _DEFLATED:
            yield from self.compressed_chunks()
            return
        decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        for chunk in self.compressed_chunks():
            yield decompressor.decompress(chunk, _CHUNK_SIZE)
            while decompressor.unconsumed_tail:
                yield decompressor.decompress(decompressor.unconsumed_tail, _CHUNK_SIZE)
        yield decompressor.flush()

    def content(self) -> bytes:
        """Return the decompressed content."""
        return b"".join(self.chunks())


def make_entry(path: str, content: bytes, *, is_executable: bool = False, level: int = FAST) -> ZipEntry:
    """Return an entry with *content*, compressed if that makes it smaller.

    Args:
        path: the path in the archive.
        content: the content.
        is_executable: whether the file's mode is 755.
        level: ``FAST`` or ``BEST``.
    """
    data, method = _deflate(content, level), _DEFLATED
    if len(data) >= len(content):
        data, method = content, _STORED
    return ZipEntry(path, is_executable, method, zlib.crc32(content), len(content), data)


def make_entry_of_file(path: str, file: Path, temporary: Path, *, level: int = FAST) -> ZipEntry:
    """Return an entry with the content of a file, and with its mode. A large file is not read into memory.

    Args:
        path: the path in the archive.
        file: the file.
        temporary: an existing folder for the compressed content of large files, which the entry refers to.
        level: ``FAST`` or ``BEST``.
    """
    status = file.stat()
    is_executable = bool(status.st_mode & 0o100)
    if status.st_size <= _MAX_SIZE_IN_MEMORY:
        return make_entry(path, file.read_bytes(), is_executable=is_executable, level=level)
    compressor = zlib.compressobj(min(level, 9), zlib.DEFLATED, -zlib.MAX_WBITS)
    crc = size = 0
    descriptor, name = tempfile.mkstemp(dir=temporary)
    with os.fdopen(descriptor, "wb") as compressed, file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_SIZE):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            compressed.write(compressor.compress(chunk))
        compressed.write(compressor.flush())
        compressed_size, method = compressed.tell(), _DEFLATED
    if compressed_size >= size:
        shutil.copyfile(file, name)
        compressed_size, method = size, _STORED
    return ZipEntry(path, is_executable, method, crc, size, FilePart(Path(name), 0, compressed_size))


def compressor_name() -> str:
    """Return the name of the compression library; another library gives other bytes for the same content."""
    return "zlib" if _libdeflate is None else "libdeflate"


def _deflate(content: bytes, level: int) -> bytes:
    if _libdeflate is not None and content:  # libdeflate returns no valid stream for empty content
        return bytes(_libdeflate(content, level))
    compressor = zlib.compressobj(min(level, 9), zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def write_zip(file: Path, entries: Iterable[ZipEntry], *, with_digest: bool = False) -> None:
    """Write an archive atomically, with its entries sorted by path.

    Args:
        file: the archive.
        entries: its entries.
        with_digest: whether the comment of the archive is a digest of its content, for :func:`is_intact`.

    Raises:
        PackagingError: the entries exceed the limits of the format.
        OSError: the file cannot be written.
    """
    with atomic_write(file) as partial, partial.open("wb") as output:
        stream = _DigestingStream(output)
        directory = _write_entries(stream, sorted(entries, key=lambda entry: entry.path), file.name)
        _write_directory(stream, directory, file.name, comment_size=_DIGEST_SIZE if with_digest else 0)
        if with_digest:
            output.write(stream.digest.digest())


def is_intact(file: Path) -> bool:
    """Return whether the content of an archive is that which :func:`write_zip` has written with a digest."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        rest = os.fstat(stream.fileno()).st_size - _DIGEST_SIZE
        while rest > 0 and (chunk := stream.read(min(rest, _CHUNK_SIZE))):
            digest.update(chunk)
            rest -= len(chunk)
        return stream.read() == digest.digest()


def add_entries(file: Path, entries: Iterable[ZipEntry]) -> None:
    """Add entries to an archive of another tool, in their order, atomically.

    All other entries keep every byte: encrypted ones, links, folders, modes, times and comments. An entry with the path
    of a new one is dropped.

    Raises:
        PackagingError: the entries exceed the limits of the format.
        OSError: a file cannot be read or written.
        BadZipFile: the file is not a zip file, it is damaged, or in the format ZIP64.
    """
    new = list(entries)
    replaced = {entry.path for entry in new}
    with ZipFile(file) as archive, file.open("rb") as source, atomic_write(file) as partial:
        infos, comment = archive.infolist(), archive.comment
        starts = sorted({info.header_offset for info in infos} | {archive.start_dir})
        ends = dict(itertools.pairwise(starts))
        with partial.open("wb") as output:
            stream = _DigestingStream(output)
            stream.copy(source, 0, starts[0])
            source.seek(archive.start_dir)
            headers = [_read_header(source) for _ in infos]
            offsets: dict[int, int] = {}
            directory = []
            for info, header in zip(infos, headers, strict=True):
                if info.filename in replaced:
                    continue
                start = info.header_offset
                if start not in offsets:
                    offsets[start] = stream.position
                    stream.copy(source, start, ends[start])
                directory.append(header[:42] + struct.pack("<I", offsets[start]) + header[46:])
            directory += _write_entries(stream, new, file.name, len(directory))
            _write_directory(stream, directory, file.name, comment_size=len(comment))
            stream.write(comment)


class _DigestingStream:
    """Writes to a stream, and keeps the position and the digest of all that is written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.position = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self.digest.update(data)
        self.position += len(data)

    def copy(self, source: IO[bytes], start: int, end: int) -> None:
        """Write the bytes of another file from *start* to *end*."""
        source.seek(start)
        while start < end and (chunk := source.read(min(end - start, _CHUNK_SIZE))):
            self.write(chunk)
            start += len(chunk)


def _read_header(stream: IO[bytes]) -> bytes:
    """Read one header of an archive's directory."""
    fixed = stream.read(46)
    if len(fixed) < 46 or fixed[:4] != b"PK\x01\x02":
        raise BadZipFile("its directory is damaged")
    header = fixed + stream.read(sum(struct.unpack("<HHH", fixed[28:34])))
    if fixed[42:46] == b"\xff\xff\xff\xff":
        raise BadZipFile("the file is in the format ZIP64, which is for archives of more than 4 GB")
    return header


def _write_entries(stream: _DigestingStream, entries: Iterable[ZipEntry], name: str, number: int = 0) -> list[bytes]:
    """Write entries and return their headers for the directory.

    Args:
        stream: the archive.
        entries: the entries.
        name: the name of the archive, for messages.
        number: how many entries the archive has already.
    """
    directory: list[bytes] = []
    for entry in entries:
        path, offset = entry.path.encode(), stream.position
        if number + len(directory) == _MAX_ENTRIES or max(offset + len(entry.data), entry.size) > _MAX_BYTES:
            raise _too_large(name)
        flags = 0 if path.isascii() else _UTF_8
        fields = (flags, entry.method, _TIME, _DATE, entry.crc, len(entry.data), entry.size, len(path))
        stream.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, _VERSION, *fields, 0) + path)
        for chunk in entry.compressed_chunks():
            stream.write(chunk)
        mode = (_REGULAR_FILE | (0o755 if entry.is_executable else 0o644)) << 16
        header = struct.pack("<IHH", 0x02014B50, _MADE_ON_UNIX | _VERSION, _VERSION)
        directory.append(header + struct.pack("<HHHHIIIHHHHHII", *fields, 0, 0, 0, 0, mode, offset) + path)
    return directory


def _write_directory(stream: _DigestingStream, directory: list[bytes], name: str, *, comment_size: int) -> None:
    content, offset, count = b"".join(directory), stream.position, len(directory)
    if offset + len(content) > _MAX_BYTES:
        raise _too_large(name)
    end = (0, 0, count, count, len(content), offset, comment_size)
    stream.write(content + struct.pack("<IHHHHIIH", 0x06054B50, *end))


def _too_large(name: str) -> PackagingError:
    return PackagingError(
        f"{name} would contain more than {_MAX_ENTRIES:,} files or 4 GB, which a zip file cannot hold. Leave files out "
        "with --exclude, or build a container image with --image."
    )


def read_zip(file: Path) -> list[ZipEntry]:
    """Return the entries of an archive, without decompressing them; the content of large ones stays in the file.

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
            data: bytes | FilePart = FilePart(file, stream.tell(), info.compress_size)
            if info.compress_size <= _MAX_SIZE_IN_MEMORY:
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
