"""The names of published files and kinds of annotations, spelled as in the catalogue and the options."""

from enum import StrEnum


class FileKind(StrEnum):
    """What a published file contains; the values are those of the catalogue and of `--annotations`."""

    IMAGE_LIST = "image-list"
    CLASSES = "classes"
    BOXABLE_CLASSES = "boxable-classes"
    SEGMENTATION_CLASSES = "segmentation-classes"
    RELATIONSHIP_CLASSES = "relationship-classes"
    RELATIONSHIP_TRIPLETS = "relationship-triplets"
    ATTRIBUTE_CLASSES = "attribute-classes"
    HIERARCHY = "hierarchy"
    BOXES = "boxes"
    LABELS = "labels"
    BOXABLE_LABELS = "boxable-labels"
    MACHINE_LABELS = "machine-labels"
    RELATIONSHIPS = "relationships"
    SEGMENTATIONS = "segmentations"
    MASKS = "masks"
    POINTS = "points"
    CAPTIONS = "captions"
    NARRATIVES = "narratives"
    TRANSFER_LISTS = "transfer-lists"


CLASS_FILES = frozenset(
    {
        FileKind.CLASSES,
        FileKind.BOXABLE_CLASSES,
        FileKind.SEGMENTATION_CLASSES,
        FileKind.RELATIONSHIP_CLASSES,
        FileKind.RELATIONSHIP_TRIPLETS,
        FileKind.ATTRIBUTE_CLASSES,
        FileKind.HIERARCHY,
    }
)
"""Small files that are needed to read any annotation."""


class LabelType(StrEnum):
    """A kind of annotation that images are selected by; the values are those of `--label-types`."""

    BOXES = "boxes"
    LABELS = "labels"
    SEGMENTATIONS = "segmentations"
    RELATIONSHIPS = "relationships"
    POINTS = "points"


TYPE_FILES = {
    LabelType.BOXES: FileKind.BOXES,
    LabelType.LABELS: FileKind.LABELS,
    LabelType.SEGMENTATIONS: FileKind.SEGMENTATIONS,
    LabelType.RELATIONSHIPS: FileKind.RELATIONSHIPS,
    LabelType.POINTS: FileKind.POINTS,
}
"""The published files that say which images have annotations of a type."""


class Extent(StrEnum):
    """Which images of `train` a list contains: all, those with boxes, or those with labels."""

    FULL = "full"
    BOXABLE = "boxable"
    LABELS = "labels"
