"""Checks recorded files against their rows; runs in a thread, without the database."""

import base64
import hashlib
import os
import stat
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from oidl.imaging.formats import suffix_format
from oidl.imaging.inspect import decode_check, inspect
from oidl.model import ORIGINAL, Failure, Finding, Problem, StoreKind
from oidl.settings import Layout
from oidl.state.verify import FileRow
from oidl.storage.layout import actual_path
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.formats import SHARD_FORMATS
from oidl.storage.shards.place import Place, image_suffix, open_shard, place_of

_NOT_REGULAR = "not a regular file"


@dataclass(frozen=True, slots=True)
class Checked:
    """The result for a number of files; `undecoded` counts those of formats that oidl does not decode.

    `remote` counts images in shards that are only in an object store, which are not among the `files`.
    """

    findings: tuple[Finding, ...]
    files: int
    undecoded: int
    remote: int = 0


def check_files(layout: Layout, own: OwnFiles, rows: Sequence[FileRow]) -> Checked:
    """Compares every file of `rows` with its row: existence, length and content. Only files of `own` are read.

    The content of a file that was kept byte for byte is right if it has its MD5; another rendition has no MD5, so it
    is right if it decodes to its end. In a shard, the rest of the sample must be whole too.
    """
    local = [row for row in rows if row.sample is None or row.sample.is_local]
    return Checked(
        findings=tuple(finding for row in local if (finding := _check(layout, own, row))),
        files=len(local),
        undecoded=sum(row.md5 is None and not _is_decoded(row) for row in local),
        remote=len(rows) - len(local),
    )


def published_md5(body: bytes) -> str:
    """The MD5 of `body` in base64, as in image lists."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


@dataclass(frozen=True, slots=True)
class _Read:
    """The bytes of an image, or what is wrong with its file; `modified_s` is when that was last written to."""

    body: bytes | None = None
    fault: Problem | None = None
    detail: str = ""
    modified_s: float = 0.0


def _check(layout: Layout, own: OwnFiles, row: FileRow) -> Finding | None:
    if not own.has(row.image_id, row.rendition, row.path):
        return Finding(Problem.MISPLACED, row.path, row.image_id, row.rendition)
    place = place_of(row.path)
    try:
        read = _read_sample(layout, row, place) if place else _read_file(layout, row)
    except (FileNotFoundError, NotADirectoryError):
        read = _Read(fault=Problem.MISSING)
    except OSError as error:
        read = _Read(fault=Problem.UNREADABLE, detail=error.strerror or str(error))
    fault, detail = read.fault, read.detail
    if read.body is not None:
        fault, detail = _content_fault(row, read.body)
    if fault is None:
        return None
    return Finding(fault, row.path, row.image_id, row.rendition, detail, read.modified_s)


def _read_file(layout: Layout, row: FileRow) -> _Read:
    path = actual_path(layout, row.path)
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return _Read(None, Problem.UNREADABLE, _NOT_REGULAR, status.st_mtime)
    if status.st_size != row.bytes:
        detail = f"{status.st_size} bytes, recorded {row.bytes}"
        return _Read(None, Problem.WRONG_SIZE, detail, status.st_mtime)
    if row.md5 is None and not _is_decoded(row):
        return _Read()
    try:
        return _Read(path.read_bytes(), modified_s=status.st_mtime)
    except OSError as error:
        return _Read(None, Problem.UNREADABLE, error.strerror or str(error), status.st_mtime)


def _read_sample(layout: Layout, row: FileRow, place: Place) -> _Read:
    """The image of a sample, whose parts must be as the format of its shard requires."""
    sample = row.sample
    if sample is None:
        return _Read(fault=Problem.MISPLACED, detail="no sample of the image is recorded there")
    with open_shard(actual_path(layout, place.shard)) as shard:
        status = os.fstat(shard.fileno())
        if not stat.S_ISREG(status.st_mode):
            return _Read(None, Problem.UNREADABLE, _NOT_REGULAR, status.st_mtime)
        data = os.pread(shard.fileno(), sample.bytes, sample.at) if sample.at + sample.bytes <= status.st_size else b""
    if len(data) < sample.bytes:
        detail = f"the shard ends at byte {status.st_size}, the sample at {sample.at + sample.bytes}"
        return _Read(None, Problem.WRONG_SIZE, detail, status.st_mtime)
    if sample.crc32 is not None and zlib.crc32(data) != sample.crc32:
        return _Read(None, Problem.DAMAGED, "the checksum of its sample is wrong", status.st_mtime)
    begin = place.at - sample.at
    body = slice(begin, begin + row.bytes)
    if flaw := SHARD_FORMATS[StoreKind(sample.format)].flaw(data, row.image_id, body):
        return _Read(None, Problem.DAMAGED, flaw, status.st_mtime)
    return _Read(data[body], modified_s=status.st_mtime)


def _content_fault(row: FileRow, body: bytes) -> tuple[Problem | None, str]:
    """What is wrong with the bytes of an image that has its recorded length."""
    if row.md5 is not None:
        md5 = published_md5(body)
        whose = "published" if row.rendition == ORIGINAL else "recorded"
        return (None, "") if md5 == row.md5 else (Problem.WRONG_MD5, f"{md5}, {whose} {row.md5}")
    if not _is_decoded(row):
        return None, ""
    # More pixels than in the row are damage too, and not worth the memory.
    picture = inspect(body, max_pixels=row.width * row.height)
    failure = picture if isinstance(picture, Failure) else decode_check(picture)
    return (Problem.DAMAGED, failure.detail) if failure else (None, "")


def _is_decoded(row: FileRow) -> bool:
    return suffix_format(f"x{image_suffix(row.path, row.image_format)}") is not None
