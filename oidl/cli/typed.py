"""What is typed, as values: members of enumerations in any letter case, amounts with units."""

from typing import Any, get_args

from cyclopts import Parameter, Token

from oidl.cli.units import parse_bytes, parse_seconds


def _by_value(kind: type, tokens: tuple[Token, ...]) -> Any:
    """The member of the enumeration `kind` with this value, in any letter case."""
    typed = tokens[0].value
    for member in kind:  # type: ignore[attr-defined]
        if member.value.lower() == typed.lower():
            return member
    raise ValueError(f"choose from {', '.join(kind)}")  # type: ignore[arg-type]


def _all_by_value(kind: type, tokens: tuple[Token, ...]) -> Any:
    """The same for a tuple of them."""
    return tuple(_by_value(get_args(kind)[0], (token,)) for token in tokens)


# The help must show what is typed; left alone it would show the members' names.
BY_VALUE = Parameter(converter=_by_value, show_choices=False, show_default=str)
KINDS = Parameter(converter=_all_by_value, show_choices=False, show_default=False)
BYTES = Parameter(converter=lambda _, tokens: parse_bytes(tokens[0].value))
SECONDS = Parameter(converter=lambda _, tokens: parse_seconds(tokens[0].value))
