"""`oidl plan`: what a root is for, as the command line that makes it so."""

from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.paths import PathOptions
from oidl.cli.planning import plan_line
from oidl.errors import UsageError
from oidl.hints import command, command_line
from oidl.state.database import open_reader
from oidl.state.plan import read_plan
from oidl.text import printable

DEFAULTS = PathOptions()


def plan(options: Annotated[PathOptions, Parameter(name="*")] = DEFAULTS) -> None:
    """Show what the root is for, as the command that makes it so.

    It is what `oidl run --root-dir R` goes on with, and what other commands take where they are not told.
    """
    with open_reader(options.database) as db:
        found = read_plan(db)
    if not found:
        raise UsageError("this root has no plan yet", hint=f"{command('run')} with options makes one")
    print(printable(command_line("run", plan_line(found))))
