"""Published masks, relationships and points of images, which only some formats support."""

import json
import sqlite3
from collections.abc import Collection
from typing import NamedTuple, TypeVar

from oidl.model import LabelType
from oidl.settings import Selection
from oidl.state.file_annotations import rows_by_image
from oidl.state.selection import SelectedImages


class Segmentation(NamedTuple):
    """A published mask: the name of its file, and the box it was drawn from, as shares of the stored image."""

    image_id: str
    mask_path: str
    label_name: str
    box_x_min: float
    box_x_max: float
    box_y_min: float
    box_y_max: float


class Relationship(NamedTuple):
    """A published relationship from the first object to the second: a word, and the class and box of each.

    For an attribute, such as "is wooden", the second class is the attribute, and both boxes are the same.
    """

    image_id: str
    label_name1: str
    label_name2: str
    x_min1: float
    x_max1: float
    y_min1: float
    y_max1: float
    x_min2: float
    x_max2: float
    y_min2: float
    y_max2: float
    relationship_label: str


class Point(NamedTuple):
    """A published point, as shares of the stored image, and the votes of people whether it is on the class `label`."""

    image_id: str
    label: str
    x: float
    y: float
    estimated_yes_no: str | None
    source: str | None
    yes_votes: int | None
    no_votes: int | None
    unsure_votes: int | None
    text_label: str | None
    is_there: bool


_TYPES = {
    Segmentation: LabelType.SEGMENTATIONS,
    Relationship: LabelType.RELATIONSHIPS,
    Point: LabelType.POINTS,
}
_Row = TypeVar("_Row", Segmentation, Relationship, Point)


def annotations_of(
    db: sqlite3.Connection, kind: type[_Row], image_ids: Collection[str], label_names: Collection[str] | None
) -> dict[str, list[_Row]]:
    """The masks, relationships or points of these images, in the published order, by ImageID.

    Only those of `label_names` if given; for a relationship, one of the two classes is enough.
    """
    return rows_by_image(db, kind, _TYPES[kind], "file_id, row_number", image_ids, label_names, Selection())


def has_segmentations(
    db: sqlite3.Connection,
    rendition: str,
    subset: str,
    digit: str,
    label_names: Collection[str] | None,
    selected: SelectedImages | None,
) -> bool:
    """Whether a file of `rendition` whose ImageID begins with `digit` has a mask (of `label_names` if given)."""
    conditions = [
        "x.image_id >= :digit AND x.image_id < :digit || 'g' AND d.subset = :subset",
        "f.rendition = :rendition",
    ]
    if label_names is not None:
        conditions.append("+x.label_name IN (SELECT value FROM json_each(:label_names))")
    if selected:
        conditions.append("x.image_id IN (SELECT image_id FROM temp.selected)")
    return bool(
        db.execute(
            "SELECT 1 FROM segmentation AS x CROSS JOIN file AS f ON f.image_id = x.image_id "
            f"CROSS JOIN download AS d ON d.image_id = x.image_id WHERE {' AND '.join(conditions)} LIMIT 1",
            {
                "rendition": rendition,
                "subset": subset,
                "digit": digit,
                "label_names": json.dumps(tuple(label_names or ())),
            },
        ).fetchone()
    )
