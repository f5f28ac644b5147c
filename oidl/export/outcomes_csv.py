"""The success and failure CSVs: the published rows of all images that were tried, byte for byte, in published order.

A file is written under a temporary name and moved into place, so a reader never
sees half of one.
"""

from contextlib import ExitStack
from pathlib import Path

from oidl.dataset.rows import LINE_ENDS, format_row, header
from oidl.errors import StateError
from oidl.export.text import csv_line
from oidl.hints import command
from oidl.model import Status
from oidl.state.connection import StateConnection
from oidl.state.load import loaded_list, requested_subsets, styles
from oidl.state.outcome_rows import OutcomeRow, outcome_rows
from oidl.state.selection import SelectedImages
from oidl.storage.atomic import atomic_text

SUCCESS = "images-success.csv"
FAILURE = "images-failure.csv"

_LICENSE_COLUMNS = ",LicenseVerdict,LicenseNow,LicenseChecked"


def export_csvs(
    db: StateConnection,
    root_dir: Path,
    dest: Path | None = None,
    *,
    with_source: bool = False,
    with_license: bool = False,
    subsets: tuple[str, ...] = (),
    selected: SelectedImages | None = None,
) -> dict[Path, int]:
    """Writes both files for every loaded subset, or for `subsets`; returns their paths and numbers of images.

    They go to `<root_dir>/<version>/<subset>/`, or to `<dest>/<subset>/`. The failure file has an additional column
    `FailureDetails` and includes images that wait for a retry; images that were never tried are in neither file.
    `with_source` adds a column `Source` to the success file: the origin of the image; only `original` and `local` are
    the published bytes. `with_license` adds `LicenseVerdict`, `LicenseNow` and `LicenseChecked` to both files, after
    all other columns, and empty for an image without a check. With a selection that was made on `db`, only its images
    are written. Raises `UsageError` for a subset that is not loaded.
    """
    image_list = loaded_list(db)
    if image_list is None:
        raise StateError("there is no image list in the database yet", hint=f"run {command('run')} to load it")
    rows: dict[Path, int] = {}
    with ExitStack() as files:
        outputs = {}
        style = {subset: (quoting, LINE_ENDS[line_end]) for subset, (quoting, line_end) in styles(db).items()}
        for subset in requested_subsets(db, subsets):
            directory = (dest or root_dir / image_list.directory) / subset
            quoting, end = style[subset]
            licenses = _LICENSE_COLUMNS * with_license
            for name, more in ((SUCCESS, ",Source" * with_source + licenses), (FAILURE, ",FailureDetails" + licenses)):
                path = directory / name
                outputs[subset, name] = path, files.enter_context(atomic_text(path))
                outputs[subset, name][1].write(header(quoting, more + end))
                rows[path] = 0
        for row in outcome_rows(db, subsets, selected, with_license=with_license):
            is_done = row.status == Status.DONE
            path, file = outputs[row.image.subset, SUCCESS if is_done else FAILURE]
            more = f",{row.source}" * with_source if is_done else f",{csv_line([_details(row)]).rstrip()}"
            if with_license:
                more += "," + csv_line([row.license_verdict, row.license_now, row.license_checked]).rstrip()
            quoting, end = style[row.image.subset]
            file.write(format_row(row.image, quoting, more + end))
            rows[path] += 1
    return rows


def _details(row: OutcomeRow) -> str:
    """Why an image failed, on one line."""
    details = f"{row.reason}: {row.detail}" if row.detail else str(row.reason)
    more = " (will be retried)" if row.status == Status.RETRY else ""
    return " ".join(f"{details}{more}".split())
