"""Lines made into the rows of a CSV file, in which one stray quote spoils no row but its own.

A quoted field may hold line ends, so csv reads on from a quote that nobody closed, over hundreds of
good rows, to the next quote or to its limit. The rule here: what csv makes of several lines is one
row only if none of the later lines is a row by itself. Else the first line is bad, and the next one is begun with.

Nine million rows pass through: lines are taken by blocks, and a block that gives as many rows as it
has lines is done. Only the lines of another are put together one by one.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

Rows: TypeAlias = tuple[Sequence[int], Sequence[list[Any]], Sequence[str]]
"""The numbers of the lines on which some rows begin, their fields of text, and the rows themselves as they stand in
the list; a blank line is a row without any fields.

The fields are the reader's own, to put something else in their place.
"""

_BLOCK = 50  # more is no faster


def read_rows(
    lines: Iterator[str], first: int, is_row: Callable[[list[str]], bool], complain: Callable[[int, str, str], None]
) -> Iterator[Rows]:
    """The rows of `lines`, the first of which has the number `first`.

    `complain` is called with the number, the complaint and the text of every line that is none.

    `is_row` says whether a line's fields are those of a row. No more is kept than the lines of
    one block and of one row, whose fields csv limits.
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
            taken: list[str] = []
            row = _first_row(_taking(pending, lines, taken))
            if isinstance(row, list) and not any(map(is_row, map(_fields, taken[1:]))):
                yield (first,), (row,), ("".join(taken),)
                first += len(taken)
                continue
            complaint = row if isinstance(row, str) and len(taken) == 1 else "a quote is opened and not closed"
            complain(first, complaint, taken[0])
            pending.extendleft(reversed(taken[1:]))
            first += 1


def _taking(pending: deque[str], lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    """The lines that are `pending`, then those that follow them; each is put among the `taken`."""
    while line := pending.popleft() if pending else next(lines, ""):
        taken.append(line)
        yield line


def _first_row(lines: Iterable[str]) -> list[str] | str:
    """The fields of the row that `lines` begin with, or what is wrong with it."""
    try:
        return next(csv.reader(lines, strict=True))
    except csv.Error as error:
        return str(error)


def _fields(line: str) -> list[str]:
    row = _first_row((line,))
    return row if isinstance(row, list) else []
