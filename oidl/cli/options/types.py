"""What is typed, as values: members of enumerations in any letter case, amounts with units, whole numbers."""

import os
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, get_args

from cyclopts import App, ArgumentCollection, Parameter, Token, default_name_transform

from oidl.cli.options.units import LARGEST, parse_bytes, parse_seconds
from oidl.errors import UsageError
from oidl.text import suggestion

E = TypeVar("E", bound=StrEnum)


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

    return Parameter(converter=convert, show_choices=False, show_default=str, name_transform=by_value(kind))


def by_value(known: Iterable[StrEnum]) -> Callable[[str], str]:
    """How shells name the members of an enumeration when they complete it: by their values, as they are typed."""
    values = {one.name: one.value for one in known}
    return lambda name: values.get(name) or default_name_transform(name)  # it is for the option's own name, too


def check_text(given: Iterable[str]) -> None:
    """Raises `UsageError` for what is not UTF-8: neither SQLite nor JSON has a place for it."""
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

    Raises `UsageError` for a number that is no whole one, which cyclopts would round, or too large for the database.
    The last of cyclopts' sources of values, so that it sees them all: flags, environment and file.
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


def _limit(_kind: type, tokens: tuple[Token, ...]) -> int | None:
    """A whole number; None for `all`, which lifts a limit of the plan."""
    token = tokens[0]
    if token.value.lower() == "all":
        return None
    _check_whole(token)
    number = _number(token.value)
    if number is None:
        raise UsageError(f"{origin(token)} must be a whole number or all, not {token.value!r}")
    return int(number)


def _is_path(kind: object) -> bool:
    return kind is Path or any(_is_path(part) for part in get_args(kind))


def _at_home(token: Token) -> str:
    found = os.path.expanduser(token.value)
    if found.startswith("~"):
        raise UsageError(f"{origin(token)}: there is no user {found.partition('/')[0][1:]}", hint=f"use ./{found}")
    if "://" not in found:
        from oidl.storage.layout import check_lengths

        check_lengths(found, origin(token))
    return found


def _number(text: str) -> float | None:
    """None for what is no number; of that cyclopts has a sentence."""
    for kind in (lambda: int(text, 0), lambda: float(text)):
        try:
            return kind()
        except ValueError:
            continue
    return None


def origin(token: Token) -> str:
    """The option as it was given: `--limit`, `OIDL_LIMIT`, or `oidl.toml: limit`."""
    name = token.keyword or ""
    return f"{token.source}: {name.strip('[]')}" if name.startswith("[") else name


LIMIT = Parameter(converter=_limit)
BYTES = Parameter(converter=lambda _, tokens: parse_bytes(tokens[0].value))
SECONDS = Parameter(converter=lambda _, tokens: parse_seconds(tokens[0].value))
