"""Is this recorded file what its row says? Read in a thread, judged without the database."""

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
    """What came of some files; `undecoded` are of formats that are not decoded here."""

    findings: tuple[Finding, ...]
    files: int
    undecoded: int


def check_files(layout: Layout, own: OwnFiles, rows: Sequence[FileRow]) -> Checked:
    """Compares every file of `rows` with its row: there, as long, and whole. A file that is not `own` is not touched.

    What was kept as it came is whole if it has its MD5; another rendition if it decodes to its end, for want of one.
    """
    return Checked(
        findings=tuple(found for row in rows if (found := _check(layout, own, row))),
        files=len(rows),
        undecoded=sum(row.md5 is None and not _is_decoded(row) for row in rows),
    )


def published_md5(body: bytes) -> str:
    """The MD5 of `body` as image lists have it, in base64."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _check(layout: Layout, own: OwnFiles, row: FileRow) -> Finding | None:
    path = actual_path(layout, row.path)
    modified_s = 0.0

    def finding(fault: Problem, detail: str = "") -> Finding:
        return Finding(fault, row.path, row.image_id, row.rendition, detail, modified_s)

    if not own.has(row.image_id, row.rendition, row.path):
        return finding(Problem.MISPLACED)
    try:
        found = os.stat(path)
        modified_s = found.st_mtime
        if not stat.S_ISREG(found.st_mode):
            return finding(Problem.UNREADABLE, "not a regular file")
        if found.st_size != row.bytes:
            return finding(Problem.WRONG_SIZE, f"{found.st_size} bytes, recorded {row.bytes}")
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
    # More pixels than the row has is damage as well, and nothing to make room for.
    picture = inspect(body, max_pixels=row.width * row.height)
    failure = picture if isinstance(picture, Failure) else decode_check(picture)
    return finding(Problem.DAMAGED, failure.detail) if failure else None


def _is_decoded(row: FileRow) -> bool:
    return suffix_format(PurePath(row.path).name) is not None
