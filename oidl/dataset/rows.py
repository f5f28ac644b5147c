"""The published rows and the `Image`s that they stand for, both ways.

A row that is read and written again is the published one, byte for byte; so
nothing is trimmed, decoded or put right here. No I/O: text lines in, text out.

Nine million rows pass through: one compiled pattern judges a row, and only a
row that it refuses is looked at field by field, to say what is wrong with it.
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

from oidl.dataset.csv_records import read_rows
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
"""A pattern for what can be requested at all: a scheme, perhaps a user and a password, a host, no control character.

Blanks between other characters are asked for as `%20`.
"""

LINE_ENDS = {"lf": "\n", "crlf": "\r\n"}
"""How lists end their lines; the words are those of `image_list.line_end`."""

MAX_BAD_SHARE = 0.01
MAX_KEPT = 1000
"""How many bad rows of a list are kept; all of them are counted."""

_EXAMPLES = 20
_MAX_TEXT = 2000  # characters of a bad row
_SURELY_BAD = 1000  # with this many bad rows the share is judged at once, not at the end

_CHECKS = {
    "ImageID": (r"[0-9a-f]{16}", "is not 16 lower-case hex digits"),
    "OriginalSize": (r"[1-9][0-9]{0,17}", "is not a size in bytes"),
    # 16 bytes are 21 characters of six bits, one of two bits, and the padding.
    "OriginalMD5": (r"[A-Za-z0-9+/]{21}[AQgw]==", "is not 16 bytes in base64"),
    "OriginalURL": (HTTP_URL, "is not an http or https URL"),
    "Thumbnail300KURL": (f"(?:{HTTP_URL})?", "is neither empty nor an http or https URL"),
}
# Joined by newlines, as no pattern above matches one.
_IS_SOUND = re.compile("\n".join(pattern for pattern, _ in _CHECKS.values()), re.ASCII).fullmatch


class Quoting(StrEnum):
    """How a list writes its CSV: quoting Author and Title, or what needs it. The words are those of the database."""

    AUTHOR_TITLE = "author-title"
    MINIMAL = "minimal"


@dataclass(slots=True)
class ReadReport:
    """The bad rows of an image list, as they are found: how many of how many, and the first few in words.

    `report` is told of each of the first few. Rows of subsets that were not
    selected count as read. `lines` are those of annotations, empty ones too, after the header.
    `quoting` and `line_end` are how the list writes CSV, by its header.

    Of an image list, `kept` are the first bad rows, `by_subset` counts all of them (under "" where a row does not say
    its subset), and `breaks` say on which lines the images stand that were read: whoever takes the images empties it.
    """

    report: Callable[[str], None] = lambda message: None
    rows: int = 0
    bad: int = 0
    lines: int = 0
    quoting: Quoting = Quoting.AUTHOR_TITLE
    line_end: str = "lf"
    examples: list[str] = field(default_factory=list)
    kept: list[SkippedRow] = field(default_factory=list)
    by_subset: Counter[str] = field(default_factory=Counter)
    breaks: list[LineBreak] = field(default_factory=list)
    passed_over: int = 0

    @property
    def style(self) -> tuple[str, str]:
        """How the list quotes, and how it ends its lines."""
        return self.quoting, self.line_end

    def add(self, message: str) -> None:
        """Counts one bad row. Raises `MetadataError` once it is clear that this is no image list."""
        self.bad += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(message)
            self.report(message)
        if self.bad >= _SURELY_BAD:
            self.judge("the file")

    def leave_out(self, row: SkippedRow) -> None:
        """Counts and keeps one bad row of an image list, as `add` does."""
        self.rows += 1
        self.passed_over += 1
        self.by_subset[row.subset] += 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(row._replace(text=row.text.rstrip("\r\n")[:_MAX_TEXT]))
        self.add(f"{row.list} line {row.line}: {row.complaint}")

    def pass_over(self) -> None:
        """Counts a row of a subset that was not selected."""
        self.rows += 1
        self.passed_over += 1

    def goes_on(self, name: str, line: int) -> None:
        """Notes that the next image, if the next row is one, stands on this line of the list `name`."""
        at = self.rows - self.passed_over
        if self.breaks and self.breaks[-1].at == at:
            self.breaks.pop()
        self.breaks.append(LineBreak(at, name, line))

    def check(self, name: str) -> None:
        """Raises `MetadataError` if, all rows of `name` read, there are none or too many are bad."""
        if not self.rows:
            raise MetadataError(f"{name} holds no images", hint="it has a header, and no row under it")
        self.judge(name)

    def judge(self, name: str) -> None:
        """Raises `MetadataError` if too many of the rows of `name` that were read are bad."""
        if self.bad > self.rows * MAX_BAD_SHARE:
            raise MetadataError(
                f"more than {MAX_BAD_SHARE:.0%} of the rows of {name} are bad: {self.bad} of the first {self.rows}",
                hint="for example " + "; ".join(self.examples[:3]),
            )


def read_images(
    lines: Iterable[str], *, name: str, subsets: frozenset[str], known_subsets: frozenset[str], skipped: ReadReport
) -> Iterator[Image]:
    """The images of `subsets` in one CSV list, whose header says which column is where.

    `lines` keep their line ends, as csv wants them. Rows of other
    `known_subsets` are passed over; bad rows go to `skipped`, by line number.
    Raises `MetadataError` if there is no header or it lacks a column, and if the last row is bad and has no line end.
    """
    lines = iter(lines)
    first = next(lines, "")
    skipped.line_end = "crlf" if first.endswith("\r\n") else "lf"
    header = _header(first, name)
    # V1–V3 have no such column, and quote Author and Title always.
    skipped.quoting = Quoting.MINIMAL if "Rotation" in header else Quoting.AUTHOR_TITLE
    width = len(header)
    # A row gets a None at its end, which is what a column that need not be there is read from.
    order = [header.index(column) if column in header else width for column in COLUMNS]
    pick = None if order == list(range(len(COLUMNS))) and width < len(COLUMNS) else itemgetter(*order)
    judged = itemgetter(*(header.index(column) for column in _CHECKS))
    subset_at, size_at = header.index("Subset"), header.index("OriginalSize")
    is_sound = _IS_SOUND
    make: Callable[[Iterable[Any]], Image] = partial(tuple.__new__, Image)  # `Image._make` without its Python

    def is_row(fields: list[str]) -> bool:
        return len(fields) == width and fields[subset_at] in known_subsets

    def complain(number: int, complaint: str, text: str, subset: str = "") -> None:
        if not text.endswith("\n"):
            raise cut_short(name, number, complaint)
        skipped.leave_out(SkippedRow(subset, name, number, complaint, text))

    expected = 0  # the line that the next row stands on if nothing comes between
    for numbers, rows, texts in read_rows(lines, 2, is_row, complain):
        if numbers[0] != expected:
            skipped.goes_on(name, numbers[0])
        expected = numbers[-1] + 1
        for number, row in zip(numbers, rows, strict=True):
            if len(row) == width and row[subset_at] in subsets:
                fields = judged(row)
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
                wrong = f"Subset {row[subset_at]!r} is not one of this version" if len(row) == width else ""
                complain(
                    number, wrong or f"{counted(len(row), 'field')} instead of {width}", texts[number - numbers[0]]
                )
            skipped.goes_on(name, number + 1)


def header(quoting: str, line_end: str = "\n") -> str:
    """The first line of a published list that quotes like this, with its line end."""
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
        raise MetadataError(f"{name} is not a CSV file: {error}") from error
    if not columns:
        raise MetadataError(f"{name} holds no images", hint="not even a header line")
    columns[0] = columns[0].removeprefix("\ufeff")
    for column, attribute in COLUMNS.items():
        if column not in columns and attribute not in Image._field_defaults:
            raise MetadataError(
                f"{name} has no column {column}, so it is not an image list",
                hint=f"its first line must name these: {header(Quoting.AUTHOR_TITLE).strip()}",
            )
    return columns


def _complaint(fields: tuple[str, ...]) -> str:
    for value, (column, (pattern, complaint)) in zip(fields, _CHECKS.items(), strict=True):
        if not re.fullmatch(pattern, value, re.ASCII):
            return f"{column} {without_passwords(value)[:200]!r} {complaint}"
    raise AssertionError("a row is refused, yet each of its fields is sound")


def _joined(fields: tuple[str, ...]) -> str:
    """Fields with commas between them, quoted where needed; rarely one is, so all are looked at together."""
    line = ",".join(fields)
    if '"' not in line and line.count(",") == len(fields) - 1 and "\n" not in line and "\r" not in line:
        return line
    return ",".join(map(_quoted, fields))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text
