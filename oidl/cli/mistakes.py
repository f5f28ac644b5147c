"""Mistakes in a command line, explained to the person who typed it.

cyclopts finds them, but its messages are about parameters, tokens and types. Here each kind of mistake gets a message
in the words of `oidl`, with a guess at what to type instead.
"""

import os
import shlex
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from typing import get_args

from cyclopts import (
    App,
    ArgumentCollection,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from oidl.cli.options.lists import is_list, split_by_blanks
from oidl.cli.options.types import origin
from oidl.errors import UsageError
from oidl.text import nearest

_OFTEN = {
    "class": "classes", "label": "classes", "labels": "label-types",
    "split": "subset", "splits": "subset", "subsets": "subset",
    "max-samples": "limit", "max-images": "limit", "num-images": "limit", "n": "limit",
    "output": "root-dir", "out": "root-dir", "output-dir": "root-dir", "output-folder": "root-dir", "dest": "root-dir",
    "dir": "root-dir", "root": "root-dir", "size": "resize-box-size", "image-size": "resize-box-size",
    "workers": "processes", "num-workers": "processes", "jobs": "threads", "j": "threads", "process-count": "processes",
    "connections": "max-total-connections", "thread-count": "max-total-connections",
    "force": "always-download", "overwrite": "always-download",
    "timeout": "stall-timeout", "retries": "max-retries", "quality": "resize-compression-quality",
    "quiet": "progress none", "q": "progress none", "verbose": "progress line",
}  # fmt: skip
"""The names that other programs use for an option, without dashes, and its name here."""

_SUBSETS = ("train", "validation", "test")
_MUST_BE = {int: "a whole number", float: "a number", bool: "true or false"}


def mistake(error: CycloptsError, app: App, tokens: Sequence[str]) -> UsageError:
    """The meaning of `error`, which `app` raised for `tokens`, and what to do about it."""
    command = " ".join(("oidl", *(error.command_chain or ())))
    found = _mistake(error, app, tokens, command)
    if found is None:
        return UsageError(" ".join(str(error).split()), hint=f"`{command} --help` lists the options")
    if found.hint or isinstance(error, ValidationError):  # the bounds are the hint
        return found
    return UsageError(found.message, hint=f"`{command} --help` lists the options")


def _mistake(error: CycloptsError, app: App, tokens: Sequence[str], command: str) -> UsageError | None:
    match error:
        case UnknownCommandError():
            return _unknown_command(error, command)
        case UnknownOptionError():
            return _unknown_option(error, app)
        case UnusedCliTokensError():
            return _surplus(error, app, tokens, command)
        case MissingArgumentError():
            return _missing(error, app, tokens, command)
        case RepeatArgumentError():
            return UsageError(f"{error.token.keyword} is given twice", hint="leave one of them out")
        case CoercionError():
            return _not_a_value(error)
        case ValidationError():
            return _out_of_bounds(error)
    return None


def _unknown_command(error: UnknownCommandError, command: str) -> UsageError:
    (typed, *_) = error.unused_tokens or [""]
    names = [name for name in error.app or () if not name.startswith("-")]
    close = nearest(typed, names)
    hint = f"did you mean `{command} {close[0]}`?" if close else f"there are {', '.join(names)}"
    return UsageError(f"there is no command `{command} {typed}`", hint=hint)


def _unknown_option(error: UnknownOptionError, app: App) -> UsageError:
    typed = (error.token.keyword or error.token.value).partition("=")[0]
    names = [name for argument in error.argument_collection for name in argument.names if name.startswith("--")]
    plain = typed.lstrip("-").replace("_", "-").lower()
    option, _, value = _OFTEN.get(plain, "").partition(" ")
    if f"--{plain}" in names:
        hint = f"write --{plain}"
    elif f"--{option}" in names:
        hint = f"it is called --{option} {value}".rstrip() + " here"
    elif others := _commands_with(f"--{plain}", app):
        hint = f"it is an option of {', '.join(f'`oidl {name}`' for name in others)}"
    else:
        close = nearest(f"--{plain}", names) if len(plain) > 2 else []
        hint = f"did you mean {close[0]}?" if close else ""
    return UsageError(f"there is no option {typed}", hint=hint)


def _surplus(error: UnusedCliTokensError, app: App, tokens: Sequence[str], command: str) -> UsageError:
    """A word that belongs to no option: most often the second word of a list, or of a name with a blank."""
    (surplus, *_) = error.unused_tokens or [""]
    arguments = _arguments(app, error.command_chain)
    at = tokens.index(surplus) if surplus in tokens else 0
    before, values = list(tokens[:at]), list(takewhile(_is_value, tokens[at:])) or [surplus]
    while before and _is_value(before[-1]):
        values.insert(0, before.pop())
    option, equals, value = before[-1].partition("=") if before else ("", "", "")
    values = [value, *values] if equals else values
    argument = next((each for each in arguments if option in each.names), None)
    if argument is None or len(values) == 1:
        names = {name for each in arguments for name in each.names}
        return UsageError(f"`{command}` does not expect {surplus!r}", hint=_about_word(surplus, names, error, command))
    if is_list(argument):
        return split_by_blanks(option, values, are_names=option == "--classes")
    if not {str, Path} & {argument.hint, *get_args(argument.hint)}:
        return UsageError(f"{option} takes one value, not {' and '.join(values)}")
    text = shlex.quote(" ".join(values))
    return UsageError(f"{surplus!r} belongs to no option", hint=f"write {option} {text} if it is part of its value")


def _about_word(word: str, names: Collection[str], error: UnusedCliTokensError, command: str) -> str:
    """What to type instead of a word without an option, after a command with options of these `names`."""
    if subcommands := [name for name in error.app or () if not name.startswith("-")] if error.command_chain else []:
        return f"there is {' and '.join(f'`{command} {name}`' for name in subcommands)}"
    if word in _SUBSETS and "--subset" in names:
        return f"write --subset {word}"
    if "--root-dir" in names and os.path.isdir(word):
        return f"write --root-dir {shlex.quote(word)}"
    return "options begin with --, like --root-dir"


def _missing(error: MissingArgumentError, app: App, tokens: Sequence[str], command: str) -> UsageError:
    arguments = _arguments(app, error.command_chain)
    name = error.keyword or (error.argument.name if error.argument else "")
    meaning = next((each.parameter.help for each in arguments if name in each.names), "") or ""
    if not name.startswith("-"):
        return UsageError(f"`{command}` needs {name}", hint=meaning)
    value = next((after for each, after in pairwise(tokens) if each == name), "")
    is_option = value.partition("=")[0] in {other for each in arguments for other in each.names}
    if value.startswith("-") and not is_option:
        return UsageError(f"{name} needs a value", hint=f"write {name}={shlex.quote(value)} if that is the value")
    return UsageError(f"{name} needs a value", hint=meaning)


def _not_a_value(error: CoercionError) -> UsageError | None:
    if error.token is None or error.token.keyword is None:
        return None
    where = origin(error.token)
    if error.msg is not None:
        return UsageError(f"{where} must be {error.msg}, not {error.token.value!r}")
    kind = next((words for kind, words in _MUST_BE.items() if kind is error.target_type), None)
    return UsageError(f"{where} must be {kind}, not {error.token.value!r}") if kind else None


def _out_of_bounds(error: ValidationError) -> UsageError | None:
    if error.argument is None:
        return None
    where = origin(error.argument.tokens[0]) if error.argument.tokens else error.argument.name
    return UsageError(f"{where} {error.exception_message}")


def _is_value(token: str) -> bool:
    return not token.startswith("-")


def _arguments(app: App, chain: Sequence[str] | None) -> ArgumentCollection:
    """The arguments of a command of `app`, with their help."""
    for word in chain or ():
        app = app[word]
    return app.assemble_argument_collection(parse_docstring=True)


def _commands_with(option: str, app: App) -> Iterable[str]:
    """The commands that have an option; slow, because all of them are imported."""
    return [
        name
        for name in app
        if app[name].default_command is not None and not name.startswith("-")
        for argument in _arguments(app, (name,))
        if option == argument.name
    ]
