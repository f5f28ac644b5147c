"""Look-up of single images: by ImageID or its beginning, and the last that were done or failed.

Every query uses an index and has few results, so it is quick on any number of
rows.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from oidl.model import Status
from oidl.state.annotation_rows import Segmentation, annotations_of
from oidl.state.file_annotations import Box, Label, boxes_of, labels_of
from oidl.state.known import known_status
from oidl.state.licenses import LicenseCheckRow, license_check
from oidl.state.shards import IMAGE_FORMAT, SHARD_OF_FILE

_FIELDS = (
    "d.image_id, d.subset, d.status, d.reason, d.width, d.height, "
    "i.title, i.author, i.author_profile_url, i.license, i.original_landing_url, "
    "d.detail, d.next_attempt_at, coalesce(d.url, i.original_url)"
)
_REMOTE_URL = (
    f"(SELECT coalesce(s.remote_url, '') FROM shard AS s WHERE {SHARD_OF_FILE.format('f')} AND NOT s.is_local)"
)
_MOST_ANNOTATIONS = 1_000  # per image; it may have several hundred boxes
_CARDS = f"SELECT {_FIELDS} FROM download AS d CROSS JOIN image AS i USING (image_id)"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One output file: its rendition, path (as in `file.path`), size, and geometry (`model.WrittenFile`).

    `exif_orientation` is that of an unchanged file. `scaled_width` is None for an unchanged original, and if the
    geometry was not recorded. `remote_url` is set if the only copy is in a shard at this address in an object store.
    """

    rendition: str
    path: str
    bytes: int
    width: int
    height: int
    orientation: int = 1
    scaled_width: int | None = None
    scaled_height: int | None = None
    crop_left: int = 0
    crop_top: int = 0
    exif_orientation: int | None = None
    image_format: str = ""
    remote_url: str | None = None


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """An image with everything that must be shown with it; the fields are as published.

    `url` is the one that answered last, otherwise the original's.
    """

    image_id: str
    subset: str
    status: Status
    reason: str | None
    width: int | None
    height: int | None
    title: str
    author: str
    author_profile_url: str
    license: str
    original_landing_url: str
    detail: str | None = None
    next_attempt_at: str | None = None
    url: str | None = None
    files: tuple[OutputFile, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A failed try; `status` is the current status of the image, `url` the requested URL, otherwise the original's."""

    image_id: str
    subset: str
    status: Status
    reason: str
    detail: str | None
    http_status: int | None
    url: str | None
    at: str


@dataclass(frozen=True, slots=True)
class DoneImage:
    """An image that is done: what was downloaded, and how long that took (None if not recorded); `at` is when."""

    image_id: str
    subset: str
    url: str | None
    bytes: int | None
    width: int | None
    height: int | None
    transfer_s: float | None
    at: str | None


@dataclass(frozen=True, slots=True)
class Details:
    """Everything about one image: its summary, its row in `download` by column, failed tries, boxes, labels and masks.

    `class_names` has the known English names of the classes of these, by label name; `check` is the last check of the
    licence.
    """

    card: ImageSummary
    original_url: str
    original_size: int
    download: dict[str, str | int | float | None]
    tries: tuple[FailedAttempt, ...]
    boxes: tuple[Box, ...] = ()
    labels: tuple[Label, ...] = ()
    masks: tuple[Segmentation, ...] = ()
    class_names: Mapping[str, str] = field(default_factory=dict)
    check: LicenseCheckRow | None = None


_DOWNLOAD = (
    "attempts", "next_attempt_at", "detail", "http_status", "source", "url", "bytes", "md5", "format", "orientation",
    "finished_at", "transfer_s",
)  # fmt: skip


def image_summaries(db: sqlite3.Connection, image_ids: Iterable[str]) -> list[ImageSummary]:
    """The summaries of these images, in this order; unknown ImageIDs are left out."""
    wanted = tuple(image_ids)
    of_these = (
        f"SELECT {_FIELDS} FROM json_each(?) AS c CROSS JOIN download AS d ON d.image_id = c.value "
        "CROSS JOIN image AS i ON i.image_id = c.value"
    )
    found = {card.image_id: card for card in _cards(db, of_these, json.dumps(wanted))}
    return [found[image_id] for image_id in wanted if image_id in found]


def find_by_prefix(db: sqlite3.Connection, beginning: str, most: int) -> list[ImageSummary]:
    """The first images whose ImageIDs begin with `beginning` (lower-case hex digits), in order."""
    end = beginning + "g"  # sorts after all hex digits
    return _cards(
        db, f"{_CARDS} WHERE d.image_id >= ? AND d.image_id < ? ORDER BY d.image_id LIMIT ?", beginning, end, most
    )


def details(db: sqlite3.Connection, image_id: str) -> Details | None:
    """Everything that is known about one image; None if there is no such image."""
    summaries = image_summaries(db, [image_id])
    if not summaries:
        return None
    row = db.execute(f"SELECT {', '.join(_DOWNLOAD)} FROM download WHERE image_id = ?", (image_id,)).fetchone()
    url, size = db.execute("SELECT original_url, original_size FROM image WHERE image_id = ?", (image_id,)).fetchone()
    masks = annotations_of(db, Segmentation, [image_id], None).get(image_id, [])[:_MOST_ANNOTATIONS]
    boxes = boxes_of(db, [image_id], None).get(image_id, [])[:_MOST_ANNOTATIONS]
    labels = labels_of(db, [image_id], None).get(image_id, [])[:_MOST_ANNOTATIONS]
    return Details(
        summaries[0],
        url,
        size,
        dict(zip(_DOWNLOAD, row, strict=True)),
        _tries(db, "a.image_id = ?", 50, image_id),
        tuple(boxes),
        tuple(labels),
        tuple(masks),
        class_names(
            db,
            {box.label_name for box in boxes}
            | {label.label_name for label in labels}
            | {mask.label_name for mask in masks},
        ),
        license_check(db, image_id),
    )


def last_successes(db: sqlite3.Connection, most: int) -> tuple[DoneImage, ...]:
    """The images that were done last, the latest first; the database remembers a hundred."""
    rows = db.execute(
        "SELECT d.image_id, d.subset, d.url, d.bytes, d.width, d.height, d.transfer_s, d.finished_at "
        "FROM recent_success AS r CROSS JOIN download AS d USING (image_id) "
        "WHERE d.status = 'done' ORDER BY r.id DESC LIMIT ?",
        (most,),
    )
    return tuple(DoneImage(*row) for row in rows)


def recent_failures(db: sqlite3.Connection, most: int) -> tuple[FailedAttempt, ...]:
    """The last failed tries, the latest first."""
    return _tries(db, "true", most)


def output_file(db: sqlite3.Connection, image_id: str, rendition: str) -> OutputFile | None:
    """The file of this image in this rendition; None if there is no row for it."""
    return next((file for file in _files(db, [image_id]).get(image_id, ()) if file.rendition == rendition), None)


def _cards(db: sqlite3.Connection, sql: str, *values: str | int) -> list[ImageSummary]:
    plain = [ImageSummary(*row) for row in db.execute(sql, values)]
    files = _files(db, [card.image_id for card in plain])
    return [
        replace(card, status=known_status(card.status), files=tuple(files.get(card.image_id, ()))) for card in plain
    ]


def _files(db: sqlite3.Connection, image_ids: Collection[str]) -> dict[str, list[OutputFile]]:
    """The files of each image, the smallest first."""
    rows = db.execute(
        "SELECT f.image_id, f.rendition, f.path, f.bytes, f.width, f.height, f.orientation, f.scaled_width, "
        f"f.scaled_height, f.crop_left, f.crop_top, f.exif_orientation, {IMAGE_FORMAT}, {_REMOTE_URL} "
        "FROM json_each(?) AS c CROSS JOIN file AS f ON f.image_id = c.value "
        "CROSS JOIN download AS d ON d.image_id = c.value",
        (json.dumps(tuple(image_ids)),),
    )
    by_image: dict[str, list[OutputFile]] = {}
    for image_id, *fields in rows:
        by_image.setdefault(image_id, []).append(OutputFile(*fields))
    for files in by_image.values():
        files.sort(key=lambda file: (file.bytes, file.rendition))
    return by_image


def class_names(db: sqlite3.Connection, label_names: Collection[str]) -> dict[str, str]:
    """The English names of these classes, by label name; classes without a name are left out."""
    rows = db.execute(
        "SELECT label_name, display_name FROM class WHERE display_name NOTNULL "
        "AND label_name IN (SELECT value FROM json_each(?))",
        (json.dumps(tuple(label_names)),),
    )
    return dict(rows.fetchall())


def _tries(db: sqlite3.Connection, where: str, most: int, *values: str) -> tuple[FailedAttempt, ...]:
    rows = db.execute(
        "SELECT a.image_id, d.subset, d.status, a.reason, a.detail, a.http_status, "
        "coalesce(a.url, i.original_url), a.at "
        "FROM attempt AS a CROSS JOIN download AS d USING (image_id) CROSS JOIN image AS i USING (image_id) "
        f"WHERE {where} ORDER BY a.id DESC LIMIT ?",
        (*values, most),
    )
    return tuple(FailedAttempt(row[0], row[1], known_status(row[2]), *row[3:]) for row in rows)
