"""What an export is asked for, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oidl.export.files import ImageFiles
from oidl.export.format import Format
from oidl.export.split import Split
from oidl.settings import Selection
from oidl.state.choice import Chosen

ANYTHING = Selection()
BY_SUBSETS = Split()


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is to be exported; None and empty ask for all there is.

    `selection` says which annotations, how many images at most, and of which subsets; which images beside that says
    `chosen`, the choice that was made on the connection, None for all. `label_names` are its classes as MIDs, in the
    order in which categories are to be numbered. `min_visible` is the share of a box that must be left in the file.
    `apply_exif` takes originals as a reader sees them that obeys their EXIF tag. `split` divides the images,
    `image_files` says how their files come into the export.
    """

    format: Format
    rendition: str | None = None
    selection: Selection = ANYTHING
    chosen: Chosen | None = None
    label_names: tuple[str, ...] | None = None
    min_visible: float = 0.0
    with_empty: bool = False
    apply_exif: bool = False
    split: Split = BY_SUBSETS
    image_files: ImageFiles = ImageFiles.LINK
    dest: Path | None = None


@dataclass(slots=True)
class ExportResult:
    """What came of an export, while it goes on and at its end; the counts are by split."""

    dest: Path
    rendition: str
    kinds: Sequence[str]
    images: dict[str, int]
    annotations: dict[str, int]
    unseen_boxes: int = 0
    missing_files: int = 0
    without_geometry: int = 0
