"""Command lines, as the program reads them."""

from collections.abc import Sequence
from dataclasses import is_dataclass
from types import SimpleNamespace

from oidl.cli.app import app
from oidl.cli.legacy import without_legacy
from oidl.cli.options.run import RunOptions


def run_options(tokens: Sequence[str]) -> RunOptions:
    """What `oidl run` gets of a command line, from whatever sources `app` has."""
    return RunOptions.of(vars(options(tokens)))


def options(tokens: Sequence[str]) -> SimpleNamespace:
    """Every option that the command of a command line gets, by name."""
    _, bound, _ = app.parse_args(list(without_legacy(tokens)), print_error=False, exit_on_error=False)
    bound.apply_defaults()
    found = SimpleNamespace()
    for group in bound.arguments.values():
        values = group.values() if isinstance(group, RunOptions) else vars(group) if is_dataclass(group) else {}
        vars(found).update(values)
    return found
