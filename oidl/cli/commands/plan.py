"""`oidl plan`: what a root is for, as the command line that makes it so."""

from oidl.cli.options.paths import PathOptions
from oidl.cli.planning import plan_line
from oidl.errors import UsageError
from oidl.hints import command, command_line
from oidl.state.database import open_reader
from oidl.state.plan import read_plan
from oidl.text import printable


def plan(paths: PathOptions = PathOptions()) -> None:
    """Show what the root is for, as the command that makes it so.

    `oidl run --root-dir R` goes on with it, and other commands take it as their default.
    """
    with open_reader(paths.database) as db:
        found = read_plan(db)
    if not found:
        raise UsageError("this root has no plan yet", hint=f"{command('run')} with options makes one")
    print(printable(command_line("run", plan_line(found))))
