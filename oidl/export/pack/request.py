"""What to pack, and its result."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from oidl.export.pack.formats import PackFormat
from oidl.export.request import ANYTHING, BY_SUBSETS
from oidl.export.split import Split
from oidl.model import LabelType
from oidl.settings import Selection
from oidl.state.selection import SelectedImages
from oidl.storage.remote import RemoteStore

KINDS = (LabelType.BOXES, LabelType.LABELS, LabelType.SEGMENTATIONS)
"""The annotations that samples can have; masks only in addition to those of boxes."""

SHARD_SAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class PackRequest:
    """What to pack, and how; None and empty values select everything.

    `selection`, `selected`, `label_names`, `min_visible` and `split` are as in `ExportRequest`; `selection.label_types`
    are the annotations to write, by default those that are loaded. `image_ids_sha256` identifies the contents of
    `selection.image_ids`. A shard has at most `shard_samples` images, and about `shard_bytes` at most. `with_idx` adds
    index files for NVIDIA DALI. `again` replaces the shards that are there. A complete set is uploaded to `remote`.
    """

    format: PackFormat
    rendition: str | None = None
    selection: Selection = ANYTHING
    selected: SelectedImages | None = None
    image_ids_sha256: str = ""
    label_names: tuple[str, ...] | None = None
    min_visible: float = 0.0
    with_empty: bool = True
    split: Split = BY_SUBSETS
    shard_bytes: int = 0
    shard_samples: int = SHARD_SAMPLES
    dest: Path | None = None
    with_idx: bool = False
    again: bool = False
    remote: RemoteStore | None = None


class Step(StrEnum):
    """A step of a pack, after which it can be stopped, or killed, and continued."""

    REMOVED = "removed"
    PLANNED = "planned"
    SAMPLE = "sample"
    WRITTEN = "written"
    RENAMED = "renamed"
    SEALED = "sealed"
    ADDED = "added"
    FINISHED = "finished"
    UPLOADED = "uploaded"


@dataclass(slots=True)
class SplitResult:
    """The complete shards of a split: how many, with how many images, and their bytes."""

    shards: int = 0
    samples: int = 0
    bytes: int = 0


@dataclass(slots=True)
class PackResult:
    """The result of a pack, during it and at its end.

    `images` were planned, of which `packed` are in shards so far; `absent` were planned, but had no file or another
    one when their shard was made. `was_complete` if nothing was left to do; `remade` shards were sealed before, but
    missing or changed. `remote_files` are in shards that are only in an object store, `remote_store`. These,
    `misplaced_files` and `without_geometry`, which are as in `ExportResult`, are of a plan that was made now;
    `left`, as there, is of the root. `files` are those of the rendition now, None if some were chosen. `unseen` and
    `unread_masks` are about the shards made now.
    """

    dest: Path
    rendition: str
    kinds: Sequence[LabelType]
    images: int = 0
    packed: int = 0
    packed_now: int = 0
    absent: int = 0
    was_complete: bool = False
    remade: int = 0
    splits: dict[str, SplitResult] = field(default_factory=dict)
    remote_files: int = 0
    remote_store: str = ""
    misplaced_files: int = 0
    without_geometry: int = 0
    unseen: Counter[LabelType] = field(default_factory=Counter)
    unread_masks: int = 0
    unread_mask: str = ""
    left: int = 0
    files: int | None = None
    uploaded_to: str = ""


OnStep: TypeAlias = Callable[[Step, PackResult], None]
"""Is called after each step; an exception stops the pack there."""
