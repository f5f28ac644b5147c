"""The values that flow through the program, and the terms for an image's life.

Everything here is frozen and pure, and imports only `text` from `oidl`. Field names are the column names of the state
database.
"""

from oidl.model.catalogue import CLASS_FILES, TYPE_FILES, Extent, FileKind, LabelType
from oidl.model.images import Image, LineBreak, ListFile, SkippedRow
from oidl.model.licenses import (
    CheckResult,
    CheckSource,
    License,
    LicenseChange,
    LicenseClass,
    LicenseFilter,
    PublishedPhoto,
    Verdict,
    license_key,
    license_of_id,
    license_of_url,
)
from oidl.model.life import LIFE, Event, Status, Step
from oidl.model.nodes import NodeProgress
from oidl.model.outcomes import (
    Blame,
    Done,
    Failure,
    Fetched,
    Job,
    KeptBody,
    Member,
    OpenShard,
    Postponed,
    Published,
    Source,
    StatusCount,
    WrittenFile,
)
from oidl.model.renditions import (
    ORIGINAL,
    Crop,
    Orientation,
    Rendition,
    ResizeMode,
    Scaling,
    ShardSettings,
    StoreKind,
    Validation,
)
from oidl.model.retries import AttemptCounts, RetryDecision
from oidl.model.verify import NOTES, PACK, REDO, REMOVE, Finding, Problem
from oidl.reasons import Reason

__all__ = [
    "CLASS_FILES",
    "LIFE",
    "NOTES",
    "ORIGINAL",
    "PACK",
    "REDO",
    "REMOVE",
    "TYPE_FILES",
    "AttemptCounts",
    "Blame",
    "CheckResult",
    "CheckSource",
    "Crop",
    "Done",
    "Event",
    "Extent",
    "Failure",
    "Fetched",
    "FileKind",
    "Finding",
    "Image",
    "Job",
    "KeptBody",
    "LabelType",
    "License",
    "LicenseChange",
    "LicenseClass",
    "LicenseFilter",
    "LineBreak",
    "ListFile",
    "Member",
    "NodeProgress",
    "OpenShard",
    "Orientation",
    "Postponed",
    "Problem",
    "Published",
    "PublishedPhoto",
    "Reason",
    "Rendition",
    "ResizeMode",
    "RetryDecision",
    "Scaling",
    "ShardSettings",
    "SkippedRow",
    "Source",
    "Status",
    "StatusCount",
    "Step",
    "StoreKind",
    "Validation",
    "Verdict",
    "WrittenFile",
    "license_key",
    "license_of_id",
    "license_of_url",
]
