"""Text that the formats can hold, and that is harmless in the programs that open it. Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from oidl.text import printable

# Characters that neither XML 1.0 nor YAML can hold, even escaped: control characters and noncharacters.
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_Row = TypeVar("_Row", bound=NamedTuple)
_BLANKS = re.compile("[\t\v\f\r]+")  # that `printable` would show as damage
_FORMULA = re.compile("\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")  # the wide ones too, as Excel takes them in East Asia


def shown(text: str) -> str:
    """The published `text`, made printable; line ends stay."""
    if text.isascii() and text.isprintable():  # almost all
        return text
    return printable(_BLANKS.sub(" ", text))


def with_shown(row: _Row, names: Iterable[str]) -> _Row:
    """`row` with `shown` applied to the text in these columns; None stays None."""
    texts = {name: shown(text) for name in names if (text := getattr(row, name)) is not None}
    return row._replace(**texts)


def plain(text: str) -> str:
    """`text` on one line, printable, and without characters that XML 1.0 or YAML cannot hold."""
    return _UNFIT.sub("", printable(" ".join(text.split())))


def cell(text: str) -> str:
    """`text` for a CSV cell, with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def csv_line(fields: Iterable[object]) -> str:
    """A line of CSV, quoted if needed; None is an empty field."""
    # A writer of the module csv for each line would take longer than the rest of an image in a pack.
    texts = ["" if field is None else str(field) for field in fields]
    line = ",".join(
        [_in_quotes(text) if "," in text or '"' in text or "\n" in text or "\r" in text else text for text in texts]
    )
    return f"{line}\n" if texts != [""] else '""\n'


def _in_quotes(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def number(value: float) -> str:
    """`value` with at most two decimals: hundredths of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
