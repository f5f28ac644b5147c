"""What an export is asked for, and what came of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oidl.export.files import ImageFiles
from oidl.export.format import Format
from oidl.export.split import Split
from oidl.model import LabelType
from oidl.settings import Selection
from oidl.state.selection import SelectedImages

ANYTHING = Selection()
BY_SUBSETS = Split()


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is to be exported; None and empty ask for all there is.

    `selection` says which annotations, how many images at most, and of which subsets; which images beside that says
    `chosen`, the choice that was made on the connection, None for all. `label_names` are its classes as MIDs, in the
    order in which categories are to be numbered. `min_visible` is the share of a box that must be left in the file.
    `apply_exif` takes originals as a reader sees them that obeys their EXIF tag. `split` divides the images,
    `image_files` says how their files come into the export. With `box_polygons`, boxes without a mask get their own
    outline as a polygon.
    """

    format: Format
    rendition: str | None = None
    selection: Selection = ANYTHING
    chosen: SelectedImages | None = None
    label_names: tuple[str, ...] | None = None
    min_visible: float = 0.0
    with_empty: bool = False
    apply_exif: bool = False
    box_polygons: bool = False
    split: Split = BY_SUBSETS
    image_files: ImageFiles = ImageFiles.LINK
    dest: Path | None = None


@dataclass(slots=True)
class ExportResult:
    """What came of an export, while it goes on and at its end; `images` and `annotations` are counted by split.

    `looked_at` files of the chosen images, of `total` at most, were walked through so far, without annotations too.
    `misplaced_files` are recorded where no file of theirs can be.
    `unseen` are the annotations of which nothing, or too little, is in the file. `unread_masks` are missing from the
    archives or damaged; `unread_mask` is the first of them and what is wrong with it.
    """

    dest: Path
    rendition: str
    kinds: Sequence[LabelType]
    images: dict[str, int]
    annotations: dict[str, Counter[LabelType]]
    unseen: Counter[LabelType] = field(default_factory=Counter)
    unread_masks: int = 0
    unread_mask: str = ""
    missing_files: int = 0
    misplaced_files: int = 0
    without_geometry: int = 0
    total: int = 0
    looked_at: int = 0
