"""Options from `OIDL_*` environment variables and from `oidl.toml`.

An unknown name is refused, as it is for a flag: otherwise a misspelt option would silently keep its default. Both are
sources of values for cyclopts, in this order; the last source sees the values of all others.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclopts import App, ArgumentCollection
from cyclopts.config import Dict, Env

from oidl.cli.legacy import LEGACY
from oidl.cli.options.types import check_text
from oidl.errors import UsageError
from oidl.storage.layout import check_lengths
from oidl.text import nearest

PREFIX = "OIDL_"
API_KEY = "OIDL_FLICKR_API_KEY"
"""A variable that is no option, so that the key is in no list of processes, no history of a shell and no file."""

_TOML_EXAMPLE = 'write it like limit = 9 or attributes = ["IsGroupOf=0", "IsOccluded=0"]'


_REMOVING = ("renditions", "remove")
"""The command that removes images by `--license`, which must be typed: variables and the file choose images by it."""

_NAMED = ("export",)
"""The command whose `--rendition` is a name. Variables and the file may have recipes, which are for `oidl run`."""


class Environment(Env):
    """Every `OIDL_*` variable that is not empty and has the name of an option; arguments without dashes are typed."""

    def __init__(self) -> None:
        super().__init__(PREFIX, command=False)

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Adds their values to `arguments`."""
        super().__call__(app, commands, arguments)
        for argument in arguments:
            is_option = argument.name.startswith("--")
            is_option = is_option and not (argument.name == "--license" and commands == _REMOVING)
            takes_recipes = not (argument.name == "--rendition" and commands == _NAMED)
            argument.tokens[:] = [
                token
                for token in argument.tokens
                if token.source != self.source
                or (token.value and is_option and (takes_recipes or not _is_recipe(token.value)))
            ]


@dataclass(frozen=True, slots=True)
class _File:
    """The values in a file at `path`: one table for every command, which takes those that it has options for."""

    path: Path
    values: dict[str, object]

    def __call__(self, command: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Adds them to `arguments`."""
        values = self.values
        if commands == _NAMED and _is_recipe(values.get("rendition")):
            values = {key: value for key, value in values.items() if key != "rendition"}
        if commands == _REMOVING:
            values = {key: value for key, value in values.items() if key != "license"}
        # With the commands, cyclopts would look for tables, and lose keys that are commands' names too.
        Dict(values, source=str(self.path), allow_unknown=True)(command, (), arguments)


def _is_recipe(rendition: object) -> bool:
    return "=" in str(rendition)


def check_variables(app: App, commands: Iterable[Sequence[str]]) -> None:
    """Raises `UsageError` for an `OIDL_*` variable that is not an option of one of `commands`, or is not UTF-8."""
    given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    if not given:
        return
    check_text([*given, *given.values()])
    from oidl.cli.options.run import OPTIONS, SWITCHES

    known = {_variable(option) for option in OPTIONS} | {API_KEY}
    if unknown := [name for name in given if name not in known]:
        for words in commands:  # slow, because it imports all of them
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
        near = nearest(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known])
        hint = f"use {PREFIX}{near[0]}" if near else "use the options' names: OIDL_ROOT_DIR is --root-dir"
        raise UsageError(f"there is no variable {name}", hint=f"{hint}, or unset {name}")


def _variable(option: str) -> str:
    return PREFIX + option.lstrip("-").upper().replace("-", "_")


def config_file(tokens: Sequence[str]) -> Iterator[_File]:
    """The options in the file that `--config` or `OIDL_CONFIG` names, or in `./oidl.toml` if there is one."""
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
        raise UsageError(f"{path}: there is no option {unknown[0]!r}", hint=_instead(unknown[0], OPTIONS))
    if tables := values.get("rendition"):
        values["rendition"] = [_typed(table) for table in (tables if isinstance(tables, list) else [tables])]
    for key, value in values.items():
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, dict | list) for part in parts):
            raise UsageError(f"{path}: {key} must be a value or a list of values, not a table", hint=_TOML_EXAMPLE)
        if any("\0" in part for part in parts if isinstance(part, str)):
            raise UsageError(f"{path}: {key} has a NUL character", hint="remove it: no path or name can contain one")
        if isinstance(value, list) and key != "rendition":  # items of an array are never split at commas
            values[key] = [quoted(part) if isinstance(part, str) else part for part in parts]
    yield _File(path, values)


def _instead(key: str, options: Iterable[str]) -> str:
    """What to write in the file instead of `key`, which is no option."""
    option = key.replace("_", "-")
    if instead := "".join(LEGACY.get(f"--{option}", ())):
        name, _, value = instead.removeprefix("--").partition("=")
        return f"use {name} = {value!r}"
    near = nearest(option, options)
    return f"use {near[0]}" if near else "keys are options without the dashes, e.g. root-dir"


def _read(path: Path) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # also a number of 5,000 digits, which Python refuses to read
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    except RecursionError:
        raise UsageError(
            f"{path} is not a file of options: its values are nested too deeply", hint=_TOML_EXAMPLE
        ) from None


def _typed(rendition: object) -> str:
    """A `[[rendition]]` table, written as a value of `--rendition`."""
    if not isinstance(rendition, dict):
        return str(rendition)
    return ",".join(f"{key}={value}" for key, value in rendition.items())
