"""Checks recorded files against their rows; runs in a thread, without the database."""

import base64
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from oidl.imaging.formats import suffix_format
from oidl.imaging.inspect import decode_check, inspect
from oidl.model import ORIGINAL, Failure, Finding, Problem
from oidl.settings import Layout
from oidl.state.verify import FileRow
from oidl.storage.layout import actual_path
from oidl.storage.ownership import OwnFiles


@dataclass(frozen=True, slots=True)
class Checked:
    """The result for a number of files; `undecoded` counts those of formats that oidl does not decode."""

    findings: tuple[Finding, ...]
    files: int
    undecoded: int


def check_files(layout: Layout, own: OwnFiles, rows: Sequence[FileRow]) -> Checked:
    """Compares every file of `rows` with its row: existence, length and content. Only files of `own` are read.

    The content of a file that was kept byte for byte is right if it has its MD5; another rendition has no MD5, so it
    is right if it decodes to its end.
    """
    return Checked(
        findings=tuple(finding for row in rows if (finding := _check(layout, own, row))),
        files=len(rows),
        undecoded=sum(row.md5 is None and not _is_decoded(row) for row in rows),
    )


def published_md5(body: bytes) -> str:
    """The MD5 of `body` in base64, as in image lists."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _check(layout: Layout, own: OwnFiles, row: FileRow) -> Finding | None:
    path = actual_path(layout, row.path)
    modified_s = 0.0

    def finding(fault: Problem, detail: str = "") -> Finding:
        return Finding(fault, row.path, row.image_id, row.rendition, detail, modified_s)

    if not own.has(row.image_id, row.rendition, row.path):
        return finding(Problem.MISPLACED)
    try:
        status = os.stat(path)
        modified_s = status.st_mtime
        if not stat.S_ISREG(status.st_mode):
            return finding(Problem.UNREADABLE, "not a regular file")
        if status.st_size != row.bytes:
            return finding(Problem.WRONG_SIZE, f"{status.st_size} bytes, recorded {row.bytes}")
        if row.md5 is None and not _is_decoded(row):
            return None
        body = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return finding(Problem.MISSING)
    except OSError as error:
        return finding(Problem.UNREADABLE, error.strerror or str(error))
    if row.md5 is not None:
        md5 = published_md5(body)
        whose = "published" if row.rendition == ORIGINAL else "recorded"
        return None if md5 == row.md5 else finding(Problem.WRONG_MD5, f"{md5}, {whose} {row.md5}")
    # More pixels than in the row are damage too, and not worth the memory.
    picture = inspect(body, max_pixels=row.width * row.height)
    failure = picture if isinstance(picture, Failure) else decode_check(picture)
    return finding(Problem.DAMAGED, failure.detail) if failure else None


def _is_decoded(row: FileRow) -> bool:
    return suffix_format(PurePath(row.path).name) is not None
