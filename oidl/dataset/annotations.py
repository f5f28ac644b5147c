"""Annotation files, read as rows of the state database.

The header of a file gives its table and the order of its columns; versions differ
in both. A row is one line. Rows come in batches, and a batch as columns, in the order of the file, with the row
numbers last.

Seventy million rows pass through. A batch without quotes is split at its commas in one call, and its columns are
parsed one after the other (shares of width or height together, because computing four columns takes little longer than
one). Only a batch with an error is parsed line by line. Each line end becomes a field, so that a row with an extra
field is noticed even if the next row lacks one.
"""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import gt
from typing import Any, TypeAlias

from oidl.dataset.columns import SHARE, TABLES, Reader
from oidl.dataset.csv_records import csv_complaint
from oidl.dataset.rows import ReadReport
from oidl.dataset.streams import cut_short
from oidl.text import counted

Filter: TypeAlias = Callable[[Collection[str]], Collection[str]]
"""Returns the ImageIDs to keep, of those it is called with."""

Columns: TypeAlias = Sequence[Sequence[Any]]
"""A batch of rows, as columns."""

_UNNUMBERED = "label"  # its rows are identified by their contents


@dataclass(frozen=True, slots=True)
class Annotations:
    """The rows of one file: `columns` of `table`, and batches of their values in that order."""

    table: str
    columns: tuple[str, ...]
    batches: Iterator[Columns]


def read_annotations(
    texts: Iterable[str], *, name: str, skipped: ReadReport, keep: Filter | None = None
) -> Annotations | None:
    """The rows of one CSV file, without the images that `keep` drops; None if it is not an annotation file.

    `texts` are the pieces of the file: whole lines with their ends. Each piece makes a batch. Bad rows go to
    `skipped`, by line number; a bad last row without a line end is a `MetadataError`. Only the first piece is read
    before the batches are iterated.
    """
    texts = iter(texts)
    first, _, rest = next(texts, "").partition("\n")
    header = first.removeprefix("\ufeff").rstrip("\r").split(",")
    header = ["ImageID" if column == "ImageId" else column for column in header]  # the points write ImageId
    table = next((table for table in TABLES if _matches(table, set(header))), None)
    if table is None:
        return None
    known = TABLES[table][0] | TABLES[table][1]
    places = [place for place, column in enumerate(header) if column in known]
    columns = [known[header[place]][0] for place in places]
    is_numbered = table != _UNNUMBERED
    readers = [known[header[place]][1] for place in places]
    pairs = [(at, columns.index(low.replace("_min", "_max"))) for at, low in enumerate(columns) if "_min" in low]
    file = _File(name, header, places, readers, pairs, is_numbered, skipped, keep)
    return Annotations(table, (*columns, *(["row_number"] if is_numbered else [])), file.batches(chain([rest], texts)))


def _matches(table: str, header: set[str]) -> bool:
    """Whether a file with the columns of `header` belongs to `table`: all required columns, none of other tables.

    A list of boxes that lacks a corner has all columns of a list of labels, but is not one.
    """
    needed, others = TABLES[table]
    known = {column for columns in TABLES.values() for part in columns for column in part}
    return needed.keys() <= header and not (header & known) - needed.keys() - others.keys()


@dataclass(frozen=True, slots=True)
class _File:
    """One file while it is read: the `places` of the columns to read, and their `readers`.

    `pairs` are columns whose first value must not exceed the second.
    """

    name: str
    header: list[str]
    places: list[int]
    readers: list[Reader]
    pairs: list[tuple[int, int]]
    is_numbered: bool
    skipped: ReadReport
    keep: Filter | None

    def batches(self, texts: Iterable[str]) -> Iterator[Columns]:
        image_at = self.places.index(self.header.index("ImageID"))
        before = self.skipped.lines  # in earlier lists of the same archive; the row numbers continue after them
        for text in filter(None, texts):
            count = text.count("\n") + (text[-1:] not in ("", "\n"))
            numbers: Sequence[int] = range(self.skipped.lines + 1, self.skipped.lines + 1 + count)
            self.skipped.rows += count
            self.skipped.lines += count
            try:
                columns = self._parse_batch(text, count)
            except (ValueError, KeyError):
                columns, numbers = self._parse_lines(text, numbers, before)
            if self.is_numbered:
                columns.append(numbers)
            if self.keep:
                image_ids = set(columns[image_at])
                matching = self.keep(image_ids)
                if len(matching) < len(image_ids):
                    matches = [image_id in matching for image_id in columns[image_at]]
                    columns = [list(compress(column, matches)) for column in columns]
            if columns[0]:
                yield columns

    def _parse_batch(self, text: str, count: int) -> list[Sequence[Any]]:
        """The columns to read. Raises `ValueError` or `KeyError` if there may be an error in one of the rows."""
        if '"' in text:
            raise ValueError
        if "\r" in text:  # an unnecessary search for "\r\n" costs a fifth of the splitting
            text = text.replace("\r\n", "\n")
        fields = text.removesuffix("\n").replace("\n", ",\n,").split(",")
        width = len(self.header) + 1
        if len(fields) != width * count - 1 or fields[width - 1 :: width].count("\n") != count - 1:
            raise ValueError
        columns: list[Sequence[Any]] = [fields[place::width] for place in self.places]
        shares = [at for at, reader in enumerate(self.readers) if reader is SHARE]
        together = SHARE.read(list(chain.from_iterable(columns[at] for at in shares)))
        for at, reader in enumerate(self.readers):
            if reader is not SHARE:
                columns[at] = reader.read(columns[at])
        for nth, at in enumerate(shares):
            columns[at] = together[nth * count : (nth + 1) * count]
        if any(any(map(gt, columns[low], columns[high])) for low, high in self.pairs):
            raise ValueError
        return columns

    def _parse_lines(self, text: str, numbers: Sequence[int], before: int) -> tuple[list[Sequence[Any]], Sequence[int]]:
        """The columns of the good rows, and the numbers of these; the other rows are added to `skipped`.

        The line of a row is its number plus one, minus the lines in the lists `before` this one.
        """
        rows: list[list[Any]] = []
        sound = []
        last = None if text.endswith("\n") else numbers[-1]
        for number, line in zip(numbers, text.removesuffix("\n").split("\n"), strict=True):
            if not line.strip():
                self.skipped.rows -= 1
            elif complaint := self._parse_line(line, rows):
                if number == last:
                    raise cut_short(self.name, number - before + 1, complaint)
                self.skipped.add(f"{self.name} line {number - before + 1}: {complaint}")
            else:
                sound.append(number)
        return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in self.places], sound

    def _parse_line(self, line: str, rows: list[list[Any]]) -> str:
        """Adds the values of one row to `rows`, or returns a description of the error in it."""
        try:
            (fields,) = csv.reader([line], strict=True)
        except csv.Error as error:
            return csv_complaint(error)
        if len(fields) != len(self.header):
            return f"{counted(len(fields), 'field')} instead of {len(self.header)}"
        values: list[Any] = []
        for place, reader in zip(self.places, self.readers, strict=True):
            try:
                values += reader.read((fields[place],))
            except (ValueError, KeyError):
                return f"{self.header[place]} {fields[place][:200]!r} {reader.complaint}"
        for low, high in self.pairs:
            if values[low] > values[high]:
                least, most = self.places[low], self.places[high]
                return f"{self.header[least]} {fields[least]} is more than {self.header[most]} {fields[most]}"
        rows.append(values)
        return ""
