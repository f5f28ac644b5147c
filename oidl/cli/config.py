"""Where settings come from beside flags: `OIDL_*` environment variables and `oidl.toml`.

What is not known there is refused, as a flag is: a misspelt name would be a
setting that is quietly something else. The sources are cyclopts' own, in their
order; what comes last sees the values of all of them.
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cyclopts import App, ArgumentCollection
from cyclopts.config import Dict, Env

from oidl.cli.options.types import check_text
from oidl.errors import UsageError
from oidl.storage.layout import check_lengths

PREFIX = "OIDL_"
_TOML_EXAMPLE = 'as in limit = 9 or attributes = ["IsGroupOf=0", "IsOccluded=0"]'


class Environment(Env):
    """Every `OIDL_*` variable that is not empty and has the name of an option; what has no dashes is only typed."""

    def __init__(self) -> None:
        super().__init__(PREFIX, command=False)

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Adds their values to `arguments`."""
        super().__call__(app, commands, arguments)
        for argument in arguments:
            is_option = argument.name.startswith("--")
            argument.tokens[:] = [
                token for token in argument.tokens if token.source != self.source or (token.value and is_option)
            ]


class _File(Dict):
    """One table for every command. As cyclopts has it, keys that are commands' names too would get lost."""

    def __call__(self, command: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        super().__call__(command, (), arguments)


def check_variables(app: App, commands: Iterable[Sequence[str]]) -> None:
    """Raises `UsageError` for an `OIDL_*` variable that is no option of any of `commands`, or is not UTF-8."""
    given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    if not given:
        return
    check_text([*given, *given.values()])
    from oidl.cli.options.run import OPTIONS, SWITCHES

    known = {_variable(option) for option in OPTIONS}
    if unknown := [name for name in given if name not in known]:
        for words in commands:  # slow, as it imports all of them
            command = app
            for word in words:
                command = command[word]
            arguments = command.assemble_argument_collection()
            known |= {_variable(argument.name) for argument in arguments if argument.name.startswith("--")}
        unknown = [name for name in unknown if name not in known]
    for name in sorted(unknown):
        option = name.removeprefix(f"{PREFIX}NO_").lower().replace("_", "-")
        if name.startswith(f"{PREFIX}NO_") and option in SWITCHES:
            raise UsageError(f"there is no variable {name}", hint=f"use {_variable(option)}=false")
        near = difflib.get_close_matches(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known], 1)
        hint = f"use {PREFIX}{near[0]}" if near else "use the options' names: OIDL_ROOT_DIR is --root-dir"
        raise UsageError(f"there is no variable {name}", hint=f"{hint}, or unset {name}")


def _variable(option: str) -> str:
    return PREFIX + option.lstrip("-").upper().replace("-", "_")


def config_file(tokens: Sequence[str]) -> Iterator[Dict]:
    """The settings in the file that `--config` or `OIDL_CONFIG` names, or in `./oidl.toml` where there is one."""
    named = os.environ.get("OIDL_CONFIG") or None
    for position, token in enumerate(tokens):
        if token == "--config":
            named = "".join(tokens[position + 1 : position + 2])
        elif token.startswith("--config="):
            named = token.partition("=")[2]
    path = Path(os.path.expanduser(named or "oidl.toml"))
    check_lengths(str(path), "--config")
    if named is None and not path.exists():
        return
    values = _read(path)
    from oidl.cli.options.lists import quoted
    from oidl.cli.options.run import OPTIONS

    unknown = [key for key in values if key.replace("_", "-") not in OPTIONS]
    if unknown:
        near = difflib.get_close_matches(unknown[0].replace("_", "-"), OPTIONS, 1)
        raise UsageError(
            f"{path}: there is no option {unknown[0]!r}",
            hint=f"use {near[0]}" if near else "keys are options without the dashes, e.g. root-dir",
        )
    if tables := values.get("rendition"):
        values["rendition"] = [_typed(table) for table in (tables if isinstance(tables, list) else [tables])]
    for key, value in values.items():
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, dict | list) for part in parts):
            raise UsageError(f"{path}: {key} is a value, or a list of values, and no table", hint=_TOML_EXAMPLE)
        if any("\0" in part for part in parts if isinstance(part, str)):
            raise UsageError(f"{path}: {key} has a NUL character", hint="remove it: no path or name can have one")
        if isinstance(value, list) and key != "rendition":  # an array is of whole items, whatever they have in them
            values[key] = [quoted(part) if isinstance(part, str) else part for part in parts]
    # Commands take what they know of it: one file serves `run`, `status` and `export-csv`.
    yield _File(values, source=str(path), allow_unknown=True)


def _read(path: Path) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a number of 5,000 digits too, which Python refuses to read
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    except RecursionError:
        raise UsageError(
            f"{path} is not a file of options: its values are nested too deeply", hint=_TOML_EXAMPLE
        ) from None


def _typed(rendition: object) -> str:
    """A `[[rendition]]` table as `--rendition` would have it."""
    if not isinstance(rendition, dict):
        return str(rendition)
    return ",".join(f"{key}={value}" for key, value in rendition.items())
