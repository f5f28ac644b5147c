"""Makes text from outside safe to show and to store; also counts nouns. Pure.

Titles, URLs, headers and error messages are other people's words. The rule:
they are made printable where they enter, and shortened before they are stored,
so a server decides neither what a terminal does nor how large the database grows.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Any

DETAIL_CHARACTERS = 300
"""The longest `detail` of a failure, in characters; one image's failure costs the database no more than this."""

URL_CHARACTERS = 2000
"""The longest URL that is stored with a failure, in characters; browsers and servers have similar limits."""

# Control characters (C0 without the line feed, DEL, C1), and those that are invisible or change the text direction;
# but not the two joiners, which Persian, Indian scripts and emoji are written with.
_UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


_USER = re.compile(r"(?<=://)[^/?#\s'\"]*@")


def without_passwords(text: str) -> str:
    """`text` without the user and password of any URL in it."""
    return _USER.sub("", text)


def without_secrets(url: str) -> str:
    """`url` as it may be shown and stored: without user, password, query and fragment, as any of them may be secret."""
    return re.split(r"[?#]", without_passwords(url), maxsplit=1)[0] if "://" in url else url


def printable(text: str) -> str:
    """`text` with `�` for every character that a terminal would obey or UTF-8 cannot encode; line feeds stay."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def html_text(text: str) -> str:
    """`text` as HTML that shows it and does nothing else: printable and escaped, for attributes too."""
    return escape(printable(text))


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 image`, `2,000 images`; `plural` is needed if it is not the noun plus s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def shortened(text: str, characters: int) -> str:
    """`text`, shortened to at most `characters`; a shortened text ends in `…`."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def suggestion(typed: str, known: Iterable[str]) -> str:
    """A hint for `typed`, which is not one of `known`: the most similar one, otherwise all of them."""
    by_name = {word.casefold(): word for word in known}
    words = [by_name.get(word.casefold(), "") for word in typed.replace(",", " ").split()]
    if len(words) > 1 and all(words):
        return f"write {','.join(words)}"
    if close := nearest(typed, by_name.values()):
        return f"did you mean {close[0]}?"
    return f"choose from {', '.join(by_name.values())}" if by_name else ""


def nearest(typed: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The values of `known` most similar to `typed`, ignoring case, the best first; at most `most`."""
    import difflib  # slow to import, and needed only after a misspelling

    by_name = {word.casefold(): word for word in known}
    return [by_name[name] for name in difflib.get_close_matches(typed.casefold(), by_name, most)]


def plain(value: Any) -> Any:
    """`value` for JSON: enums and paths as text, tuples as lists."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, (Path, StrEnum)) else value
