"""Text that the formats can hold. Pure."""

import csv
import io
import re
from collections.abc import Iterable

# What neither XML 1.0 nor YAML can hold, in whatever spelling: control characters and what is no character.
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """`text` on one line, without characters that XML 1.0 or YAML cannot hold."""
    return " ".join(_UNFIT.sub("", text).split())


def csv_line(fields: Iterable[object]) -> str:
    """A line of CSV, quoted where needed; None is an empty field."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(fields)  # so that either of the two characters is quoted
    return line.getvalue().removesuffix("\r\n") + "\n"


def number(value: float) -> str:
    """`value` with at most two decimals: hundredths of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
