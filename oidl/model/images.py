"""The rows of image lists, good and bad."""

from dataclasses import dataclass
from typing import NamedTuple


class Image(NamedTuple):
    """One row of a published image list; the text fields are exactly as published.

    `image_id` is 16 lower-case hex digits, `original_size` bytes, `original_md5`
    base64 of the 16-byte digest (24 characters). `thumbnail_300k_url` may be
    empty. `rotation` is None if the list has no such column (V1–V3).

    A tuple in column order, while other values are dataclasses: nine million of
    these go straight from the CSV reader into SQLite and back.
    """

    image_id: str
    subset: str
    original_url: str
    original_landing_url: str
    license: str
    author_profile_url: str
    author: str
    title: str
    original_size: int
    original_md5: str
    thumbnail_300k_url: str
    rotation: str | None = None


class SkippedRow(NamedTuple):
    """A row of an image list that cannot be used: its position, what is wrong with it, and its text (shortened).

    `subset` is "" if the row does not say; `line` counts from 1 in the file `list`, None if unknown.
    """

    subset: str
    list: str
    line: int | None
    complaint: str
    text: str


@dataclass(frozen=True, slots=True)
class ListFile:
    """Identifies an image list on disk: length, time of last change (seconds since the epoch), SHA-256 (hex)."""

    bytes: int
    modified_s: float
    sha256: str


class LineBreak(NamedTuple):
    """Image number `at` of a load (from 0) is on `line` of `list`; the next images are on the lines after it."""

    at: int
    list: str
    line: int
