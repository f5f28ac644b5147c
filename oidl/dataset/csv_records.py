"""Parses lines to the rows of a CSV file so that a stray quote spoils only its own row.

A quoted field may contain line ends, so csv reads on from an unclosed quote, over hundreds of good rows, to the next
quote or to its limit. The rule here: several lines are one row only if none of the later lines is a row by itself.
Otherwise the first line is bad, and parsing restarts at the next one.

Nine million rows pass through: lines are parsed in blocks, and a block that gives as many rows as it has lines is done.
Only the lines of other blocks are parsed one by one.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

Rows: TypeAlias = tuple[Sequence[int], Sequence[list[Any]], Sequence[str]]
"""The numbers of the lines on which rows begin, their fields as text, and the unparsed rows; a blank line is a row
without fields.

The caller may modify the lists of fields.
"""

_COMPLAINTS = {
    "new-line character": "a line end in it is CR alone, and not LF or CRLF",
    "unexpected end of data": "a quote is opened and not closed",
    "expected after": "a field continues after its closing '\"'",
    "field larger": f"a field has more than {csv.field_size_limit():,} characters",
}
"""By a part of what csv says, in any version of Python."""

_BLOCK = 50  # more is no faster


def read_rows(
    lines: Iterator[str], first: int, is_row: Callable[[list[str]], bool], complain: Callable[[int, str, str], None]
) -> Iterator[Rows]:
    """The rows of `lines`; the first line has the number `first`.

    `complain` is called with the number, the complaint and the text of every bad line. `is_row` tells whether the
    fields of a line are a row. Memory holds only the lines of one block and of one row, whose fields csv limits.
    """
    while block := list(islice(lines, _BLOCK)):
        try:
            rows = list(csv.reader(block, strict=True))
        except csv.Error:
            rows = []
        if len(rows) == len(block):
            yield range(first, first + len(block)), rows, block
            first += len(block)
            continue
        pending = deque(block)
        while pending:
            consumed: list[str] = []
            row = _first_row(_consume(pending, lines, consumed))
            if isinstance(row, list) and not any(map(is_row, map(_fields, consumed[1:]))):
                yield (first,), (row,), ("".join(consumed),)
                first += len(consumed)
                continue
            complaint = row if isinstance(row, str) and len(consumed) == 1 else "a quote is opened and not closed"
            complain(first, complaint, consumed[0])
            pending.extendleft(reversed(consumed[1:]))
            first += 1


def csv_complaint(error: csv.Error) -> str:
    """What is wrong with a row that csv rejects; its own words are for programmers."""
    return next((words for part, words in _COMPLAINTS.items() if part in str(error)), str(error))


def _consume(pending: deque[str], lines: Iterator[str], consumed: list[str]) -> Iterator[str]:
    """The `pending` lines, then the `lines` after them; each is also appended to `consumed`."""
    while line := pending.popleft() if pending else next(lines, ""):
        consumed.append(line)
        yield line


def _first_row(lines: Iterable[str]) -> list[str] | str:
    """The fields of the first row of `lines`, or the error in it."""
    try:
        return next(csv.reader(lines, strict=True))
    except csv.Error as error:
        return csv_complaint(error)


def _fields(line: str) -> list[str]:
    row = _first_row((line,))
    return row if isinstance(row, list) else []
