"""Annotation files and the rows of the state database that they stand for.

A file's header says what is in it and which column is where; versions differ in
both. A row is a line. Rows come by batches, and a batch by columns, in the file's own
order, with the rows' numbers at the end.

Seventy million rows pass through: a batch without quotes is cut at its commas in one go, values that
repeat (ImageIDs, labels, flags) are looked at once a batch, and only a batch with something
wrong in it is taken line by line. A cut that is off by a field is noticed, as every row has an ImageID at its place.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from math import isfinite
from operator import gt
from typing import Any, TypeAlias

from oidl.dataset.rows import Skipped

Keep: TypeAlias = Callable[[Collection[str]], Collection[str]]
"""Those of some ImageIDs that are wanted."""

Columns: TypeAlias = Sequence[Sequence[Any]]
"""A batch of rows, by columns."""

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Annotations:
    """The rows of one file: `columns` of `table`, and batches of their values in that order."""

    table: str
    columns: tuple[str, ...]
    batches: Iterator[Columns]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the values of a column, or raises `ValueError`; `complaint` is what is then said of the one that is bad."""

    read: Callable[[Sequence[str]], Sequence[Any]]
    complaint: str


def _few(parse: Callable[[str], Any]) -> Callable[[Sequence[str]], Sequence[Any]]:
    """For columns in which values repeat: each is parsed once."""

    def read(values: Sequence[str]) -> Sequence[Any]:
        parsed = {value: parse(value) for value in set(values)}
        if len(parsed) == 1:
            return [*parsed.values()] * len(values)
        return list(map(parsed.__getitem__, values))

    return read


def _matching(pattern: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """For columns of words, in which values repeat: each is looked at once."""
    is_sound = re.compile(pattern, re.ASCII).fullmatch

    def read(values: Sequence[str]) -> Sequence[str]:
        if not all(map(is_sound, set(values))):
            raise ValueError
        return values

    return read


def _reals(values: Sequence[str]) -> Sequence[float]:
    reals = list(map(float, values))
    if not isfinite(sum(reals)):
        raise ValueError
    return reals


def _whole(text: str) -> int:
    number = float(text)
    if not number.is_integer() or not -(2**63) <= number < 2**63:  # more is no integer of SQLite's
        raise ValueError
    return int(number)


def _or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


_FLAG_VALUES = {"0": 0, "1": 1, "-1": -1, "": None}

_ID = _Reader(_matching("[0-9a-f]{16}"), "is not 16 lower-case hex digits")
_WORD = _Reader(_matching("[!-~]+"), "is not a word")
_TEXT = _Reader(lambda values: values, "is not text")
_SHARE = _Reader(_reals, "is not a number")
_NUMBER = _Reader(_few(lambda text: _reals((text,))[0]), "is not a number")
_MAYBE_NUMBER = _Reader(_few(_or_none(lambda text: _reals((text,))[0])), "is not a number")
_MAYBE_WHOLE = _Reader(_few(_or_none(_whole)), "is not a whole number of 64 bits")
_FLAG = _Reader(lambda values: list(map(_FLAG_VALUES.__getitem__, values)), "is not 0, 1 or -1")

_FLAGS = {
    "IsOccluded": ("is_occluded", _FLAG),
    "IsTruncated": ("is_truncated", _FLAG),
    "IsGroupOf": ("is_group_of", _FLAG),
    "IsDepiction": ("is_depiction", _FLAG),
    "IsInside": ("is_inside", _FLAG),
}
_CLICKS = {
    f"XClick{number}{axis}": (f"x_click{number}_{axis.lower()}", _MAYBE_NUMBER)
    for axis in "XY"
    for number in range(1, 5)
}

# What each table is read from: the published columns that a file of it must have, and those that it may have.
_TABLES: dict[str, tuple[dict[str, tuple[str, _Reader]], dict[str, tuple[str, _Reader]]]] = {
    "segmentation": (
        {
            "ImageID": ("image_id", _ID),
            "MaskPath": ("mask_path", _WORD),
            "LabelName": ("label_name", _WORD),
            "BoxID": ("box_id", _WORD),
            "BoxXMin": ("box_x_min", _SHARE),
            "BoxXMax": ("box_x_max", _SHARE),
            "BoxYMin": ("box_y_min", _SHARE),
            "BoxYMax": ("box_y_max", _SHARE),
        },
        {"PredictedIoU": ("predicted_iou", _MAYBE_NUMBER), "Clicks": ("clicks", _TEXT)},
    ),
    "relationship": (
        {
            "ImageID": ("image_id", _ID),
            "LabelName1": ("label_name1", _WORD),
            "LabelName2": ("label_name2", _WORD),
            **{
                f"{axis}{end}{number}": (f"{axis.lower()}_{end.lower()}{number}", _SHARE)
                for number in "12"
                for axis in "XY"
                for end in ("Min", "Max")
            },
            "RelationshipLabel": ("relationship_label", _WORD),
        },
        {},
    ),
    "box": (
        {
            "ImageID": ("image_id", _ID),
            "Source": ("source", _WORD),
            "LabelName": ("label_name", _WORD),
            "Confidence": ("confidence", _NUMBER),
            "XMin": ("x_min", _SHARE),
            "XMax": ("x_max", _SHARE),
            "YMin": ("y_min", _SHARE),
            "YMax": ("y_max", _SHARE),
        },
        _FLAGS | _CLICKS,
    ),
    "point": (
        {
            "ImageID": ("image_id", _ID),
            "X": ("x", _SHARE),
            "Y": ("y", _SHARE),
            "Label": ("label", _WORD),
        },
        {
            "EstimatedYesNo": ("estimated_yes_no", _TEXT),
            "Source": ("source", _TEXT),
            "YesVotes": ("yes_votes", _MAYBE_WHOLE),
            "NoVotes": ("no_votes", _MAYBE_WHOLE),
            "UnsureVotes": ("unsure_votes", _MAYBE_WHOLE),
            "TextLabel": ("text_label", _TEXT),
        },
    ),
    "label": (
        {
            "ImageID": ("image_id", _ID),
            "Source": ("source", _WORD),
            "LabelName": ("label_name", _WORD),
            "Confidence": ("confidence", _NUMBER),
        },
        {},
    ),
}  # fmt: skip

TABLES = tuple(_TABLES)
"""The tables that annotation files are read into."""

_UNNUMBERED = "label"  # its rows are told apart by what they say


def read_annotations(
    lines: Iterable[str], *, name: str, skipped: Skipped, keep: Keep | None = None
) -> Annotations | None:
    """The rows of one CSV file, less those of images that `keep` leaves out; None if its header is of no such file.

    `lines` keep their line ends. Bad rows go to `skipped`, by line number. Nothing
    is read but the header until the batches are asked for.
    """
    lines = iter(lines)
    header = next(lines, "").removeprefix("\ufeff").rstrip("\r\n").split(",")
    header = ["ImageID" if column == "ImageId" else column for column in header]  # as the points have it
    table = next((table for table, (needed, _) in _TABLES.items() if needed.keys() <= set(header)), None)
    if table is None:
        return None
    known = _TABLES[table][0] | _TABLES[table][1]
    places = [place for place, column in enumerate(header) if column in known]
    columns = [known[header[place]][0] for place in places]
    is_numbered = table != _UNNUMBERED
    readers = [known[header[place]][1] for place in places]
    pairs = [(at, columns.index(low.replace("_min", "_max"))) for at, low in enumerate(columns) if "_min" in low]
    file = _File(name, header, places, readers, pairs, is_numbered, skipped, keep)
    return Annotations(table, (*columns, *(["number"] if is_numbered else [])), file.batches(lines))


@dataclass(frozen=True, slots=True)
class _File:
    """One file while it is read: which `places` of a row are wanted, and what reads them.

    `pairs` are the wanted columns of which the first may not be more than the second.
    """

    name: str
    header: list[str]
    places: list[int]
    readers: list[_Reader]
    pairs: list[tuple[int, int]]
    is_numbered: bool
    skipped: Skipped
    keep: Keep | None

    def batches(self, lines: Iterator[str]) -> Iterator[Columns]:
        image_at = self.places.index(self.header.index("ImageID"))
        first = 1  # the number of a batch's first row, which is on the line after
        while batch := list(islice(lines, _BATCH)):
            numbers: Sequence[int] = range(first, first + len(batch))
            self.skipped.rows += len(batch)
            try:
                columns = self._cut(batch)
            except (ValueError, KeyError):
                columns, numbers = self._picked(batch, numbers)
            first += len(batch)
            if self.is_numbered:
                columns.append(numbers)
            if self.keep:
                image_ids = set(columns[image_at])
                wanted = self.keep(image_ids)
                if len(wanted) < len(image_ids):
                    is_wanted = [image_id in wanted for image_id in columns[image_at]]
                    columns = [list(compress(column, is_wanted)) for column in columns]
            if columns[0]:
                yield columns

    def _cut(self, batch: list[str]) -> list[Sequence[Any]]:
        """The wanted columns. Raises `ValueError` or `KeyError` if something may be wrong with one of the rows."""
        text = "".join(batch)
        if '"' in text:
            raise ValueError
        text = text.replace("\r\n", "\n").removesuffix("\n")
        fields = text.replace("\n", ",").split(",")
        width = len(self.header)
        if len(fields) != width * len(batch):
            raise ValueError
        columns = [reader.read(fields[place::width]) for place, reader in zip(self.places, self.readers, strict=True)]
        if any(any(map(gt, columns[low], columns[high])) for low, high in self.pairs):
            raise ValueError
        return columns

    def _picked(self, batch: list[str], numbers: Sequence[int]) -> tuple[list[Sequence[Any]], Sequence[int]]:
        """The wanted columns of the rows that are sound, and their numbers; `skipped` is told of the others."""
        rows: list[list[Any]] = []
        sound = []
        for number, line in zip(numbers, batch, strict=True):
            if not line.strip():
                self.skipped.rows -= 1
            elif complaint := self._taken(line, rows):
                self.skipped.add(f"{self.name} line {number + 1}: {complaint}")
            else:
                sound.append(number)
        return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in self.places], sound

    def _taken(self, line: str, rows: list[list[Any]]) -> str:
        """Adds the values of one row to `rows`, or returns what is wrong with it."""
        try:
            (fields,) = csv.reader([line], strict=True)
        except csv.Error as error:
            return str(error)
        if len(fields) != len(self.header):
            return f"{len(fields)} fields instead of {len(self.header)}"
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
