"""`oidl plan`: what a root is for, as the command line that makes it so."""

import shlex
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.places import PlaceOptions
from oidl.cli.planning import plan_line
from oidl.errors import UsageError
from oidl.state.database import open_reader
from oidl.state.plan import read_plan
from oidl.text import printable

DEFAULTS = PlaceOptions()


def plan(options: Annotated[PlaceOptions, Parameter(name="*")] = DEFAULTS) -> None:
    """Show what the root is for, as the command that makes it so.

    It is what `oidl run --root-dir R` goes on with, and what other commands take where they are not told.
    """
    db = open_reader(options.database)
    try:
        found = read_plan(db)
    finally:
        db.close()
    if not found:
        raise UsageError("this root has no plan yet", hint="`oidl run` with options makes one")
    print(printable(f"oidl run {_places(options)}{plan_line(found)}"))


def _places(options: PlaceOptions) -> str:
    places = (("--root-dir", options.root_dir), ("--state-db", options.state_db))
    return "".join(f"{flag} {shlex.quote(str(path))} " for flag, path in places if path)
