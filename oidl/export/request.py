"""The request for an export, and its result."""

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
    """What to export; None and empty values select everything.

    `selection` limits the annotations, the number of images and the subsets; `selected`, a selection made on the
    connection, further limits the images (None for all). `label_names` are its classes as MIDs, in the order of the
    category numbers. `min_visible` is the share of a box that must be left in the file. `apply_exif` computes boxes for
    readers that apply the EXIF orientation of originals. `split` divides the images, `image_files` is how their files
    are created. With `box_polygons`, boxes without a mask get their own outline as a polygon.
    """

    format: Format
    rendition: str | None = None
    selection: Selection = ANYTHING
    selected: SelectedImages | None = None
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
    """The result of an export, during it and at its end; `images` and `annotations` are counted by split.

    `files_read` of at most `total` files of the selected images were read so far, including those without annotations.
    Images `from_shards` were written as files of their own; `remote_files` are in shards that are only in an object
    store, `remote_store`. `misplaced_files` have a recorded path that cannot belong to their image. `unseen` counts the
    annotations that are not, or not sufficiently, in the file. `unread_masks` are missing from the archives or damaged;
    `unread_mask` is the first of them and its error. `left` images of the root are not done yet, whether chosen or
    not.
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
    remote_files: int = 0
    remote_store: str = ""
    from_shards: int = 0
    misplaced_files: int = 0
    without_geometry: int = 0
    total: int = 0
    files_read: int = 0
    left: int = 0
