"""Lists as they are typed: with commas, by repetition, or both; the same in flags, the environment and `oidl.toml`.

`--subset validation,test`, `--subset validation --subset test`, `OIDL_SUBSET=validation,test`, and in `oidl.toml`
`subset = "validation,test"` and `subset = ["validation", "test"]` are one list. An item that has a comma
itself goes in double quotes, as in CSV. Items that are repeated count once.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from cyclopts import Argument, Parameter, Token

from oidl.cli.options.types import by_value, member, origin
from oidl.errors import UsageError

ALL = "all"

_ITEM = re.compile(r'\s*"((?:[^"]|"")+)"\s*(?:,|$)|([^,]+)')


def list_of(
    noun: str,
    example: str,
    known: Iterable[StrEnum] = (),
    *,
    lowers: bool = False,
    takes_all: bool = False,
    needs_value: bool = True,
) -> Parameter:
    """An option that is a list of `noun`s: of the values `known`, in any letter case, or, without these, of any text.

    With `lowers`, that text is taken in lower case. With `takes_all`, `all` is the empty list; so is the option without
    a value unless it `needs_value`. A wrong item is a `UsageError`; `example` is a list that is right.
    """
    members = tuple(known)

    def convert(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
        if any(token.index and token.source == "cli" for token in tokens):
            raise split_by_blanks(origin(tokens[0]), [token.value for token in tokens])
        typed = {item: origin(token) for token in tokens for item in _items(token, example)}
        if takes_all and ALL in typed:
            return ()
        if not members:
            return tuple(dict.fromkeys(item.lower() for item in typed) if lowers else typed)
        words = [ALL] * takes_all
        found = (member(members, item, f"{where}: there is no {noun} {item!r}", words) for item, where in typed.items())
        return tuple(dict.fromkeys(found))

    return Parameter(
        converter=convert,
        # If several values follow, they all come here, so that the error can show how to write them.
        consume_multiple=not needs_value,
        env_var_split=_unsplit,
        show_choices=False,
        show_default=False,
        name_transform=by_value(members),
    )


def is_list(option: Argument) -> bool:
    """Whether `list_of` made an option."""
    return option.parameter.env_var_split is _unsplit


def split_by_blanks(option: str, values: Sequence[str], *, are_names: bool = False) -> UsageError:
    """The error for `--subset validation test`; with `are_names`, an item may have blanks itself."""
    hint = f"write {option} {shlex.quote(','.join(values))}"
    if are_names:
        hint += f", or quotes around a name with blanks: {option} {shlex.quote(' '.join(values))}"
    return UsageError(f"{option}: items of a list are separated by commas, not by blanks", hint=hint)


def split_list(text: str) -> Iterator[str]:
    """The items between commas, without the blanks around them; text in quotes is one item."""
    for found in _ITEM.finditer(text):
        if item := (found[2] if found[1] is None else found[1].replace('""', '"')).strip():
            yield item


def join_list(items: Iterable[str]) -> str:
    """`items` as they are typed, with commas between them; the inverse of `split_list`."""
    return ",".join(map(quoted, items))


def quoted(item: str) -> str:
    """`item` as it is typed in a list: in double quotes if it has a comma or begins with a quote."""
    return '"' + item.replace('"', '""') + '"' if "," in item or item.startswith('"') else item


def _items(token: Token, example: str) -> list[str]:
    if isinstance(token.implicit_value, list):  # `[]` in `oidl.toml`
        return []
    items = list(split_list(token.value))
    if not items:
        raise UsageError(f"{origin(token)} is empty", hint=f"write one or more, like {example}, or leave it out")
    return items


def _unsplit(_: object, value: str, *, delimiter: str | None = None) -> list[str]:
    """The value of an environment variable as one item; cyclopts would split it at blanks, which names can have."""
    return [value]
