"""`oidl report`: writes a report about the database as one HTML file; works during a run."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from oidl.cli.options.groups import flattened
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.types import absolute
from oidl.errors import StateError
from oidl.hints import command
from oidl.progress.format import duration
from oidl.report.document import report_html
from oidl.state.aggregates import read_survey
from oidl.state.counts import read_counts
from oidl.state.database import open_reader
from oidl.storage.output import output_text, standard_stream
from oidl.text import counted, printable

_ROWS_PER_S = 150_000  # or more: what it takes to go over all of them
_PATIENCE_S = 2.0


@flattened
@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """The options of `oidl report`."""

    out: Path = Path("report.html")
    """The file to write; an existing one is replaced."""


def report(paths: PathOptions = PathOptions(), options: ReportOptions = ReportOptions()) -> None:
    """Writes the report, and prints its path unless it goes to a stream."""
    with open_reader(paths.database) as db:
        counts = read_counts(db)
        if not counts.total:
            raise StateError("there is no image list in the database yet", hint=f"run {command('run')} to load it")
        expected_s = counts.total / _ROWS_PER_S
        if expected_s > _PATIENCE_S:
            rows = counted(counts.total, "row")
            print(f"reading {rows}; about {duration(expected_s)} …", file=sys.stderr, flush=True)
        survey = read_survey(db)
    root = str(absolute(paths.root_dir))
    out = absolute(options.out)
    with output_text(out) as file:
        if file:
            file.write(report_html(counts, survey, root=root, now=datetime.now(UTC)))
    if standard_stream(out) is None:
        print(printable(str(options.out)))
