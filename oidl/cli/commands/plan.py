"""`oidl plan`: shows the plan of a root as the command that makes it."""

from oidl.cli.options.paths import PathOptions
from oidl.cli.planning import plan_line
from oidl.errors import UsageError
from oidl.hints import command, command_line
from oidl.state.database import open_reader
from oidl.state.plan import read_whole_plan
from oidl.text import printable


def plan(paths: PathOptions = PathOptions()) -> None:
    """Prints the plan of a root, as the command that makes it."""
    with open_reader(paths.database) as db:
        found = read_whole_plan(db)
    if not found:
        raise UsageError("this root has no plan yet", hint=f"run {command('run')} to make one")
    print(printable(command_line("run", plan_line(found))))
