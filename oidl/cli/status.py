"""`oidl status`: where every image stands, from the database alone; works while a run goes on."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options import PlaceOptions
from oidl.errors import HalfLoadedError
from oidl.report.status import status_json, status_text
from oidl.state.counts import NOTHING_YET, read_counts
from oidl.state.database import open_reader
from oidl.state.lock import is_held


@dataclass(frozen=True, kw_only=True)
class StatusOptions(PlaceOptions):
    """What `oidl status` can be told."""

    json: bool = False
    """Print one JSON object instead."""


DEFAULTS = StatusOptions()


def status(options: Annotated[StatusOptions, Parameter(name="*")] = DEFAULTS) -> None:
    """Show how many images are done, failed and left, and why they failed."""
    try:
        db = open_reader(options.database)
        try:
            counts = read_counts(db)
        finally:
            db.close()
    except HalfLoadedError:
        counts = NOTHING_YET
    is_running = is_held(options.database)
    print(status_json(counts, is_running=is_running) if options.json else status_text(counts, is_running=is_running))
