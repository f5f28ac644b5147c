"""Files with their annotations, page by page, for the formats of other tools.

One walk along the files of a rendition in ImageID order, or along a selection of images in its own order; the boxes and
labels of a page are read together. Every page is a separate read, so an export that takes hours never keeps a run from
emptying its WAL.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import NamedTuple, TypeVar

from oidl.model import LabelType
from oidl.settings import Selection
from oidl.state.annotation_filters import ANNOTATION_TABLES, row_conditions, row_parameters
from oidl.state.licenses import CHECK_COLUMNS
from oidl.state.selection import SelectedImages
from oidl.state.shards import IMAGE_FORMAT

_PAGE = 500


class LabelClass(NamedTuple):
    """A class of annotations: its MID, its English name, and its parent class; None if unknown."""

    label_name: str
    display_name: str | None
    parent: str | None


class AnnotatedFile(NamedTuple):
    """A file with its geometry (as in `model.WrittenFile`) and its attribution.

    `number` is that of the image in the published list. `exif_orientation` is that of an unchanged file, `bands` are
    those of the last downloaded image; both are None if not recorded. The last three are those of the last check of the
    licence, "" without one.
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
    bytes: int = 0
    image_format: str = ""
    license_verdict: str = ""
    license_now: str = ""
    license_checked: str = ""


class Box(NamedTuple):
    """A published box: sides are shares of the stored image; attributes are 1, 0, -1 for unknown, or None."""

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
    """A label of a whole image: `confidence` is 1 for present, 0 for absent, between them for a machine's guess.

    `is_there`: whether the row counts as showing the class (`annotation_filters`).
    """

    image_id: str
    label_name: str
    source: str
    confidence: float
    is_there: bool


FILE_COLUMNS = (
    "f.image_id, i.rowid, d.subset, f.path, f.width, f.height, f.orientation, f.scaled_width, f.scaled_height, "
    "f.crop_left, f.crop_top, f.conversion, f.exif_orientation, d.bands, i.original_url, i.original_landing_url, "
    f"i.license, i.author_profile_url, i.author, i.title, f.bytes, {IMAGE_FORMAT}, {CHECK_COLUMNS}"
)
"""The fields of `AnnotatedFile` as columns of `file` (f), `download` (d) and `image` (i)."""

# Seeks from one name to the next in the index instead of scanning all rows.
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
    """The classes in annotations of these types, by MID; for boxes and their masks also all boxable classes."""
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
    """These classes, in the given order."""
    classes = _classes(db, "SELECT value AS label_name FROM json_each(?)", json.dumps(tuple(label_names)))
    by_name = {each.label_name: each for each in classes}
    return [by_name[label_name] for label_name in label_names]


def subsets_with_images(
    db: sqlite3.Connection, rendition: str, subsets: Collection[str], selected: SelectedImages | None = None
) -> list[str]:
    """Those of `subsets` that have images; with a selection made on `db`, those with files of `rendition` in it."""
    if selected is None:
        sql = "SELECT 1 FROM progress WHERE subset = :subset AND status = 'done'"
    else:
        sql = (
            "SELECT 1 FROM temp.selected AS c CROSS JOIN download AS d ON d.image_id = c.image_id "
            "CROSS JOIN file AS f ON f.image_id = c.image_id AND f.rendition = :rendition "
            "WHERE d.subset = :subset LIMIT 1"
        )
    values = ({"subset": subset, "rendition": rendition} for subset in subsets)
    return [each["subset"] for each in values if db.execute(sql, each).fetchone()]


def file_pages(
    db: sqlite3.Connection,
    rendition: str,
    subsets: Collection[str],
    selected: SelectedImages | None = None,
    *,
    page_size: int = _PAGE,
) -> Iterator[list[AnnotatedFile]]:
    """The files of `rendition` in `subsets`, in ImageID order; those of a selection made on `db` in its order.

    A page has up to `page_size` files.
    """
    if selected:
        source, key = "temp.selected AS c CROSS JOIN file AS f ON f.image_id = c.image_id", "c.place"
    else:
        source, key = "file AS f", "f.image_id"
    after: str | int = 0 if selected else ""
    while True:
        # The plus makes SQLite use the primary key: most files are of this rendition.
        rows = db.execute(
            f"SELECT {key}, {FILE_COLUMNS} "
            f"FROM {source} CROSS JOIN download AS d ON d.image_id = f.image_id "
            "CROSS JOIN image AS i ON i.image_id = f.image_id "
            f"WHERE {key} > ? AND +f.rendition = ? AND d.subset IN (SELECT value FROM json_each(?)) "
            f"ORDER BY {key} LIMIT ?",
            (after, rendition, json.dumps(tuple(subsets)), page_size),
        ).fetchall()
        if rows:
            yield [AnnotatedFile._make(row[1:]) for row in rows]
        if len(rows) < page_size:
            return
        after = rows[-1][0]


def boxes_of(
    db: sqlite3.Connection,
    image_ids: Collection[str],
    label_names: Collection[str] | None,
    selection: Selection = _ANY,
) -> dict[str, list[Box]]:
    """The boxes of these images, file by file in the published order, by ImageID; only those of `label_names` if given.

    Only boxes whose attributes and area match `selection`.
    """
    return rows_by_image(db, Box, LabelType.BOXES, "file_id, row_number", image_ids, label_names, selection)


def labels_of(
    db: sqlite3.Connection,
    image_ids: Collection[str],
    label_names: Collection[str] | None,
    selection: Selection = _ANY,
) -> dict[str, list[Label]]:
    """The labels of these images, in the order of their MIDs, by ImageID; only those of `label_names` if given.

    Only labels that people verified, if `selection` requires that.
    """
    rows = rows_by_image(db, Label, LabelType.LABELS, "label_name, source", image_ids, label_names, selection)
    return {image_id: list(dict.fromkeys(labels)) for image_id, labels in rows.items()}  # two files may repeat one


def rows_by_image(
    db: sqlite3.Connection,
    kind: type[_Row],
    label_type: LabelType,
    order: str,
    image_ids: Collection[str],
    label_names: Collection[str] | None,
    selection: Selection,
) -> dict[str, list[_Row]]:
    """The rows of type `label_type` of these images, as values of `kind`, whose fields are the columns.

    Only those of `label_names` if given (in any column with a class), and only those that match `selection`.
    """
    evidence = ANNOTATION_TABLES[label_type]
    columns = [evidence.is_there if name == "is_there" else name for name in kind._fields]
    conditions = ["image_id IN (SELECT value FROM json_each(:image_ids))", *row_conditions(selection, label_type)]
    if label_names is not None:
        # The plus makes SQLite use the primary key: an image has few rows, a class may have millions.
        names = (f"+{column} IN (SELECT value FROM json_each(:label_names))" for column in evidence.columns)
        conditions.append(f"({' OR '.join(names)})")
    by_image: dict[str, list[_Row]] = {}
    for row in db.execute(
        f"SELECT {', '.join(columns)} FROM {evidence.table} AS x WHERE {' AND '.join(conditions)} "
        f"ORDER BY image_id, {order}",
        {
            "image_ids": json.dumps(tuple(image_ids)),
            "label_names": json.dumps(tuple(label_names or ())),
            **row_parameters(selection),
        },
    ):
        by_image.setdefault(row[0], []).append(kind._make(row))
    return by_image


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
