"""`oidl status`: where every image stands, from the database alone; works while a run goes on."""

from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options import PlaceOptions
from oidl.errors import HalfLoadedError, UsageError
from oidl.report.failures import failure_json, failure_line
from oidl.report.status import status_json, status_text
from oidl.state.counts import NOTHING_YET, read_counts
from oidl.state.database import explained, open_reader
from oidl.state.lock import is_held
from oidl.state.rows import failed_rows


@dataclass(frozen=True, kw_only=True)
class StatusOptions(PlaceOptions):
    """What `oidl status` can be told."""

    json: bool = False
    """Print one JSON object instead; with `--failures`, one a line."""

    failures: bool = False
    """List the images that failed for good: subset, ImageID, reason, detail and URL, with tabs between them."""

    first: int | None = None
    """List this many of them at most."""


DEFAULTS = StatusOptions()


def status(options: Annotated[StatusOptions, Parameter(name="*")] = DEFAULTS) -> None:
    """Show how many images are done, failed and left, and why they failed."""
    if options.failures:
        _list_failures(options)
        return
    if options.first is not None:
        raise UsageError("--first is how many to list", hint="say --failures too")
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


def _list_failures(options: StatusOptions) -> None:
    if options.first is not None and options.first < 0:
        raise UsageError(f"--first must be at least 0, not {options.first}")
    db = open_reader(options.database)
    try:
        with explained(db.path):
            for failed in islice(failed_rows(db), options.first):
                print(failure_json(failed) if options.json else failure_line(failed))
    finally:
        db.close()
