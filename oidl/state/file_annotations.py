"""Files with what was seen in them, by pages, for the formats of other tools.

One walk along the files of a rendition in ImageID order, or along a choice of images in its own; the boxes and
labels of a page are asked for together. Every page is a read of its own, so an export
that takes hours never keeps a run from emptying its WAL.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import NamedTuple, TypeVar

from oidl.model import LabelType
from oidl.settings import Selection
from oidl.state.annotation_filters import ANNOTATION_TABLES, row_conditions, row_parameters
from oidl.state.selection import SelectedImages

_PAGE = 500


class LabelClass(NamedTuple):
    """A class that annotations name: its MID, its English name, and the class above it, where there are such."""

    label_name: str
    display_name: str | None
    parent: str | None


class AnnotatedFile(NamedTuple):
    """A file with its geometry (as in `model.WrittenFile`), and whom to thank for the picture.

    `number` is the image's in the published list. `exif_orientation` is what a file kept as it came says
    itself, `bands` are those of the picture as it came last; both None where they were not noted.
    """

    image_id: str
    number: int
    subset: str
    path: str
    width: int
    height: int
    orientation: int
    scaled_width: int | None
    scaled_height: int | None
    crop_left: int
    crop_top: int
    conversion: str | None
    exif_orientation: int | None
    bands: int | None
    original_url: str
    original_landing_url: str
    license: str
    author_profile_url: str
    author: str
    title: str


class Box(NamedTuple):
    """A box as published: sides are shares of the stored picture; attributes 1, 0, -1 for unknown, or None."""

    image_id: str
    label_name: str
    source: str
    confidence: float
    x_min: float
    x_max: float
    y_min: float
    y_max: float
    is_occluded: int | None
    is_truncated: int | None
    is_group_of: int | None
    is_depiction: int | None
    is_inside: int | None


class Label(NamedTuple):
    """A class that was looked for in an image: `confidence` 1 is there, 0 is not, between them a machine's guess.

    `is_there` says whether the row counts as showing the class (`evidence`).
    """

    image_id: str
    label_name: str
    source: str
    confidence: float
    is_there: bool


# From one name to the next by the index, not over all the rows.
_NAMES_IN = """
SELECT label_name FROM (
    WITH RECURSIVE step(label_name) AS (
        SELECT min({column}) FROM {table}
        UNION ALL
        SELECT (SELECT min(t.{column}) FROM {table} AS t WHERE t.{column} > step.label_name)
        FROM step WHERE step.label_name IS NOT NULL
    )
    SELECT label_name FROM step WHERE label_name IS NOT NULL
)
"""
_Row = TypeVar("_Row", bound=NamedTuple)

_ANY = Selection()


def known_classes(db: sqlite3.Connection, label_types: Collection[LabelType]) -> list[LabelClass]:
    """The classes that annotations of these types name, by MID; for boxes and their masks also all boxable ones."""
    if not label_types:
        return []
    is_boxable = LabelType.BOXES in label_types or LabelType.SEGMENTATIONS in label_types
    boxable = ["SELECT label_name FROM class WHERE is_boxable"] if is_boxable else []
    named = [
        _NAMES_IN.format(table=ANNOTATION_TABLES[label_type].table, column=column)
        for label_type in sorted(label_types)
        for column in ANNOTATION_TABLES[label_type].columns
    ]
    return _classes(db, " UNION ".join([*boxable, *named]))


def classes_of(db: sqlite3.Connection, label_names: Collection[str]) -> list[LabelClass]:
    """These classes, in the order given."""
    found = _classes(db, "SELECT value AS label_name FROM json_each(?)", json.dumps(tuple(label_names)))
    by_name = {each.label_name: each for each in found}
    return [by_name[label_name] for label_name in label_names]


def subsets_with_images(
    db: sqlite3.Connection, rendition: str, subsets: Collection[str], chosen: SelectedImages | None = None
) -> list[str]:
    """Those of `subsets` that have images; of a choice made on `db`, those that it has files of `rendition` from."""
    if chosen is None:
        sql = "SELECT 1 FROM progress WHERE subset = :subset AND status = 'done'"
    else:
        sql = (
            "SELECT 1 FROM temp.chosen AS c CROSS JOIN download AS d ON d.image_id = c.image_id "
            "CROSS JOIN file AS f ON f.image_id = c.image_id AND f.rendition = :rendition "
            "WHERE d.subset = :subset LIMIT 1"
        )
    values = ({"subset": subset, "rendition": rendition} for subset in subsets)
    return [each["subset"] for each in values if db.execute(sql, each).fetchone()]


def file_pages(
    db: sqlite3.Connection, rendition: str, subsets: Collection[str], chosen: SelectedImages | None = None
) -> Iterator[list[AnnotatedFile]]:
    """The files of `rendition` in `subsets`, in ImageID order; those of a choice made on `db` in its order."""
    if chosen:
        source, key = "temp.chosen AS c CROSS JOIN file AS f ON f.image_id = c.image_id", "c.place"
    else:
        source, key = "file AS f", "f.image_id"
    after: str | int = 0 if chosen else ""
    while True:
        rows = db.execute(
            f"SELECT {key}, f.image_id, i.rowid, d.subset, f.path, f.width, f.height, f.orientation, f.scaled_width, "
            "f.scaled_height, f.crop_left, f.crop_top, f.conversion, f.exif_orientation, d.bands, i.original_url, "
            "i.original_landing_url, i.license, i.author_profile_url, i.author, i.title "
            f"FROM {source} CROSS JOIN download AS d ON d.image_id = f.image_id "
            "CROSS JOIN image AS i ON i.image_id = f.image_id "
            f"WHERE {key} > ? AND f.rendition = ? AND d.subset IN (SELECT value FROM json_each(?)) "
            f"ORDER BY {key} LIMIT ?",
            (after, rendition, json.dumps(tuple(subsets)), _PAGE),
        ).fetchall()
        if rows:
            yield [AnnotatedFile._make(row[1:]) for row in rows]
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def boxes_of(
    db: sqlite3.Connection,
    image_ids: Collection[str],
    label_names: Collection[str] | None,
    selection: Selection = _ANY,
) -> dict[str, list[Box]]:
    """The boxes of these images, file by file in the published order, by ImageID; only of `label_names` if given.

    And only those whose attributes and area fit `selection`.
    """
    return rows_by_image(db, Box, LabelType.BOXES, "file_id, row_number", image_ids, label_names, selection)


def labels_of(
    db: sqlite3.Connection,
    image_ids: Collection[str],
    label_names: Collection[str] | None,
    selection: Selection = _ANY,
) -> dict[str, list[Label]]:
    """The labels of these images, in the order of their MIDs, by ImageID; only of `label_names` if given.

    And only those that people verified, if `selection` asks for that.
    """
    found = rows_by_image(db, Label, LabelType.LABELS, "label_name, source", image_ids, label_names, selection)
    return {image_id: list(dict.fromkeys(labels)) for image_id, labels in found.items()}  # two files may say the same


def rows_by_image(
    db: sqlite3.Connection,
    kind: type[_Row],
    label_type: LabelType,
    order: str,
    image_ids: Collection[str],
    label_names: Collection[str] | None,
    selection: Selection,
) -> dict[str, list[_Row]]:
    """The rows of these images that are of type `label_type`, as values of `kind`, whose fields are their columns.

    Only of `label_names` if given (any of the columns that name a class will do), and only what fits `selection`.
    """
    evidence = ANNOTATION_TABLES[label_type]
    columns = [evidence.is_there if name == "is_there" else name for name in kind._fields]
    conditions = ["image_id IN (SELECT value FROM json_each(:image_ids))", *row_conditions(selection, label_type)]
    if label_names is not None:
        # The plus keeps to the primary key: an image has few rows, a class may have millions.
        names = (f"+{column} IN (SELECT value FROM json_each(:label_names))" for column in evidence.columns)
        conditions.append(f"({' OR '.join(names)})")
    found: dict[str, list[_Row]] = {}
    for row in db.execute(
        f"SELECT {', '.join(columns)} FROM {evidence.table} AS x WHERE {' AND '.join(conditions)} "
        f"ORDER BY image_id, {order}",
        {
            "image_ids": json.dumps(tuple(image_ids)),
            "label_names": json.dumps(tuple(label_names or ())),
            **row_parameters(selection),
        },
    ):
        found.setdefault(row[0], []).append(kind._make(row))
    return found


def _classes(db: sqlite3.Connection, names: str, *values: object) -> list[LabelClass]:
    return [
        LabelClass._make(row)
        for row in db.execute(
            "SELECT n.label_name, c.display_name, coalesce(p.display_name, h.parent) "
            f"FROM ({names}) AS n LEFT JOIN class AS c ON c.label_name = n.label_name "
            "LEFT JOIN (SELECT child, min(parent) AS parent FROM class_hierarchy WHERE kind = 'subcategory' "
            "           GROUP BY child) AS h ON h.child = n.label_name "
            "LEFT JOIN class AS p ON p.label_name = h.parent ORDER BY n.label_name",
            values,
        )
    ]
