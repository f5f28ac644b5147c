"""The annotation tables by type, and the rows of them that show a class in an image.

One place for both uses of a selection: which images show the requested classes
(`selection`), and which annotations of an image are returned
(`file_annotations`). In every condition the row is `x`.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from oidl.errors import UsageError
from oidl.hints import command
from oidl.model import LabelType
from oidl.settings import Selection

# People overrule a machine that sees a class.
_IS_DENIED = """
    (x.source = 'machine' AND EXISTS (SELECT 1 FROM label AS n WHERE n.image_id = x.image_id
                                      AND n.label_name = x.label_name AND n.confidence = 0))
"""
_VERIFIED = "x.confidence = 1 AND x.source LIKE '%verification'"


@dataclass(frozen=True, slots=True)
class AnnotationTable:
    """A table, its columns with a class, and the condition for rows that show this class in the image."""

    table: str
    columns: tuple[str, ...]
    is_there: str = "true"


ANNOTATION_TABLES = {
    LabelType.BOXES: AnnotationTable("box", ("label_name",)),
    LabelType.LABELS: AnnotationTable("label", ("label_name",), f"x.confidence > 0 AND NOT {_IS_DENIED}"),
    LabelType.SEGMENTATIONS: AnnotationTable("segmentation", ("label_name",)),
    LabelType.RELATIONSHIPS: AnnotationTable("relationship", ("label_name1", "label_name2")),
    LabelType.POINTS: AnnotationTable("point", ("label",), "coalesce(x.estimated_yes_no, 'yes') = 'yes'"),
}


def row_conditions(selection: Selection, label_type: LabelType) -> list[str]:
    """The conditions for a row of this type, in addition to its class; their values are in `row_parameters`."""
    if label_type is LabelType.LABELS and selection.verified_only:
        return [_VERIFIED]
    if label_type is not LabelType.BOXES:
        return []
    conditions = [f"x.{name} = {value:d}" for name, value in selection.attributes]
    if selection.min_box_area is not None:
        # Rounding costs a little: the box from 0.1 to 0.3 by 0.1 to 0.35 has 0.04999999999999999.
        conditions.append("max(0, x.x_max - x.x_min) * max(0, x.y_max - x.y_min) >= :min_area - 1e-12")
    return conditions


def row_parameters(selection: Selection) -> dict[str, Any]:
    """The values of the parameters in these conditions."""
    return {"min_area": selection.min_box_area}


def is_annotated(db: sqlite3.Connection, label_type: LabelType) -> bool:
    """Whether there are annotations of `label_type`."""
    return db.execute(f"SELECT 1 FROM {ANNOTATION_TABLES[label_type].table} LIMIT 1").fetchone() is not None


def has_annotations(db: sqlite3.Connection) -> bool:
    """Whether there are boxes or labels."""
    return is_annotated(db, LabelType.BOXES) or is_annotated(db, LabelType.LABELS)


def require_annotations(db: sqlite3.Connection, label_types: Iterable[LabelType]) -> None:
    """Raises `UsageError` if there are no annotations of one of `label_types`."""
    for label_type in label_types:
        if not is_annotated(db, label_type):
            raise UsageError(
                f"there are no {label_type} in the database",
                hint=f"run {command('annotations load', f'--annotations {label_type}')} to load them",
            )
