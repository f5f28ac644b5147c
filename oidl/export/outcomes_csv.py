"""The success and failure CSVs: every published row that was tried, byte for byte, in published order.

A file is written under a temporary name and moved into place, so a reader never
meets half of one.
"""

from contextlib import ExitStack
from pathlib import Path

from oidl.dataset.rows import LINE_ENDS, format_row, header
from oidl.errors import StateError
from oidl.export.text import csv_line
from oidl.hints import command
from oidl.model import Status
from oidl.state.connection import StateConnection
from oidl.state.load import loaded_list, styles, wanted_subsets
from oidl.state.outcome_rows import OutcomeRow, outcome_rows
from oidl.state.selection import SelectedImages
from oidl.storage.atomic import atomic_text

SUCCESS = "images-success.csv"
FAILURE = "images-failure.csv"


def export_csvs(
    db: StateConnection,
    root_dir: Path,
    dest: Path | None = None,
    *,
    with_source: bool = False,
    subsets: tuple[str, ...] = (),
    chosen: SelectedImages | None = None,
) -> dict[Path, int]:
    """Writes both files for every loaded subset, or for `subsets`; returns their paths and how many images each holds.

    They go to `<root_dir>/<version>/<subset>/`, or to `<dest>/<subset>/`. The
    failure file has one more column, `FailureDetails`; images that wait for a
    retry are in it, images that were never tried are in neither. `with_source` adds a column `Source` to
    the success file: whose copy the image is, of which only `original` and `local` are the published bytes. With a
    choice that was made on `db`, only its images are written. Raises `UsageError` for a subset that is not loaded.
    """
    held = loaded_list(db)
    if held is None:
        raise StateError("there is no image list in the database yet", hint=f"{command('run')} loads it")
    rows: dict[Path, int] = {}
    with ExitStack() as files:
        outputs = {}
        style = {subset: (quoting, LINE_ENDS[line_end]) for subset, (quoting, line_end) in styles(db).items()}
        for subset in wanted_subsets(db, subsets):
            directory = (dest or root_dir / held.directory) / subset
            quoting, end = style[subset]
            for name, more in ((SUCCESS, ",Source" * with_source), (FAILURE, ",FailureDetails")):
                path = directory / name
                outputs[subset, name] = path, files.enter_context(atomic_text(path))
                outputs[subset, name][1].write(header(quoting, more + end))
                rows[path] = 0
        for settled in outcome_rows(db, subsets, chosen):
            is_done = settled.status == Status.DONE
            path, file = outputs[settled.image.subset, SUCCESS if is_done else FAILURE]
            more = f",{settled.source}" * with_source if is_done else f",{csv_line([_details(settled)]).rstrip()}"
            quoting, end = style[settled.image.subset]
            file.write(format_row(settled.image, quoting, more + end))
            rows[path] += 1
    return rows


def _details(settled: OutcomeRow) -> str:
    """Why an image failed, on one line."""
    details = f"{settled.reason}: {settled.detail}" if settled.detail else str(settled.reason)
    more = " (to be tried again)" if settled.status == Status.RETRY else ""
    return " ".join(f"{details}{more}".split())
