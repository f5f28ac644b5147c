"""What is typed, as values: members of enumerations in any letter case, amounts with units, whole numbers."""

from typing import Any, get_args

from cyclopts import App, ArgumentCollection, Parameter, Token

from oidl.cli.units import LARGEST, parse_bytes, parse_seconds
from oidl.errors import UsageError


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


def check_whole_numbers(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Raises `UsageError` for a whole number that is none, which cyclopts would round, or too large for the database.

    The last of cyclopts' sources of values, so that it sees them all: flags, environment and file.
    """
    for argument in arguments:
        if argument.parameter.converter is None and argument.hint in (int, int | None):
            for token in argument.tokens:
                number = _number(token.value)
                if number is not None and number % 1 != 0:
                    raise UsageError(f"{_origin(token)} must be a whole number, not {token.value}")
                if number is not None and abs(number) > LARGEST:
                    bound = f"at most {LARGEST}" if number > 0 else f"at least -{LARGEST}"
                    raise UsageError(f"{_origin(token)} must be {bound}, not {token.value}")


def _number(text: str) -> float | None:
    """None for what is no number; of that cyclopts has a sentence."""
    for kind in (lambda: int(text, 0), lambda: float(text)):
        try:
            return kind()
        except ValueError:
            continue
    return None


def _origin(token: Token) -> str:
    """The option as it was given: `--limit`, `OIDL_LIMIT`, or `oidl.toml: limit`."""
    name = token.keyword or ""
    return f"{token.source}: {name.strip('[]')}" if name.startswith("[") else name


# The help must show what is typed; left alone it would show the members' names.
BY_VALUE = Parameter(converter=_by_value, show_choices=False, show_default=str)
KINDS = Parameter(converter=_all_by_value, show_choices=False, show_default=False)
BYTES = Parameter(converter=lambda _, tokens: parse_bytes(tokens[0].value))
SECONDS = Parameter(converter=lambda _, tokens: parse_seconds(tokens[0].value))
