"""`oidl export-csv`: writes the published rows of the downloaded images, and of those that failed."""

from dataclasses import dataclass, replace
from pathlib import Path

from oidl.cli.options.groups import OUTPUT, in_section
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.types import absolute
from oidl.cli.selection import select_images
from oidl.export.outcomes_csv import export_csvs
from oidl.state.database import open_reader
from oidl.text import counted, printable


@dataclass(frozen=True, kw_only=True)
@in_section(OUTPUT)
class ListOptions:
    """The other options of `oidl export-csv`."""

    dest: Path | None = None
    """Write to `<dest>/<subset>/` instead of `<root-dir>/<version>/<subset>/`."""

    with_source: bool = False
    """Add a column `Source` to `images-success.csv`: `original`, `local` (an original on disk), `300k`, or a mirror."""

    with_license: bool = False
    """Add columns with what the last licence check found, and when: see `oidl help licenses`."""


def export_csv(
    paths: PathOptions = PathOptions(),
    images: SelectionOptions = SelectionOptions(),
    options: ListOptions = ListOptions(),
) -> None:
    """Writes `images-success.csv` and `images-failure.csv` of every subset, and prints their paths."""
    selection = images.settings()
    if selection.limit_per_class is None:
        selection = replace(selection, shuffle=False)  # a random order takes long, and rows are in the published order
    with open_reader(paths.database) as db:
        selected = select_images(db, selection)
        written = export_csvs(
            db,
            absolute(paths.root_dir),
            absolute(options.dest) if options.dest else None,
            with_source=options.with_source,
            with_license=options.with_license,
            subsets=selection.subsets,
            selected=selected,
        )
    for path, rows in written.items():
        print(printable(f"{path}: {counted(rows, 'image')}"))
