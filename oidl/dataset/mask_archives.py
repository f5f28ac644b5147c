"""Masks, read one at a time from the published ZIP archives.

A subset has sixteen archives, `…-masks-0.zip` to `…-masks-f.zip`, one for each first digit of an ImageID, with up to
170,000 masks each. `zipfile` takes 1.8 s and 100 MB to open one of them, and an export may need all 48. This
module reads the central directory itself (0.5 s) and keeps 16 bytes for each member; it reads the entry again when the
member is needed. Names are only compared, never used as paths, and nothing is written.

The format is PKWARE's APPNOTE 6.3: section 4.3.7 has the header of a member, 4.3.12 its entry in the central
directory, 4.3.14 to 4.3.16 the records that locate that directory.
"""

import os
import re
import struct
import zlib
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

from oidl.errors import MetadataError
from oidl.model import Failure, Reason

MAX_MASK_BYTES = 64 * 1024 * 1024
"""The largest mask that is read, compressed or not; published masks have a few kilobytes."""

_END = struct.Struct("<4s4H2LH")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_HEADER = struct.Struct("<4s5H3L2H")
_MAX_COMMENT_BYTES = 0xFFFF
_MAX_DIRECTORY_BYTES = 256 * 1024 * 1024
_IS_ENCRYPTED, _STORED, _DEFLATED = 1, 0, 8
_NOT_HERE = 0xFFFFFFFF  # the value is in a ZIP64 record instead
_BY_DIGIT = re.compile("-([0-9a-f])$").search


class MaskArchives:
    """The ZIP files in the directories of some subsets; each is opened when it is first needed.

    Any of them may have masks. If its name ends with `-` and a hex digit, like published names, it has only masks of
    images whose ImageID begins with that digit.
    """

    def __init__(self, directories: Mapping[str, Path]) -> None:
        self._archives = {
            subset: [_Archive(path) for path in sorted(directory.glob("*.zip"))]
            for subset, directory in directories.items()
        }

    def has_archive(self, subset: str, digit: str) -> bool:
        """Whether one of the archives may have masks of images whose ImageID begins with `digit`."""
        return any(archive.digit in (None, digit) for archive in self._archives[subset])

    def read(self, subset: str, image_id: str, name: str) -> bytes | Failure:
        """The PNG called `name`; a `Failure` if it is missing or damaged.

        Raises `MetadataError` for an archive that is not a ZIP file or cannot be read.
        """
        for archive in self._archives[subset]:
            if archive.digit in (None, image_id[0]):
                content = archive.read(name.encode())
                if content is not None:
                    return content
        return Failure(Reason.NOT_FOUND, "not in the mask archives")

    def close(self) -> None:
        """Closes the archives."""
        for archives in self._archives.values():
            for archive in archives:
                archive.close()


@dataclass(frozen=True, slots=True)
class _Index:
    """The members of an open archive: the sorted hashes of their names, and the offsets of their entries."""

    file: int
    hashes: NDArray[numpy.int64]
    offsets: NDArray[numpy.uint64]


class _Archive:
    """One archive, opened by the first read; `digit` is the hex digit in its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index: _Index | None = None
        match = _BY_DIGIT(path.stem)
        self.digit = match[1] if match else None

    def read(self, name: bytes) -> bytes | Failure | None:
        """The member called `name`, in any directory of the archive; None if there is none."""
        with self._reading():
            index = self._index or self._open()
            at = int(numpy.searchsorted(index.hashes, wanted := hash(name)))
            while at < len(index.hashes) and index.hashes[at] == wanted:
                entry, entry_name = _entry(index.file, int(index.offsets[at]))
                if entry_name == name:
                    return _content(index.file, entry)
                at += 1
        return None

    def close(self) -> None:
        if self._index:
            os.close(self._index.file)
            self._index = None

    def _open(self) -> _Index:
        file = os.open(self._path, os.O_RDONLY)
        try:
            self._index = _Index(file, *_members(file))
        except BaseException:
            os.close(file)
            raise
        return self._index

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, OverflowError, struct.error) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise MetadataError(
                f"the mask archive {self._path} cannot be read: {why}", hint="remove it and fetch it again"
            ) from error


def _members(file: int) -> tuple[NDArray[numpy.int64], NDArray[numpy.uint64]]:
    """The hashes and offsets of an `_Index`. Raises `ValueError` if `file` is not a complete ZIP file."""
    begin, size = _directory(file)
    directory = os.pread(file, size, begin)
    if len(directory) != size:
        raise ValueError("it is cut short")
    hashes, offsets, at = array("q"), array("Q"), 0
    while at < size:  # not by the number of entries: old programs write only its last 16 bits
        magic, *_, name_size, extra_size, comment_size, _, _, _, _ = _ENTRY.unpack_from(directory, at)
        name = directory[at + _ENTRY.size : at + _ENTRY.size + name_size]
        if magic != b"PK\x01\x02" or len(name) != name_size:
            raise ValueError("its list of members is damaged")
        hashes.append(hash(name.rpartition(b"/")[2]))
        offsets.append(begin + at)
        at += _ENTRY.size + name_size + extra_size + comment_size
    keys = numpy.frombuffer(hashes, numpy.int64)
    order = keys.argsort()
    return keys[order], numpy.frombuffer(offsets, numpy.uint64)[order]


def _directory(file: int) -> tuple[int, int]:
    """The offset of the central directory and its size in bytes."""
    file_size = os.fstat(file).st_size
    tail_begin = max(0, file_size - _END.size - _MAX_COMMENT_BYTES)
    tail = os.pread(file, _END.size + _MAX_COMMENT_BYTES, tail_begin)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ValueError("it is not a ZIP file, or it is cut short")
    *_, size, begin, _ = _END.unpack_from(tail, at)
    if _NOT_HERE in (size, begin):
        locator = os.pread(file, _END_64_LOCATOR.size, tail_begin + at - _END_64_LOCATOR.size)
        magic, _, end_64, _ = _END_64_LOCATOR.unpack(locator)
        if magic == b"PK\x06\x07":
            *_, size, begin = _END_64.unpack(os.pread(file, _END_64.size, end_64))
    if begin + size > file_size or size > _MAX_DIRECTORY_BYTES:
        raise ValueError("its list of members is damaged")
    return begin, size


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member, by its entry in the central directory."""

    flags: int
    method: int
    crc: int
    packed_bytes: int
    bytes: int
    begin: int


def _entry(file: int, offset: int) -> tuple[_Entry, bytes]:
    """An entry of the central directory, and the member's name without directories."""
    _, _, _, flags, method, _, _, crc, packed, unpacked, name_size, extra_size, *_, begin = _ENTRY.unpack(
        os.pread(file, _ENTRY.size, offset)
    )
    name = os.pread(file, name_size, offset + _ENTRY.size)
    if _NOT_HERE in (packed, unpacked, begin):
        extra = os.pread(file, extra_size, offset + _ENTRY.size + name_size)
        packed, unpacked, begin = _from_extra(extra, packed, unpacked, begin)
    return _Entry(flags, method, crc, packed, unpacked, begin), name.rpartition(b"/")[2]


def _from_extra(extra: bytes, packed: int, unpacked: int, begin: int) -> tuple[int, int, int]:
    """The sizes and the offset of a member; values that do not fit into its entry are in a ZIP64 record (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{min(size, len(extra) - at - 4) // 8}Q", extra, at + 4))
            unpacked = next(values, unpacked) if unpacked == _NOT_HERE else unpacked
            packed = next(values, packed) if packed == _NOT_HERE else packed
            begin = next(values, begin) if begin == _NOT_HERE else begin
            break
        at += 4 + size
    return packed, unpacked, begin


def _content(file: int, entry: _Entry) -> bytes | Failure:
    if entry.flags & _IS_ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
        return Failure(Reason.CORRUPT, "encrypted, or compressed by an unknown method")
    if max(entry.packed_bytes, entry.bytes) > MAX_MASK_BYTES:
        return Failure(Reason.TOO_LARGE, f"it has more than {MAX_MASK_BYTES:,} bytes")
    header = os.pread(file, _HEADER.size, entry.begin)
    if len(header) < _HEADER.size or not header.startswith(b"PK\x03\x04"):
        return Failure(Reason.CORRUPT, "not where the archive's list of members says")
    *_, name_size, extra_size = _HEADER.unpack(header)
    content = os.pread(file, entry.packed_bytes, entry.begin + _HEADER.size + name_size + extra_size)
    if entry.method == _DEFLATED:
        try:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, entry.bytes + 1)
        except zlib.error as error:
            return Failure(Reason.CORRUPT, f"damaged in the archive: {error}")
    if len(content) != entry.bytes or zlib.crc32(content) != entry.crc:
        return Failure(Reason.CORRUPT, "damaged in the archive: its size or checksum is wrong")
    return content
