"""The input of every format: an image with its file, its size, and the boxes and labels in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from oidl.imaging.boxes import PlacedBox
from oidl.imaging.masks import Mask
from oidl.model import LabelType
from oidl.state.annotation_rows import Point
from oidl.state.file_annotations import AnnotatedFile, Box, Label

_WHOLE = 0.999  # visible share of a whole box; rounding costs a little


@dataclass(frozen=True, slots=True)
class Category:
    """A class of an export: `number` counts from 1, `name` is unique in the export."""

    number: int
    label_name: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box that is at least partly in the file: as published, its position there, and the mask of its object."""

    category: Category
    published: Box
    box: PlacedBox
    mask: Mask | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether the object extends beyond the file: published so, or cropped off when the file was made."""
        return self.published.is_truncated == 1 or self.box.visible < _WHOLE

    def attribute(self, name: str) -> bool:
        """Whether the published attribute is set; False if unknown."""
        return bool(getattr(self.published, name) == 1)


@dataclass(frozen=True, slots=True)
class LabelledRelationship:
    """A relationship from `subject` to `object`, both at least partly in the file."""

    relationship: str
    subject: tuple[Category, PlacedBox]
    object: tuple[Category, PlacedBox]


@dataclass(frozen=True, slots=True)
class LabelledPoint:
    """A point: as published, and its position in the file, in pixels from the top left corner."""

    category: Category
    published: Point
    left: float
    top: float


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image file of `width` × `height` pixels, as readers see it; `path` is relative to the export."""

    file: AnnotatedFile
    split: str
    path: PurePosixPath
    width: int
    height: int
    boxes: Sequence[LabelledBox]
    labels: Sequence[tuple[Category, Label]] = ()
    relationships: Sequence[LabelledRelationship] = ()
    points: Sequence[LabelledPoint] = ()

    @property
    def name(self) -> str:
        """The name of the file: its ImageID and suffix."""
        return self.path.name

    @property
    def shows_something(self) -> bool:
        """Whether an annotation confirms that something is there; labels and points may deny it."""
        return (
            bool(self.boxes or self.relationships)
            or any(label.is_there for _, label in self.labels)
            or any(point.published.is_there for point in self.points)
        )

    def count(self, kind: LabelType) -> int:
        """The number of annotations of this kind."""
        match kind:
            case LabelType.BOXES:
                return len(self.boxes)
            case LabelType.SEGMENTATIONS:
                return sum(box.mask is not None for box in self.boxes)
            case LabelType.LABELS:
                return len(self.labels)
            case LabelType.RELATIONSHIPS:
                return len(self.relationships)
            case LabelType.POINTS:
                return len(self.points)
