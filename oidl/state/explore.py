"""Images that match a filter, in ImageID order, on any number of rows.

Every condition is about one image. Some have an index whose entries are in ImageID order: files, reasons, classes,
small subsets, checks of licences. A search walks along the index with the fewest entries, in pieces; the other
conditions are looked up by ImageID for all images of a piece at once. A search ends when it has enough images or when
its time is over, and says where the next one continues, so that each answer is quick, even if nothing matches.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oidl.model import LabelType, LicenseClass, LicenseFilter
from oidl.state.annotation_filters import ANNOTATION_TABLES
from oidl.state.image_lookup import ImageSummary, image_summaries

SEARCH_S = 0.1
"""How long a search may take if nothing else is said."""

ANY_REASON = "any"
"""A value of `Filter.reason`: images that failed, or wait for a retry, whatever the reason."""

_FIRST_PIECE, _MAX_PIECE = 64, 2_048  # images
_PIECE_S = 0.03  # pieces grow until one takes this long
_COUNTED = 5_000  # entries of a class, at most; more are not told apart
_COMMON_SUBSET = "train"  # has no index: migrations/0007

_SHOWING = (LabelType.BOXES, LabelType.LABELS)
_NOTHING = "SELECT image_id FROM download WHERE false"
_TROUBLED = "d.status IN ('failed', 'retry')"


@dataclass(frozen=True, slots=True)
class Filter:
    """The images to find; an empty field is any.

    They show one of `label_names` in annotations of one of the types `shown_by`, are in `subset`, have the published
    `license` (a URL), the last check of which says `check`, and a file: of `rendition`, with a shorter side from
    `min_side` to `max_side` pixels. With `reason` they are those that failed or will be retried for it, and need no
    file.
    """

    label_names: tuple[str, ...] = ()
    shown_by: tuple[LabelType, ...] = _SHOWING
    subset: str = ""
    rendition: str = ""
    reason: str = ""
    license: str = ""
    check: LicenseFilter | None = None
    min_side: int | None = None
    max_side: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Matching images, in the order of the search; `next` is where it continues, None at the end."""

    image_summaries: tuple[ImageSummary, ...]
    next: str | None


class _Walk(NamedTuple):
    """A walk along an index: about how many entries there are, and the query for ImageIDs as compound SELECTs."""

    entries: int
    selects: tuple[str, ...]


def find_images(
    db: sqlite3.Connection,
    conditions: Filter,
    start: str,
    most: int,
    *,
    is_backwards: bool = False,
    search_s: float = SEARCH_S,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """The first `most` images from ImageID `start` on (included) that match `conditions`; or from there backwards.

    Fewer if there are no more, or after `search_s` seconds; `next` is then the `start` that continues it.
    """
    at = clock()
    end = at + search_s
    values = _values(conditions)
    walk = _shortest_walk(db, conditions, values)
    piece_sql, fits_sql = _piece(walk, is_backwards=is_backwards), _fitting(conditions)
    matches: list[str] = []
    size = _FIRST_PIECE
    while True:
        ids, count, last = db.execute(piece_sql, {**values, "start": start, "size": size}).fetchone()
        fitting = (image_id for (image_id,) in db.execute(fits_sql, {**values, "ids": ids}))
        matches += sorted(fitting, reverse=is_backwards)
        if len(matches) > most or (len(matches) == most and count == size):
            del matches[most:]
            return Found(tuple(image_summaries(db, matches)), _beyond(matches[-1], is_backwards=is_backwards))
        if count < size:
            return Found(tuple(image_summaries(db, matches)), None)
        start = _beyond(last, is_backwards=is_backwards)
        began, at = at, clock()
        if at + (at - began) > end:  # the next piece may take as long
            return Found(tuple(image_summaries(db, matches)), start)
        if at - began < _PIECE_S / 2:
            size = min(2 * size, _MAX_PIECE)


def _beyond(image_id: str, *, is_backwards: bool) -> str:
    """Sorts between this ImageID and the next one; backwards, between it and the one before."""
    if not is_backwards:
        return image_id + "0"
    return f"{int(image_id, 16) - 1:0{len(image_id)}x}" if image_id.strip("0") else ""


def _values(conditions: Filter) -> dict[str, str | int | None]:
    return {
        "subset": conditions.subset,
        "rendition": conditions.rendition,
        "reason": conditions.reason,
        "license": conditions.license,
        "check": conditions.check,
        "min_side": conditions.min_side,
        "max_side": conditions.max_side,
        "label_names": json.dumps(conditions.label_names),
        **{f"label_{number}": name for number, name in enumerate(conditions.label_names)},
    }


# ---- the index to walk along


def _shortest_walk(db: sqlite3.Connection, conditions: Filter, values: dict[str, str | int | None]) -> _Walk:
    """The walk with the fewest entries; all of them pass every matching image."""
    walks = list(_walks(db, conditions))
    if conditions.label_names:
        selects = _class_selects(conditions)
        most = min(_COUNTED, *(walk.entries for walk in walks)) if walks else 0
        entries = sum(_count(db, select.replace(" DISTINCT", ""), most + 1, values) for select in selects)
        walks.append(_Walk(entries, selects))
    return min(walks, key=lambda walk: walk.entries)


def _walks(db: sqlite3.Connection, conditions: Filter) -> Iterator[_Walk]:
    if conditions.reason:
        counts = dict(
            db.execute(
                "SELECT reason, sum(images) FROM status_count WHERE status IN ('failed', 'retry') GROUP BY reason"
            ).fetchall()
        )
        reasons = sorted(counts) if conditions.reason == ANY_REASON else [conditions.reason]
        selects = tuple(
            f"SELECT image_id FROM download WHERE reason = {_quoted(reason)} AND reason NOTNULL" for reason in reasons
        )
        yield _Walk(sum(counts.get(reason, 0) for reason in reasons), selects or (_NOTHING,))
    else:
        is_one = "rendition = :rendition AND " if conditions.rendition else ""
        sql = "SELECT coalesce(sum(files), 0) FROM rendition WHERE :rendition IN ('', name)"
        (files,) = db.execute(sql, {"rendition": conditions.rendition}).fetchone()
        yield _Walk(files, (f"SELECT DISTINCT image_id FROM file WHERE {is_one}true",))
    if conditions.check is not None and conditions.check is not LicenseFilter.UNCHECKED:
        column = _check_column(conditions.check)
        sql = f"SELECT coalesce(sum(images), 0) FROM license_count WHERE {column} = ?"
        (images,) = db.execute(sql, (conditions.check,)).fetchone()
        yield _Walk(images, (f"SELECT image_id FROM license_check WHERE {column} = :check",))
    if conditions.subset not in ("", _COMMON_SUBSET):
        sql = "SELECT coalesce(sum(images), 0) FROM status_count WHERE subset = ?"
        (images,) = db.execute(sql, (conditions.subset,)).fetchone()
        yield _Walk(images, (f"SELECT image_id FROM download WHERE subset = :subset AND subset <> '{_COMMON_SUBSET}'",))


def _check_column(check: LicenseFilter) -> str:
    return "license_class" if check.value in list(LicenseClass) else "verdict"


def _class_selects(conditions: Filter) -> tuple[str, ...]:
    return tuple(
        f"SELECT DISTINCT image_id FROM {ANNOTATION_TABLES[kind].table} WHERE label_name = :label_{number}"
        for number in range(len(conditions.label_names))
        for kind in conditions.shown_by
    )


def _count(db: sqlite3.Connection, select: str, most: int, values: dict[str, str | int | None]) -> int:
    (count,) = db.execute(f"SELECT count(*) FROM ({select} LIMIT {most})", values).fetchone()
    return int(count)


def _quoted(text: str) -> str:
    """`text` as an SQL literal; reasons are words of the program, but users can edit the database."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


def _piece(walk: _Walk, *, is_backwards: bool) -> str:
    """The next ImageIDs of a walk as JSON, their number, and the last of them.

    SQLite merges the parts of a UNION, each of which is in order; nothing is sorted.
    """
    compare, order, last = ("<=", " DESC", "min") if is_backwards else (">=", "", "max")
    union = " UNION ".join(f"{select} AND image_id {compare} :start" for select in walk.selects)
    return (
        f"SELECT json_group_array(image_id), count(*), {last}(image_id) "
        f"FROM ({union} ORDER BY image_id{order} LIMIT :size)"
    )


# ---- what else must be true


def _fitting(conditions: Filter) -> str:
    """Those of some ImageIDs that match; every lookup is by ImageID."""
    return (
        "SELECT d.image_id FROM json_each(:ids) AS c CROSS JOIN download AS d ON d.image_id = c.value "
        f"WHERE {' AND '.join(_conditions(conditions))}"
    )


def _conditions(conditions: Filter) -> Sequence[str]:
    found = []
    if conditions.reason == ANY_REASON:
        found.append(_TROUBLED)
    elif conditions.reason:
        found.append(f"{_TROUBLED} AND d.reason = :reason")
    else:
        found.append("d.status = 'done'")
    if conditions.subset:
        found.append("d.subset = :subset")
    of_file = ["f.image_id = d.image_id"]
    of_file += ["f.rendition = :rendition"] if conditions.rendition else []
    of_file += ["min(f.width, f.height) >= :min_side"] if conditions.min_side is not None else []
    of_file += ["min(f.width, f.height) <= :max_side"] if conditions.max_side is not None else []
    if len(of_file) > 1 or not conditions.reason:
        found.append(f"EXISTS (SELECT 1 FROM file AS f WHERE {' AND '.join(of_file)})")
    if conditions.label_names:
        found.append(f"({' OR '.join(map(_shows, conditions.shown_by)) or 'false'})")
    if conditions.license:
        found.append("(SELECT i.license FROM image AS i WHERE i.image_id = d.image_id) = :license")
    if conditions.check is not None:
        is_one = (
            "" if conditions.check is LicenseFilter.UNCHECKED else f" AND k.{_check_column(conditions.check)} = :check"
        )
        exists = "NOT EXISTS" if conditions.check is LicenseFilter.UNCHECKED else "EXISTS"
        found.append(f"{exists} (SELECT 1 FROM license_check AS k WHERE k.image_id = d.image_id{is_one})")
    return found


def _shows(kind: LabelType) -> str:
    """Whether annotations of this type show the class; a label may also deny it."""
    of = ANNOTATION_TABLES[kind]
    return (
        f"EXISTS (SELECT 1 FROM {of.table} AS x WHERE x.label_name IN (SELECT value FROM json_each(:label_names)) "
        f"AND x.image_id = d.image_id AND {of.is_there})"
    )
