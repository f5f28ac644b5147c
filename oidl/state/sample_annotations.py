"""The boxes and labels of the jobs whose images go into shards, as published."""

import sqlite3
from collections.abc import Collection

from oidl.model.sample import SampleBox, SampleLabel
from oidl.state.file_annotations import Box, boxes_of, labels_of

_NO_NUMBER = -1

Annotations = tuple[tuple[SampleBox, ...], tuple[SampleLabel, ...]]


class SampleAnnotations:
    """Reads the annotations that are loaded, with the display names of their classes.

    Their classes have no number (-1): shards of a run have no label map, because more classes may come later.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._names: dict[str, str] = {}

    def of(self, image_ids: Collection[str]) -> dict[str, Annotations]:
        """The boxes and labels of each of these images that has some; the sides of boxes are those of the original."""
        boxes, labels = boxes_of(self._db, image_ids, None), labels_of(self._db, image_ids, None)
        return {
            image_id: (
                tuple(self._box(box) for box in boxes.get(image_id, ())),
                tuple(
                    SampleLabel(_NO_NUMBER, label.label_name, self._name(label.label_name), label.confidence)
                    for label in labels.get(image_id, ())
                ),
            )
            for image_id in boxes.keys() | labels.keys()
        }

    def _box(self, box: Box) -> SampleBox:
        return SampleBox(
            _NO_NUMBER,
            box.label_name,
            self._name(box.label_name),
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

    def _name(self, label_name: str) -> str:
        """The display name of a class; its MID if it has none."""
        if label_name not in self._names:  # of the first image, or loaded since
            self._names = dict(
                self._db.execute("SELECT label_name, display_name FROM class WHERE display_name NOTNULL")
            )
            self._names.setdefault(label_name, label_name)
        return self._names[label_name]


def _known(attribute: int | None) -> int:
    return -1 if attribute is None else attribute
