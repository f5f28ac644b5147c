"""Single images out again: by ImageID, by the beginning of one, or a few from anywhere; and the last tries that failed.

Every question is answered along an index and has few answers, so each is quick
on any number of rows.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from oidl.model import Status

_FIELDS = (
    "d.image_id, d.subset, d.status, d.reason, d.width, d.height, "
    "i.title, i.author, i.author_profile_url, i.license, i.original_landing_url"
)
_CARDS = f"SELECT {_FIELDS} FROM download AS d CROSS JOIN image AS i USING (image_id)"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One output file: which rendition, where as in `file.path`, and how large."""

    rendition: str
    path: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Card:
    """An image with all that must be said where its picture is shown; fields are as published."""

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
class Try:
    """One try that failed; `status` is where its image stands now."""

    image_id: str
    subset: str
    status: Status
    reason: str
    detail: str | None
    http_status: int | None
    url: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Details:
    """Everything about one image: its card, its row in `download` by column names, and its failed tries."""

    card: Card
    original_url: str
    original_size: int
    download: dict[str, str | int | float | None]
    tries: tuple[Try, ...]


_DOWNLOAD = (
    "attempts", "next_attempt_at", "detail", "http_status", "source", "url", "bytes", "md5", "format", "orientation",
    "finished_at", "transfer_s",
)  # fmt: skip


def cards(db: sqlite3.Connection, image_ids: Iterable[str]) -> list[Card]:
    """The cards of these images, in this order; those that there are not are left out."""
    found = []
    for image_id in image_ids:
        found += _cards(db, f"{_CARDS} WHERE d.image_id = ?", image_id)
    return found


def cards_beginning(db: sqlite3.Connection, beginning: str, most: int) -> list[Card]:
    """The first images whose ImageIDs begin so, in order; `beginning` is lower-case hex digits."""
    end = beginning + "g"  # comes after all hex digits
    return _cards(
        db, f"{_CARDS} WHERE d.image_id >= ? AND d.image_id < ? ORDER BY d.image_id LIMIT ?", beginning, end, most
    )


def cards_done_after(db: sqlite3.Connection, image_id: str, most: int, looked_at: int = 2_000) -> list[Card]:
    """Images that are done, from `image_id` on; of no more than `looked_at` rows, so it may be fewer than there are."""
    rows = (
        "SELECT image_id FROM (SELECT image_id, status FROM download WHERE image_id >= ? ORDER BY image_id LIMIT ?) "
        "WHERE status = 'done' LIMIT ?"
    )
    return cards(db, [found for (found,) in db.execute(rows, (image_id, looked_at, most)).fetchall()])


def details(db: sqlite3.Connection, image_id: str) -> Details | None:
    """All that is known of one image; None if there is no such image."""
    found = cards(db, [image_id])
    if not found:
        return None
    row = db.execute(f"SELECT {', '.join(_DOWNLOAD)} FROM download WHERE image_id = ?", (image_id,)).fetchone()
    url, size = db.execute("SELECT original_url, original_size FROM image WHERE image_id = ?", (image_id,)).fetchone()
    return Details(
        found[0], url, size, dict(zip(_DOWNLOAD, row, strict=True)), _tries(db, "a.image_id = ?", 50, image_id)
    )


def last_tries(db: sqlite3.Connection, most: int) -> tuple[Try, ...]:
    """The last tries that failed, the latest first."""
    return _tries(db, "true", most)


def output_file(db: sqlite3.Connection, image_id: str, rendition: str) -> OutputFile | None:
    """The file of this rendition of this image; None if there is no row for it."""
    return next((file for file in _files(db, image_id) if file.rendition == rendition), None)


def _cards(db: sqlite3.Connection, sql: str, *values: str | int) -> list[Card]:
    plain = [Card(*row) for row in db.execute(sql, values)]
    return [replace(card, status=Status(card.status), files=_files(db, card.image_id)) for card in plain]


def _files(db: sqlite3.Connection, image_id: str) -> tuple[OutputFile, ...]:
    """The smallest first."""
    rows = db.execute(
        "SELECT rendition, path, bytes, width, height FROM file WHERE image_id = ? ORDER BY bytes, rendition",
        (image_id,),
    )
    return tuple(OutputFile(*row) for row in rows)


def _tries(db: sqlite3.Connection, where: str, most: int, *values: str) -> tuple[Try, ...]:
    rows = db.execute(
        "SELECT a.image_id, d.subset, d.status, a.reason, a.detail, a.http_status, a.url, a.at "
        f"FROM attempt AS a CROSS JOIN download AS d USING (image_id) WHERE {where} ORDER BY a.id DESC LIMIT ?",
        (*values, most),
    )
    return tuple(Try(row[0], row[1], Status(row[2]), *row[3:]) for row in rows)
