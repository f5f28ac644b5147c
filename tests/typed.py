"""Command lines, as the program reads them."""

from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from types import SimpleNamespace
from typing import Any

from oidl.cli.app import app
from oidl.cli.legacy import without_legacy
from oidl.cli.options.run import RunOptions

Config = Sequence[Callable[..., Any]]


def run_options(tokens: Sequence[str], config: Config = ()) -> RunOptions:
    """The options that `oidl run` gets from a command line, and from the sources of values in `config`."""
    return RunOptions.of(vars(options(tokens, config)))


def options(tokens: Sequence[str], config: Config = ()) -> SimpleNamespace:
    """Every option that the command of a command line gets, by name."""
    before, app.config = app.config, tuple(config)  # a command that ran in this process has left its own
    try:
        _, bound, _ = app.parse_args(list(without_legacy(tokens)), print_error=False, exit_on_error=False)
    finally:
        app.config = before
    bound.apply_defaults()
    found = SimpleNamespace()
    for group in bound.arguments.values():
        values = group.values() if isinstance(group, RunOptions) else vars(group) if is_dataclass(group) else {}
        vars(found).update(values)
    return found
