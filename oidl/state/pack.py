"""The shards that `oidl pack` makes: which images are in which, and which are written.

A plan is written in one transaction, from the files of a rendition or a selection of them. From then on, each shard is
made from its own rows and sealed in one transaction. The caller holds the writer lock.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from oidl.model import LabelType
from oidl.state.connection import transaction
from oidl.state.file_annotations import FILE_COLUMNS, AnnotatedFile
from oidl.state.selection import SelectedImages
from oidl.state.times import timestamp

_PAGE = 100  # more rows would not stay in the cache of a core until their samples are made
_MANY = 100_000  # from here on, an index is built after the rows if these arrive in random order
_MEMBER_INDEX = "CREATE UNIQUE INDEX shard_member_by_place ON shard_member (shard_id, place)"
_UNUSED_KINDS = (LabelType.RELATIONSHIPS, LabelType.POINTS)

_FACTS = (
    "m.place, m.image_id, f.bytes, coalesce(d.width, 0), coalesce(d.height, 0), coalesce(d.source, ''), "
    "coalesce(d.md5, ''), coalesce(d.format, ''), i.rotation"
)


class ShardSet(NamedTuple):
    """A row of `shard_set`; `recipe` is parsed, or empty if it cannot be."""

    set_id: int
    writer: str
    format: str
    rendition: str
    recipe: Mapping[str, Any]
    finished_at: str | None


class ShardRow(NamedTuple):
    """A row of `shard`."""

    shard_id: int
    set_id: int
    split: str
    number: int
    path: str
    state: str
    samples: int
    bytes: int
    sha256: str | None
    sealed_at: str | None

    @property
    def is_sealed(self) -> bool:
        """Whether it is complete."""
        return self.state == "sealed"


class Member(NamedTuple):
    """An image of a shard, and what is known about it; `file` is None if the image has no such file any more."""

    place: int
    image_id: str
    bytes: int
    original_width: int
    original_height: int
    source: str
    md5: str
    format: str
    rotation: str | None
    file: AnnotatedFile | None


class Written(NamedTuple):
    """An image in a shard that was written: where its sample begins and how long it is, None in Parquet."""

    image_id: str
    at: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class ChosenSplit:
    """The chosen images of a split, and the total size of their files."""

    images: int
    bytes: int


def find_set(db: sqlite3.Connection, directory: str) -> ShardSet | None:
    """The set of shards in `directory`, a recorded path."""
    row = db.execute(
        "SELECT set_id, writer, format, rendition, recipe, finished_at FROM shard_set WHERE directory = ?", (directory,)
    ).fetchone()
    if row is None:
        return None
    try:
        recipe = json.loads(row[4])
    except ValueError:
        recipe = {}
    return ShardSet._make((*row[:4], recipe if isinstance(recipe, dict) else {}, row[5]))


def loaded_files(db: sqlite3.Connection) -> dict[str, str]:
    """The annotation files that are loaded, and when they were; without those that no shard uses."""
    return dict(
        db.execute(
            "SELECT name, loaded_at FROM annotation_file WHERE kind NOT IN (SELECT value FROM json_each(?)) "
            "ORDER BY name",
            (json.dumps(_UNUSED_KINDS),),
        )
    )


def choose_images(
    db: sqlite3.Connection,
    rendition: str,
    subsets: Collection[str],
    selected: SelectedImages | None,
    limit: int | None,
    *,
    is_usable: Callable[[str, str, bool], bool],
    split_of: Callable[[str, str], str],
) -> dict[str, ChosenSplit]:
    """Fills `temp.chosen` with the images for a plan, in ImageID order or that of the selection; returns their splits.

    `is_usable(image_id, path, has_geometry)` and `split_of(image_id, subset)` are called for each file; the former is
    false for a file to leave out.
    """
    if selected:
        source, key = "temp.selected AS c CROSS JOIN file AS f ON f.image_id = c.image_id", "c.place"
    else:
        source, key = "file AS f", "f.image_id"
    db.create_function("is_usable", 3, is_usable)
    db.create_function("split_of", 2, split_of)
    db.execute("DROP TABLE IF EXISTS temp.chosen")
    db.execute(
        "CREATE TEMP TABLE chosen "
        "(place INTEGER PRIMARY KEY, image_id TEXT NOT NULL, split TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT"
    )
    db.execute(
        "INSERT INTO temp.chosen (image_id, split, bytes) SELECT f.image_id, split_of(f.image_id, d.subset), f.bytes "
        f"FROM {source} CROSS JOIN download AS d ON d.image_id = f.image_id "
        "WHERE f.rendition = ? AND d.subset IN (SELECT value FROM json_each(?)) "
        f"AND is_usable(f.image_id, f.path, f.scaled_width IS NOT NULL) ORDER BY {key} LIMIT ?",
        (rendition, json.dumps(tuple(subsets)), -1 if limit is None else limit),
    )
    rows = db.execute("SELECT split, count(*), sum(bytes) FROM temp.chosen GROUP BY split ORDER BY split")
    return {split: ChosenSplit(images, size) for split, images, size in rows}


def create_set(
    db: sqlite3.Connection,
    shards: ShardSet,
    directory: str,
    paths: Mapping[str, Sequence[str]],
    chosen: Mapping[str, ChosenSplit],
    *,
    is_shuffled: bool,
) -> int:
    """Plans the images in `temp.chosen` in one transaction; returns the number of the new set.

    `paths` are the recorded paths of the shards of each split, which get the same number of images each, or one more.
    A set that has the directory is removed before, in the same transaction.
    """
    sorts = is_shuffled and sum(split.images for split in chosen.values()) > _MANY
    with transaction(db):
        before = find_set(db, directory)
        if before:
            _remove_set(db, before.set_id)
        (set_id,) = db.execute(
            "INSERT INTO shard_set (writer, directory, format, rendition, recipe, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING set_id",
            (
                shards.writer,
                directory,
                shards.format,
                shards.rendition,
                json.dumps(shards.recipe, sort_keys=True),
                timestamp(),
            ),
        ).fetchone()
        if sorts:
            db.execute("DROP INDEX shard_member_by_place")
        for split, names in paths.items():
            _plan_split(db, set_id, split, names, chosen[split].images, "x.image_id" if sorts else "x.nth")
        if sorts:
            db.execute(_MEMBER_INDEX)
    db.execute("DROP TABLE temp.chosen")
    return int(set_id)


def _plan_split(db: sqlite3.Connection, set_id: int, split: str, paths: Sequence[str], images: int, order: str) -> None:
    db.executemany(
        "INSERT INTO shard (set_id, split, number, path, state) VALUES (?, ?, ?, ?, 'planned')",
        ((set_id, split, number, path) for number, path in enumerate(paths)),
    )
    # Image n of a split is in shard n * shards / images, whose first image is that number times images / shards,
    # rounded up.
    db.execute(
        "INSERT INTO shard_member (set_id, image_id, shard_id, place) "
        "SELECT s.set_id, x.image_id, s.shard_id, x.nth - (s.number * :images + :shards - 1) / :shards "
        "FROM (SELECT image_id, row_number() OVER (ORDER BY place) - 1 AS nth FROM temp.chosen WHERE split = :split) "
        "AS x CROSS JOIN shard AS s ON s.set_id = :set_id AND s.split = :split "
        f"AND s.number = x.nth * :shards / :images ORDER BY {order}",
        {"set_id": set_id, "split": split, "images": images, "shards": len(paths)},
    )


def _remove_set(db: sqlite3.Connection, set_id: int) -> None:
    db.execute("DELETE FROM shard_member WHERE set_id = ?", (set_id,))
    db.execute("DELETE FROM shard WHERE set_id = ?", (set_id,))
    db.execute("DELETE FROM shard_set WHERE set_id = ?", (set_id,))


def shards_of(db: sqlite3.Connection, set_id: int) -> list[ShardRow]:
    """The shards of a set, split by split in the order of their numbers, as planned."""
    rows = db.execute(
        "SELECT shard_id, set_id, split, number, path, state, samples, bytes, sha256, sealed_at FROM shard "
        "WHERE set_id = ? ORDER BY shard_id",
        (set_id,),
    )
    return [ShardRow._make(row) for row in rows]


def member_pages(
    db: sqlite3.Connection, shard_id: int, rendition: str, *, page_size: int = _PAGE
) -> Iterator[list[Member]]:
    """The images of a shard in their order, with their files of `rendition`, up to `page_size` at a time."""
    after = -1
    while True:
        rows = db.execute(
            f"SELECT {_FACTS}, {FILE_COLUMNS} FROM shard_member AS m "
            "LEFT JOIN file AS f ON f.image_id = m.image_id AND f.rendition = ? "
            "LEFT JOIN download AS d ON d.image_id = f.image_id LEFT JOIN image AS i ON i.image_id = f.image_id "
            "WHERE m.shard_id = ? AND m.place > ? ORDER BY m.place LIMIT ?",
            (rendition, shard_id, after, page_size),
        ).fetchall()
        if rows:
            after = rows[-1][0]
            yield [_member(row) for row in rows]
        if len(rows) < page_size:
            return


def _member(row: tuple[Any, ...]) -> Member:
    file = row[9:]
    is_there = file[0] is not None and file[1] is not None  # of `file` and of `image`
    return Member._make((*row[:9], AnnotatedFile._make(file) if is_there else None))


def seal_shard(
    db: sqlite3.Connection,
    shard: ShardRow,
    written: Sequence[Written],
    missing: Collection[str],
    size_bytes: int,
    sha256: str,
) -> None:
    """Records a shard that is complete, in one transaction; `missing` images are not in it any more."""
    with transaction(db):
        db.executemany(
            "DELETE FROM shard_member WHERE set_id = ? AND image_id = ?",
            ((shard.set_id, image_id) for image_id in missing),
        )
        if missing:  # in their order, so that no place is taken twice while those after a missing image move up
            db.executemany(
                "UPDATE shard_member SET place = ? WHERE set_id = ? AND image_id = ?",
                ((place, shard.set_id, each.image_id) for place, each in enumerate(written)),
            )
        db.executemany(
            "UPDATE shard_member SET at = ?, bytes = ? WHERE set_id = ? AND image_id = ?",
            ((each.at, each.bytes, shard.set_id, each.image_id) for each in written),
        )
        db.execute(
            "UPDATE shard SET state = 'sealed', samples = ?, bytes = ?, sha256 = ?, sealed_at = ? WHERE shard_id = ?",
            (len(written), size_bytes, sha256, timestamp(), shard.shard_id),
        )


def plan_again(db: sqlite3.Connection, set_id: int, shard_ids: Collection[int]) -> None:
    """Makes sealed shards planned ones again, because their files are not there, and the set unfinished."""
    with transaction(db):
        db.execute(
            "UPDATE shard SET state = 'planned', samples = 0, bytes = 0, sha256 = NULL, sealed_at = NULL "
            "WHERE shard_id IN (SELECT value FROM json_each(?))",
            (json.dumps(tuple(shard_ids)),),
        )
        db.execute("UPDATE shard_set SET finished_at = NULL WHERE set_id = ?", (set_id,))


def finish_set(db: sqlite3.Connection, set_id: int) -> None:
    """Records that all of a set is made, with the files next to its shards."""
    with transaction(db):
        db.execute("UPDATE shard_set SET finished_at = ? WHERE set_id = ?", (timestamp(), set_id))
