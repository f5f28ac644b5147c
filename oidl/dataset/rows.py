"""Conversion of published rows to `Image`s and back.

A row that is read and written again is the published one, byte for byte; so
nothing is trimmed, decoded or corrected here. No I/O: text lines in, text out.

Nine million rows pass through: one compiled pattern checks a row, and only a row
that it rejects is checked field by field, to describe the error.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from operator import itemgetter
from typing import Any

from oidl.dataset.csv_records import csv_complaint, read_rows
from oidl.dataset.streams import cut_short
from oidl.errors import MetadataError
from oidl.model import Image, LineBreak, SkippedRow
from oidl.text import counted, without_passwords

COLUMNS = {
    "ImageID": "image_id",
    "Subset": "subset",
    "OriginalURL": "original_url",
    "OriginalLandingURL": "original_landing_url",
    "License": "license",
    "AuthorProfileURL": "author_profile_url",
    "Author": "author",
    "Title": "title",
    "OriginalSize": "original_size",
    "OriginalMD5": "original_md5",
    "Thumbnail300KURL": "thumbnail_300k_url",
    "Rotation": "rotation",
}
"""The published columns and the fields of `Image` that hold them; V1–V3 have no Rotation."""

HTTP_URL = (
    r"(?i:https?)://(?:[^\x00-\x20\x7f/?#@]+@)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?"
    r"(?:[/?#](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?)?"
)
"""A pattern for URLs that can be requested: a scheme, an optional user and password, a host, no control characters.

Spaces between other characters are requested as `%20`.
"""

LINE_ENDS = {"lf": "\n", "crlf": "\r\n"}
"""The line ends of lists, by their names in `image_list.line_end`."""

MAX_BAD_SHARE = 0.01
MAX_BAD_ROWS = 1000
"""The maximum number of bad rows of a list that are kept; all of them are counted."""

_EXAMPLES = 20
_MAX_TEXT = 2000  # characters of a bad row
_SURELY_BAD = 1000  # from this many bad rows on, the share is checked at once, not at the end

_CHECKS = {
    "ImageID": (r"[0-9a-f]{16}", "is not 16 lower-case hex digits"),
    "OriginalSize": (r"[1-9][0-9]{0,17}", "is not a size in bytes"),
    # 16 bytes are 21 characters of six bits, one of two bits, and the padding.
    "OriginalMD5": (r"[A-Za-z0-9+/]{21}[AQgw]==", "is not 16 bytes in base64"),
    "OriginalURL": (HTTP_URL, "is not an http or https URL"),
    "Thumbnail300KURL": (f"(?:{HTTP_URL})?", "is neither empty nor an http or https URL"),
}
# Joined by newlines, because no pattern above matches one.
_IS_SOUND = re.compile("\n".join(pattern for pattern, _ in _CHECKS.values()), re.ASCII).fullmatch


class Quoting(StrEnum):
    """How a list quotes its CSV: always Author and Title, or only if needed. The values are those of the database."""

    AUTHOR_TITLE = "author-title"
    MINIMAL = "minimal"


@dataclass(slots=True)
class ReadReport:
    """The bad rows of a list, collected while it is read: how many of how many, and descriptions of the first few.

    `report` is called with each of the first few. Rows of subsets that were not selected count as read. `lines` counts
    the lines of annotations after the header, including empty ones. `quoting` and `line_end` are the CSV dialect of the
    list, by its header.

    For an image list, `bad_rows` has the first of these, `by_subset` counts all (under "" if a row does not give
    its subset), and `breaks` maps the images read so far to line numbers; the reader of the images empties it.
    """

    report: Callable[[str], None] = lambda message: None
    rows: int = 0
    bad: int = 0
    lines: int = 0
    quoting: Quoting = Quoting.AUTHOR_TITLE
    line_end: str = "lf"
    examples: list[str] = field(default_factory=list)
    bad_rows: list[SkippedRow] = field(default_factory=list)
    by_subset: Counter[str] = field(default_factory=Counter)
    breaks: list[LineBreak] = field(default_factory=list)
    passed_over: int = 0

    @property
    def style(self) -> tuple[str, str]:
        """The quoting and the line end of the list."""
        return self.quoting, self.line_end

    def add(self, message: str) -> None:
        """Counts one bad row. Raises `MetadataError` as soon as it is clear that this is not an image list."""
        self.bad += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(message)
            self.report(message)
        if self.bad >= _SURELY_BAD:
            self.judge("the file")

    def leave_out(self, row: SkippedRow) -> None:
        """Counts and keeps one bad row of an image list; raises like `add`."""
        self.rows += 1
        self.passed_over += 1
        self.by_subset[row.subset] += 1
        if len(self.bad_rows) < MAX_BAD_ROWS:
            self.bad_rows.append(row._replace(text=row.text.rstrip("\r\n")[:_MAX_TEXT]))
        self.add(f"{row.list} line {row.line}: {row.complaint}")

    def pass_over(self) -> None:
        """Counts a row of a subset that was not selected."""
        self.rows += 1
        self.passed_over += 1

    def continue_at(self, name: str, line: int) -> None:
        """Notes that the next image, if the next row is one, is on this line of the list `name`."""
        at = self.rows - self.passed_over
        if self.breaks and self.breaks[-1].at == at:
            self.breaks.pop()
        self.breaks.append(LineBreak(at, name, line))

    def check(self, name: str) -> None:
        """Raises `MetadataError` if `name`, read to the end, has no rows or too many bad ones."""
        if not self.rows:
            raise MetadataError(f"{name} contains no images", hint="check the file: it has a header, but no rows")
        self.judge(name)

    def judge(self, name: str) -> None:
        """Raises `MetadataError` if too many of the rows of `name` read so far are bad."""
        if self.bad > self.rows * MAX_BAD_SHARE:
            raise MetadataError(
                f"more than {MAX_BAD_SHARE:.0%} of the rows of {name} are bad: {self.bad} of the first {self.rows}",
                hint="for example " + "; ".join(self.examples[:3]),
            )


def read_images(
    lines: Iterable[str], *, name: str, subsets: frozenset[str], known_subsets: frozenset[str], skipped: ReadReport
) -> Iterator[Image]:
    """The images of `subsets` in one CSV list, whose header gives the order of the columns.

    `lines` keep their line ends, because csv needs them. Rows of other
    `known_subsets` are skipped; bad rows go to `skipped`, by line number.
    Raises `MetadataError` if there is no header or it lacks a column, and if the last row is bad and has no line end.
    """
    lines = iter(lines)
    first = next(lines, "")
    skipped.line_end = "crlf" if first.endswith("\r\n") else "lf"
    header = _header(first, name)
    # V1–V3 have no such column, and always quote Author and Title.
    skipped.quoting = Quoting.MINIMAL if "Rotation" in header else Quoting.AUTHOR_TITLE
    width = len(header)
    # A row gets a None at its end, which is the value of a missing optional column.
    order = [header.index(column) if column in header else width for column in COLUMNS]
    pick = None if order == list(range(len(COLUMNS))) and width < len(COLUMNS) else itemgetter(*order)
    checked_fields = itemgetter(*(header.index(column) for column in _CHECKS))
    subset_at, size_at = header.index("Subset"), header.index("OriginalSize")
    is_sound = _IS_SOUND
    make: Callable[[Iterable[Any]], Image] = partial(tuple.__new__, Image)  # a faster `Image._make`

    def is_row(fields: list[str]) -> bool:
        return len(fields) == width and fields[subset_at] in known_subsets

    def complain(number: int, complaint: str, text: str, subset: str = "") -> None:
        if not text.endswith("\n"):
            raise cut_short(name, number, complaint)
        skipped.leave_out(SkippedRow(subset, name, number, complaint, text))

    expected = 0  # the line of the next row if it follows directly
    for numbers, rows, texts in read_rows(lines, 2, is_row, complain):
        if numbers[0] != expected:
            skipped.continue_at(name, numbers[0])
        expected = numbers[-1] + 1
        for number, row in zip(numbers, rows, strict=True):
            if len(row) == width and row[subset_at] in subsets:
                fields = checked_fields(row)
                if is_sound("\n".join(fields)):
                    skipped.rows += 1
                    row[size_at] = int(row[size_at])
                    row.append(None)
                    yield make(pick(row) if pick else row)
                    continue
                complain(number, _complaint(fields), texts[number - numbers[0]], row[subset_at])
            elif len(row) == width and row[subset_at] in known_subsets:
                skipped.pass_over()
            elif row:  # not a blank line
                wrong = f"Subset {row[subset_at]!r} is not a subset of this version" if len(row) == width else ""
                complain(
                    number, wrong or f"{counted(len(row), 'field')} instead of {width}", texts[number - numbers[0]]
                )
            skipped.continue_at(name, number + 1)


def header(quoting: str, line_end: str = "\n") -> str:
    """The first line of a published list with this quoting, with its line end."""
    columns = list(COLUMNS)
    return ",".join(columns if quoting == Quoting.MINIMAL else columns[:-1]) + line_end


def format_row(image: Image, quoting: str, line_end: str = "\n") -> str:
    """The row as published, with its line end."""
    before = _joined(image[:6])
    size_and_after = (str(image.original_size), image.original_md5, image.thumbnail_300k_url)
    if quoting == Quoting.MINIMAL:
        return f"{before},{_joined((image.author, image.title, *size_and_after, image.rotation or ''))}{line_end}"
    author, title = image.author.replace('"', '""'), image.title.replace('"', '""')
    return f'{before},"{author}","{title}",{_joined(size_and_after)}{line_end}'


def _header(line: str, name: str) -> list[str]:
    try:
        columns = next(csv.reader((line,), strict=True), [])
    except csv.Error as error:
        raise MetadataError(f"{name} is not a CSV file: {csv_complaint(error)}") from error
    if not columns:
        raise MetadataError(f"{name} contains no images", hint="check the file: it has no header line")
    columns[0] = columns[0].removeprefix("\ufeff")
    for column, attribute in COLUMNS.items():
        if column not in columns and attribute not in Image._field_defaults:
            raise MetadataError(
                f"{name} has no column {column}, so it is not an image list",
                hint=f"use a file whose first line has these columns: {header(Quoting.AUTHOR_TITLE).strip()}",
            )
    return columns


def _complaint(fields: tuple[str, ...]) -> str:
    for value, (column, (pattern, complaint)) in zip(fields, _CHECKS.items(), strict=True):
        if not re.fullmatch(pattern, value, re.ASCII):
            return f"{column} {without_passwords(value)[:200]!r} {complaint}"
    raise AssertionError("a row is rejected, but each of its fields is valid")


def _joined(fields: tuple[str, ...]) -> str:
    """Fields with commas between them, quoted if needed; few need it, so all are checked together."""
    line = ",".join(fields)
    if '"' not in line and line.count(",") == len(fields) - 1 and "\n" not in line and "\r" not in line:
        return line
    return ",".join(map(_quoted, fields))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text
