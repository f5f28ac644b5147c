"""The findings of `oidl verify`."""

from dataclasses import dataclass
from enum import StrEnum


class Problem(StrEnum):
    """How disk and database can differ; for the first seven, `oidl verify --repair` requeues images."""

    MISSING = "missing"
    WRONG_SIZE = "wrong_size"
    WRONG_MD5 = "wrong_md5"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"
    MISPLACED = "misplaced"
    WRONG_SHARD = "wrong_shard"
    WRONG_PACK = "wrong_pack"
    UNREADABLE = "unreadable"
    ORPHAN = "orphan"
    LEFTOVER = "leftover"
    UNRECORDED = "unrecorded"
    FOREIGN = "foreign"


REDO = frozenset(
    {
        Problem.MISSING,
        Problem.WRONG_SIZE,
        Problem.WRONG_MD5,
        Problem.DAMAGED,
        Problem.INCOMPLETE,
        Problem.MISPLACED,
        Problem.WRONG_SHARD,
    }
)
"""The image, or every image of the shard, must be done again."""

PACK = frozenset({Problem.WRONG_PACK})
"""A shard of `oidl pack` must be made again."""

REMOVE = frozenset({Problem.ORPHAN, Problem.LEFTOVER})
"""The file is ours, and useless."""

NOTES = frozenset({Problem.UNRECORDED, Problem.FOREIGN})
"""Nothing is wrong; reported for information only."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: `path` is that of the file; `image_id` and `rendition` are those of its row, if it has one.

    `modified_s` (seconds since the epoch) is when the file was last written to, 0 if there is no file.
    """

    fault: Problem
    path: str = ""
    image_id: str | None = None
    rendition: str | None = None
    detail: str = ""
    modified_s: float = 0.0
