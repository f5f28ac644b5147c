"""How values are read: amounts with units, members of enumerations in any letter case, paths, and their bounds."""

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, StrEnum
from pathlib import Path
from typing import TypeVar, get_args

from cyclopts import App, ArgumentCollection, Parameter, Token, default_name_transform

from oidl.errors import UsageError
from oidl.text import suggestion

LARGEST = 2**63 - 1
"""The largest whole number that SQLite has a place for."""

_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?([kmgt]?)(i?)b?", re.IGNORECASE)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_TIME = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[dhms])+")

E = TypeVar("E", bound=StrEnum)


# ---- bounds


def between(least: float, most: float = math.inf) -> Parameter:
    """An option whose value, if it has one, is at least `least` and at most `most`."""
    bounds = f"at least {least}" if most == math.inf else f"{least} to {most}"

    def check(_: object, value: float | None) -> None:
        if value is not None and not least <= value <= most:
            raise ValueError(f"must be {bounds}, not {value}")

    return Parameter(validator=check)


def _check_positive(_: object, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"must be more than 0, not {value}")


AT_LEAST_ZERO = between(0)
AT_LEAST_ONE = between(1)
A_WAIT = between(0, 1_000_000_000)
"""Seconds, at most 31 years, so that the moment at the end of the wait has a date."""
A_SHARE = between(0, 1)
MORE_THAN_ZERO = Parameter(validator=_check_positive)


# ---- defaults


def default_text(value: object) -> str | None:
    """The default `value` of an option, for its help; None if it needs no words, as of a switch that is off."""
    match value:
        case None | () | "" | False:
            return None
        case True:
            return "on"
        case Enum():
            return str(value.value)
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def bytes_text(amount: int | None) -> str | None:
    """A number of bytes as it can be typed, in the largest unit that divides it: `250M`, `1G`, `1500`."""
    if not amount:
        return default_text(amount)
    unit = max((unit for unit, factor in _BYTES.items() if amount % factor == 0), key=_BYTES.__getitem__)
    return f"{amount // _BYTES[unit]}{unit.upper()}"


# ---- members of enumerations


def member(known: Iterable[E], typed: str, wrong: str, words: Iterable[str] = ()) -> E:
    """The one of `known` with this value, in any letter case.

    Raises `UsageError` if there is none: `wrong`, with a suggestion from the values and `words`.
    """
    by_value = {one.value.lower(): one for one in known}
    if found := by_value.get(typed.lower()):
        return found
    raise UsageError(wrong, hint=suggestion(typed, (*words, *by_value.values())))


def one_of(kind: type[E]) -> Parameter:
    """An option that has one of the values of `kind`, in any letter case."""

    def convert(_: object, tokens: Sequence[Token]) -> E:
        token = tokens[0]
        return member(kind, token.value, f"{origin(token)} cannot be {token.value!r}")

    return Parameter(converter=convert, show_choices=False, name_transform=by_value(kind))


def by_value(known: Iterable[StrEnum]) -> Callable[[str], str]:
    """How shells name the members of an enumeration when they complete it: by their values, as they are typed."""
    values = {one.name: one.value for one in known}
    return lambda name: values.get(name) or default_name_transform(name)  # it is for the option's own name, too


# ---- amounts


def parse_bytes(text: str) -> int:
    """A number of bytes: `1500`, `1.5k`, `10M`, `2GB`, or `1GiB` for powers of 1024. Raises `ValueError`."""
    found = _AMOUNT.fullmatch(text.strip())
    if not found or (found[3] and not found[2]):
        raise ValueError("a number of bytes, like 500M, 1.5G or 1GiB")
    number, unit, binary = found.groups()
    factor = _BYTES[unit.lower()]
    if binary:
        factor = 1024 ** (len(str(factor)) // 3)
    amount = float(number) * factor
    if amount > LARGEST:
        raise ValueError(f"a number of bytes up to {LARGEST}")
    return round(amount)


def parse_seconds(text: str) -> float:
    """A time in seconds: `90`, `90s`, `15m`, `2h30m`, `3d`. Raises `ValueError`."""
    typed = text.strip().lower().replace(" ", "")
    if _NUMBER.fullmatch(typed):
        return float(typed)
    if not _TIME.fullmatch(typed):
        raise ValueError("a time, like 90s, 15m or 2h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([dhms])", typed))


def _number_or(word: str) -> Parameter:
    """An option whose value is a whole number, or `word` for None."""

    def convert(_kind: type, tokens: tuple[Token, ...]) -> int | None:
        token = tokens[0]
        if token.value.lower() == word:
            return None
        _check_whole(token)
        number = _number(token.value)
        if number is None:
            raise UsageError(f"{origin(token)} must be a whole number or {word}, not {token.value!r}")
        return int(number)

    return Parameter(converter=convert)


LIMIT = _number_or("all")  # lifts a limit of the plan
PROCESSES = _number_or("auto")
BYTES = Parameter(converter=lambda _, tokens: parse_bytes(tokens[0].value), show_default=bytes_text)
SECONDS = Parameter(converter=lambda _, tokens: parse_seconds(tokens[0].value))


# ---- what holds for every option


def origin(token: Token) -> str:
    """The option as it was given: `--limit`, `OIDL_LIMIT`, or `oidl.toml: limit`."""
    name = token.keyword or ""
    return f"{token.source}: {name.strip('[]')}" if name.startswith("[") else name


def check_text(given: Iterable[str]) -> None:
    """Raises `UsageError` for text that is not UTF-8, which neither SQLite nor JSON can hold."""
    for text in given:
        if any("\udc80" <= character <= "\udcff" for character in text):  # how Python has such bytes
            shown = os.fsencode(text).decode("utf-8", "backslashreplace")
            raise UsageError(f"{shown} is not UTF-8", hint="use UTF-8 for names, paths and all other arguments")


def absolute(path: Path) -> Path:
    """`path` from the working directory. Raises `UsageError` if that was removed or is not UTF-8."""
    try:
        found = path.absolute()
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} is a path from the working directory, which was removed",
            hint="change to a directory that exists, or use an absolute path",
        ) from error
    check_text([str(found)])
    return found


def check_values(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Expands `~` in paths, and checks paths and whole numbers.

    Raises `UsageError` for a fraction where a whole number belongs, which cyclopts would round, and for a number
    that is too large for the database. One of cyclopts' sources of values that adds none: it comes after flags,
    environment and file, so that it sees them all.
    """
    for argument in arguments:
        if _is_path(argument.hint) or argument.name == "--images-csv":
            argument.tokens[:] = [token.evolve(value=_at_home(token)) for token in argument.tokens]
        if argument.parameter.converter is None and argument.hint in (int, int | None):
            for token in argument.tokens:
                _check_whole(token)


def _check_whole(token: Token) -> None:
    number = _number(token.value)
    if number is not None and number % 1 != 0:
        raise UsageError(f"{origin(token)} must be a whole number, not {token.value}")
    if number is not None and abs(number) > LARGEST:
        bound = f"at most {LARGEST}" if number > 0 else f"at least -{LARGEST}"
        raise UsageError(f"{origin(token)} must be {bound}, not {token.value}")


def _is_path(kind: object) -> bool:
    return kind is Path or any(_is_path(part) for part in get_args(kind))


def _at_home(token: Token) -> str:
    if not token.value:  # often a shell variable that is not set; Python takes it for the working directory
        raise UsageError(f"{origin(token)} is empty", hint="use a path; . is the working directory")
    found = os.path.expanduser(token.value)
    if found.startswith("~"):
        raise UsageError(f"{origin(token)}: there is no user {found.partition('/')[0][1:]}", hint=f"use ./{found}")
    if "://" not in found:
        from oidl.storage.layout import check_lengths

        check_lengths(found, origin(token))
    return found


def _number(text: str) -> float | None:
    """None for text that is no number; cyclopts refuses that itself."""
    for kind in (lambda: int(text, 0), lambda: float(text)):
        try:
            return kind()
        except ValueError:
            continue
    return None
