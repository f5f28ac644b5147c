"""What `oidl verify` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
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


TO_BE_DONE_AGAIN = frozenset({Fault.MISSING, Fault.WRONG_SIZE, Fault.WRONG_MD5, Fault.DAMAGED, Fault.INCOMPLETE})
"""The image is to be done again."""

TO_BE_REMOVED = frozenset({Fault.ORPHAN, Fault.LEFTOVER})
"""The file is ours and of no use."""

REMARKS = frozenset({Fault.UNRECORDED, Fault.FOREIGN})
"""Nothing is wrong; it is only told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: `path` is that of the file, `image_id` and `rendition` are those of its row where it has one.

    `modified_s` (seconds since the epoch) is when the file was last written to, 0 where there is none.
    """

    fault: Fault
    path: str = ""
    image_id: str | None = None
    rendition: str | None = None
    detail: str = ""
    modified_s: float = 0.0
