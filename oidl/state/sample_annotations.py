"""The boxes and labels of the jobs whose images go into shards, as published."""

import sqlite3
from collections.abc import Collection

from oidl.model.sample import SampleBox, SampleLabel
from oidl.state.file_annotations import Box, boxes_of, labels_of

Annotations = tuple[tuple[SampleBox, ...], tuple[SampleLabel, ...]]


class SampleAnnotations:
    """Reads the annotations that are loaded, with the display names of their classes.

    The number of a class is its place among all classes of the database in the order of their MIDs, from 1; 0 if it is
    not one of them.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._classes: dict[str, tuple[int, str]] = {}

    def of(self, image_ids: Collection[str]) -> dict[str, Annotations]:
        """The boxes and labels of each of these images that has some; the sides of boxes are those of the original."""
        boxes, labels = boxes_of(self._db, image_ids, None), labels_of(self._db, image_ids, None)
        return {
            image_id: (
                tuple(self._box(box) for box in boxes.get(image_id, ())),
                tuple(
                    SampleLabel(*self._class(label.label_name), label.confidence) for label in labels.get(image_id, ())
                ),
            )
            for image_id in boxes.keys() | labels.keys()
        }

    def _box(self, box: Box) -> SampleBox:
        number, label_name, name = self._class(box.label_name)
        return SampleBox(
            number,
            label_name,
            name,
            box.x_min,
            box.x_max,
            box.y_min,
            box.y_max,
            is_occluded=_known(box.is_occluded),
            is_truncated=_known(box.is_truncated),
            is_group_of=_known(box.is_group_of),
            is_depiction=_known(box.is_depiction),
            is_inside=_known(box.is_inside),
        )

    def _class(self, label_name: str) -> tuple[int, str, str]:
        """The number, the MID and the display name of a class."""
        if label_name not in self._classes:  # of the first image, or loaded since
            rows = self._db.execute("SELECT label_name, display_name FROM class ORDER BY label_name")
            self._classes = {mid: (number, name or mid) for number, (mid, name) in enumerate(rows, 1)}
            self._classes.setdefault(label_name, (0, label_name))
        number, name = self._classes[label_name]
        return number, label_name, name


def _known(attribute: int | None) -> int:
    return -1 if attribute is None else attribute
