"""Look-up of single images: by ImageID or its beginning, and the last that were done or failed.

Every query uses an index and has few results, so it is quick on any number of
rows.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from oidl.model import Status
from oidl.state.file_annotations import Box, Label, boxes_of, labels_of
from oidl.state.known import known_status
from oidl.state.shards import IMAGE_FORMAT

_FIELDS = (
    "d.image_id, d.subset, d.status, d.reason, d.width, d.height, "
    "i.title, i.author, i.author_profile_url, i.license, i.original_landing_url"
)
_MOST_ANNOTATIONS = 1_000  # per image; it may have several hundred boxes
_CARDS = f"SELECT {_FIELDS} FROM download AS d CROSS JOIN image AS i USING (image_id)"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One output file: its rendition, path (as in `file.path`), size, and geometry (`model.WrittenFile`).

    `exif_orientation` is that of an unchanged file. `scaled_width` is None for an unchanged original, and if the
    geometry was not recorded.
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


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """An image with everything that must be shown with it; the fields are as published."""

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
    """Everything about one image: its summary, its row in `download` by column, failed tries, boxes and labels.

    `class_names` has the known English names of the classes of both, by label name.
    """

    card: ImageSummary
    original_url: str
    original_size: int
    download: dict[str, str | int | float | None]
    tries: tuple[FailedAttempt, ...]
    boxes: tuple[Box, ...] = ()
    labels: tuple[Label, ...] = ()
    class_names: Mapping[str, str] = field(default_factory=dict)


_DOWNLOAD = (
    "attempts", "next_attempt_at", "detail", "http_status", "source", "url", "bytes", "md5", "format", "orientation",
    "finished_at", "transfer_s",
)  # fmt: skip


def image_summaries(db: sqlite3.Connection, image_ids: Iterable[str]) -> list[ImageSummary]:
    """The summaries of these images, in this order; unknown ImageIDs are left out."""
    summaries = []
    for image_id in image_ids:
        summaries += _cards(db, f"{_CARDS} WHERE d.image_id = ?", image_id)
    return summaries


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
        _class_names(db, {box.label_name for box in boxes} | {label.label_name for label in labels}),
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
    return next((file for file in _files(db, image_id) if file.rendition == rendition), None)


def _cards(db: sqlite3.Connection, sql: str, *values: str | int) -> list[ImageSummary]:
    plain = [ImageSummary(*row) for row in db.execute(sql, values)]
    return [replace(card, status=known_status(card.status), files=_files(db, card.image_id)) for card in plain]


def _files(db: sqlite3.Connection, image_id: str) -> tuple[OutputFile, ...]:
    """The files of an image, the smallest first."""
    rows = db.execute(
        "SELECT f.rendition, f.path, f.bytes, f.width, f.height, f.orientation, f.scaled_width, f.scaled_height, "
        f"f.crop_left, f.crop_top, f.exif_orientation, {IMAGE_FORMAT} "
        "FROM file AS f CROSS JOIN download AS d USING (image_id) WHERE f.image_id = ? ORDER BY f.bytes, f.rendition",
        (image_id,),
    )
    return tuple(OutputFile(*row) for row in rows)


def _class_names(db: sqlite3.Connection, label_names: Collection[str]) -> dict[str, str]:
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
