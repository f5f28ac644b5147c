"""Compares the findings of a reader with the database, and writes both as a row of the table. Pure."""

import math

from bench.readers.check import Check, Facts, Found

HEADER = "| output | reader | version | found | expected | verdict |\n|---|---|---|---|---|---|"

_NEAR = 0.01  # of a sum of areas: some formats have whole pixels


def disagrees(found: Found, expected: Facts) -> bool:
    """Whether the reader is installed, but refused the export or found other facts than `expected`."""
    if found.missing or found.broken:
        return False
    return bool(found.refused) or not all(is_same(found.facts.get(name), value) for name, value in expected.items())


def is_same(found: float | str | None, expected: float | str) -> bool:
    """Whether two values of a fact are the same, to within a hundredth if they are not whole numbers."""
    if isinstance(found, float) and isinstance(expected, int | float):
        return math.isclose(found, expected, rel_tol=_NEAR)
    return found == expected


def verdict(check: Check, found: Found, expected: Facts) -> str:
    """The verdict in words: the same, or what is wrong."""
    if found.missing:
        return f"not installed: `pip install {' '.join(check.packages)}`"
    if found.broken:
        return f"cannot be imported: {found.broken}"
    if found.refused:
        return f"refused: {found.refused}"
    return "differs" if disagrees(found, expected) else "same"


def row(check: Check, found: Found, expected: Facts, says: str) -> str:
    """A line of the table."""
    cells = (check.output, check.reader, found.version, _words(found.facts), _words(expected), says)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _words(facts: Facts) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in facts.items())


def _value(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
