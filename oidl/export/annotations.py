"""The annotations of a page of images, at their positions in the files.

Annotations that a crop removed, or left too little of, are counted and left out.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from oidl.export.image import Category, LabelledBox, LabelledPoint, LabelledRelationship
from oidl.export.masks import MaskReader, box_of, pair
from oidl.export.text import with_shown
from oidl.imaging.boxes import PlacedBox, Transform, transform_box, transform_point
from oidl.imaging.masks import Mask
from oidl.model import Failure, LabelType
from oidl.settings import Selection
from oidl.state.annotation_rows import Point, Relationship, Segmentation, annotations_of
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import AnnotatedFile, Box, Label, boxes_of, labels_of

_POINT_TEXTS = ("estimated_yes_no", "source", "text_label")
_Other = TypeVar("_Other", Segmentation, Relationship, Point)


class AnnotationChoice(Protocol):
    """Which annotations to write, as in `ExportRequest`."""

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Only those of these classes, as MIDs; None for all."""

    @property
    def selection(self) -> Selection:
        """Only those that match its attributes, area and verification."""

    @property
    def min_visible(self) -> float:
        """The share of a box that must be left in the file."""


class LeftOut(Protocol):
    """What was left out, as in `ExportResult`."""

    unseen: Counter[LabelType]
    unread_masks: int
    unread_mask: str


@dataclass(frozen=True, slots=True)
class AnnotationRows:
    """The published annotations of some images, by ImageID."""

    boxes: Mapping[str, Sequence[Box]]
    masks: Mapping[str, Sequence[Segmentation]]
    labels: Mapping[str, Sequence[Label]]
    relationships: Mapping[str, Sequence[Relationship]]
    points: Mapping[str, Sequence[Point]]


def read_annotation_rows(
    db: StateConnection, image_ids: Sequence[str], choice: AnnotationChoice, kinds: Collection[LabelType]
) -> AnnotationRows:
    """The annotations of `kinds` in a page of images, read from the database together."""
    images_and_classes = image_ids, choice.label_names
    has_boxes = LabelType.BOXES in kinds or LabelType.SEGMENTATIONS in kinds

    def others(kind: type[_Other], label_type: LabelType) -> Mapping[str, Sequence[_Other]]:
        return annotations_of(db, kind, *images_and_classes) if label_type in kinds else {}

    return AnnotationRows(
        boxes_of(db, *images_and_classes, choice.selection) if has_boxes else {},
        others(Segmentation, LabelType.SEGMENTATIONS),
        labels_of(db, *images_and_classes, choice.selection) if LabelType.LABELS in kinds else {},
        others(Relationship, LabelType.RELATIONSHIPS),
        others(Point, LabelType.POINTS),
    )


class PageAnnotations:
    """The annotations of `kinds` in a page of images, from its `rows`. Needs no database."""

    def __init__(
        self,
        rows: AnnotationRows,
        choice: AnnotationChoice,
        kinds: Collection[LabelType],
        categories: Mapping[str, Category],
        masks: MaskReader,
        result: LeftOut,
    ) -> None:
        self._rows = rows
        self._choice = choice
        self._kinds = kinds
        self._categories = categories
        self._masks = masks
        self._result = result

    def boxes(self, file: AnnotatedFile, where: Transform) -> Iterator[LabelledBox]:
        """The boxes in a file, with their masks; only boxes with a mask if the kinds do not include boxes."""
        needs_mask = LabelType.BOXES not in self._kinds
        for box, segmentation in self._boxes_and_masks(file.image_id, needs_mask=needs_mask):
            category = self._categories.get(box.label_name)
            if category is None:  # from a file that is being loaded right now
                continue
            seen = self._seen(box.x_min, box.x_max, box.y_min, box.y_max, where)
            if seen is None:
                self._result.unseen[LabelType.SEGMENTATIONS if needs_mask else LabelType.BOXES] += 1
                continue
            mask = self._mask(file, segmentation, where) if segmentation else None
            if mask or not needs_mask:
                yield LabelledBox(category, box, seen, mask)

    def labels(self, file: AnnotatedFile) -> Iterator[tuple[Category, Label]]:
        """The labels of the whole image."""
        for label in self._rows.labels.get(file.image_id, ()):
            if category := self._categories.get(label.label_name):
                yield category, label

    def relationships(self, file: AnnotatedFile, where: Transform) -> Iterator[LabelledRelationship]:
        """The relationships whose objects are both in the file."""
        for row in self._rows.relationships.get(file.image_id, ()):
            subject, other = self._categories.get(row.label_name1), self._categories.get(row.label_name2)
            if subject is None or other is None:
                continue
            box1 = self._seen(row.x_min1, row.x_max1, row.y_min1, row.y_max1, where)
            box2 = self._seen(row.x_min2, row.x_max2, row.y_min2, row.y_max2, where)
            if box1 and box2:
                yield LabelledRelationship(row.relationship_label, (subject, box1), (other, box2))
            else:
                self._result.unseen[LabelType.RELATIONSHIPS] += 1

    def points(self, file: AnnotatedFile, where: Transform) -> Iterator[LabelledPoint]:
        """The points in a file."""
        for point in self._rows.points.get(file.image_id, ()):
            category = self._categories.get(point.label)
            if category is None:
                continue
            if seen := transform_point(point.x, point.y, where):
                yield LabelledPoint(category, with_shown(point, _POINT_TEXTS), *seen)
            else:
                self._result.unseen[LabelType.POINTS] += 1

    def _boxes_and_masks(self, image_id: str, *, needs_mask: bool) -> Iterator[tuple[Box, Segmentation | None]]:
        """The published boxes, and the mask of each; a mask without a box comes with the box that it was drawn from.

        Such masks are left out if boxes are selected by more than their class: their attributes are unknown.
        """
        boxes = self._rows.boxes.get(image_id, ())
        masks = self._rows.masks.get(image_id, ())
        of_box, others = pair(boxes, masks) if masks else ({}, [])
        for at, box in enumerate(boxes):
            if at in of_box or not needs_mask:
                yield box, of_box.get(at)
        selection = self._choice.selection
        if not selection.attributes and selection.min_box_area is None:
            for segmentation in others:
                yield box_of(segmentation), segmentation

    def _seen(self, x_min: float, x_max: float, y_min: float, y_max: float, where: Transform) -> PlacedBox | None:
        seen = transform_box(x_min, x_max, y_min, y_max, where)
        return seen if seen and seen.visible >= self._choice.min_visible else None

    def _mask(self, file: AnnotatedFile, segmentation: Segmentation, where: Transform) -> Mask | None:
        """The mask in a file; None if no pixel of it is there, or it cannot be read."""
        mask = self._masks.read(file.subset, segmentation, where)
        if isinstance(mask, Failure):
            self._result.unread_masks += 1
            self._result.unread_mask = self._result.unread_mask or f"{segmentation.mask_path}: {mask.detail}"
            return None
        if mask is None:
            self._result.unseen[LabelType.SEGMENTATIONS] += 1
        return mask
