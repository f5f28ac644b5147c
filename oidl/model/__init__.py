"""The values that flow through the program, and the words for an image's life.

Everything here is frozen and pure, and imports nothing of `oidl` but `text`. Field names are the column names of the
state database.
"""

from oidl.model.catalogue import CLASS_FILES, TYPE_FILES, Extent, FileKind, LabelType
from oidl.model.images import Image, LineBreak, ListFile, SkippedRow
from oidl.model.life import LIFE, Event, Status, Step
from oidl.model.outcomes import (
    Blame,
    Done,
    Failure,
    Fetched,
    Postponed,
    Reason,
    Source,
    Standing,
    Work,
    WrittenFile,
)
from oidl.model.renditions import ORIGINAL, Crop, Orientation, Rendition, ResizeMode, Validation
from oidl.model.verify import REMARKS, TO_BE_DONE_AGAIN, TO_BE_REMOVED, Fault, Finding

__all__ = [
    "CLASS_FILES",
    "LIFE",
    "ORIGINAL",
    "REMARKS",
    "TO_BE_DONE_AGAIN",
    "TO_BE_REMOVED",
    "TYPE_FILES",
    "Blame",
    "Crop",
    "Done",
    "Event",
    "Extent",
    "Failure",
    "Fault",
    "Fetched",
    "FileKind",
    "Finding",
    "Image",
    "LabelType",
    "LineBreak",
    "ListFile",
    "Orientation",
    "Postponed",
    "Reason",
    "Rendition",
    "ResizeMode",
    "SkippedRow",
    "Source",
    "Standing",
    "Status",
    "Step",
    "Validation",
    "Work",
    "WrittenFile",
]
