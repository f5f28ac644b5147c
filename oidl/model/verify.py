"""What `oidl verify` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Problem(StrEnum):
    """How disk and database can differ, as `oidl verify` finds it; the first five are put back by `--repair`."""

    MISSING = "missing"
    WRONG_SIZE = "wrong_size"
    WRONG_MD5 = "wrong_md5"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"
    ORPHAN = "orphan"
    LEFTOVER = "leftover"
    UNRECORDED = "unrecorded"
    FOREIGN = "foreign"


REDO = frozenset({Problem.MISSING, Problem.WRONG_SIZE, Problem.WRONG_MD5, Problem.DAMAGED, Problem.INCOMPLETE})
"""The image is to be done again."""

REMOVE = frozenset({Problem.ORPHAN, Problem.LEFTOVER})
"""The file is ours and of no use."""

NOTES = frozenset({Problem.UNRECORDED, Problem.FOREIGN})
"""Nothing is wrong; it is only told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: `path` is that of the file, `image_id` and `rendition` are those of its row where it has one.

    `modified_s` (seconds since the epoch) is when the file was last written to, 0 where there is none.
    """

    fault: Problem
    path: str = ""
    image_id: str | None = None
    rendition: str | None = None
    detail: str = ""
    modified_s: float = 0.0
