"""Files with what was seen in them, by pages, for the formats of other tools.

One walk along the files of a rendition in ImageID order; the boxes and labels of
a page are asked for together. Every page is a read of its own, so an export
that takes hours never keeps a run from emptying its WAL.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import NamedTuple, TypeVar

_PAGE = 500


class LabelClass(NamedTuple):
    """A class that annotations name: its MID, its English name, and the class above it, where there are such."""

    label_name: str
    display_name: str | None
    parent: str | None


class FileRow(NamedTuple):
    """A file with its geometry (as in `model.WrittenFile`), and whom to thank for the picture.

    `number` is the image's in the published list. `stored_orientation` is the EXIF orientation of the picture as it
    came, `bands` its bands; both None where they were not noted.
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
    stored_orientation: int | None
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
    """A class that was looked for in an image: `confidence` 1 is there, 0 is not, between them a machine's guess."""

    image_id: str
    label_name: str
    source: str
    confidence: float


# From one name to the next by the index, not over all the rows.
_NAMES_IN = """
SELECT label_name FROM (
    WITH RECURSIVE step(label_name) AS (
        SELECT min(label_name) FROM {table}
        UNION ALL
        SELECT (SELECT min(t.label_name) FROM {table} AS t WHERE t.label_name > step.label_name)
        FROM step WHERE step.label_name IS NOT NULL
    )
    SELECT label_name FROM step WHERE label_name IS NOT NULL
)
"""
_Row = TypeVar("_Row", Box, Label)


def has_annotations(db: sqlite3.Connection, table: str) -> bool:
    """Whether there is any row in `box` or `label`."""
    return db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None


def known_classes(db: sqlite3.Connection, tables: Collection[str]) -> list[LabelClass]:
    """The classes that rows of `tables` (`box`, `label`) name, by MID; for boxes also all that can have one."""
    boxable = ["SELECT label_name FROM class WHERE is_boxable"] if "box" in tables else []
    return _classes(db, " UNION ".join([*boxable, *(_NAMES_IN.format(table=table) for table in sorted(tables))]))


def classes_of(db: sqlite3.Connection, label_names: Collection[str]) -> list[LabelClass]:
    """These classes, in the order given."""
    found = _classes(db, "SELECT value AS label_name FROM json_each(?)", json.dumps(tuple(label_names)))
    by_name = {each.label_name: each for each in found}
    return [by_name[label_name] for label_name in label_names]


def file_pages(db: sqlite3.Connection, rendition: str, subsets: Collection[str]) -> Iterator[list[FileRow]]:
    """The files of `rendition` in `subsets`, in ImageID order."""
    after = ""
    while True:
        page = [
            FileRow._make(row)
            for row in db.execute(
                "SELECT f.image_id, i.rowid, d.subset, f.path, f.width, f.height, f.orientation, f.scaled_width, "
                "f.scaled_height, f.crop_left, f.crop_top, f.conversion, d.orientation, d.bands, i.original_url, "
                "i.original_landing_url, i.license, i.author_profile_url, i.author, i.title "
                "FROM file AS f CROSS JOIN download AS d ON d.image_id = f.image_id "
                "CROSS JOIN image AS i ON i.image_id = f.image_id "
                "WHERE f.image_id > ? AND f.rendition = ? AND d.subset IN (SELECT value FROM json_each(?)) "
                "ORDER BY f.image_id LIMIT ?",
                (after, rendition, json.dumps(tuple(subsets)), _PAGE),
            )
        ]
        if page:
            yield page
        if len(page) < _PAGE:
            return
        after = page[-1].image_id


def boxes_of(
    db: sqlite3.Connection, image_ids: Collection[str], label_names: Collection[str] | None
) -> dict[str, list[Box]]:
    """The boxes of these images, as published in order, by ImageID; only of `label_names` if given."""
    return _by_image(db, Box, "box", "number", image_ids, label_names)


def labels_of(
    db: sqlite3.Connection, image_ids: Collection[str], label_names: Collection[str] | None
) -> dict[str, list[Label]]:
    """The labels of these images, in the order of their MIDs, by ImageID; only of `label_names` if given."""
    return _by_image(db, Label, "label", "label_name, source", image_ids, label_names)


def _by_image(
    db: sqlite3.Connection,
    kind: type[_Row],
    table: str,
    order: str,
    image_ids: Collection[str],
    label_names: Collection[str] | None,
) -> dict[str, list[_Row]]:
    # The plus keeps to the primary key: an image has few rows, a class may have millions.
    chosen = "" if label_names is None else "AND +label_name IN (SELECT value FROM json_each(?))"
    values = [json.dumps(tuple(image_ids))] + ([] if label_names is None else [json.dumps(tuple(label_names))])
    found: dict[str, list[_Row]] = {}
    for row in db.execute(
        f"SELECT {', '.join(kind._fields)} FROM {table} WHERE image_id IN (SELECT value FROM json_each(?)) {chosen} "
        f"ORDER BY image_id, {order}",
        values,
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
