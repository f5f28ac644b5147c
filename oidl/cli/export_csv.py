"""`oidl export-csv`: the published rows of the images that were had, and of those that were not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options import PlaceOptions
from oidl.report.export import export_csvs
from oidl.state.database import open_reader


@dataclass(frozen=True, kw_only=True)
class ExportOptions(PlaceOptions):
    """What `oidl export-csv` can be told."""

    dest: Path | None = None
    """Write to `<dest>/<subset>/` instead of `<root-dir>/<version>/<subset>/`."""

    with_source: bool = False
    """Add a last column `Source` to `images-success.csv`: `original`, `local` (both as published), `300k`, `cvdf`."""


DEFAULTS = ExportOptions()


def export_csv(options: Annotated[ExportOptions, Parameter(name="*")] = DEFAULTS) -> None:
    """Write `images-success.csv` and `images-failure.csv` for every subset."""
    db = open_reader(options.database)
    try:
        dest = options.dest.absolute() if options.dest else None
        written = export_csvs(db, options.root_dir.absolute(), dest, with_source=options.with_source)
    finally:
        db.close()
    for path, rows in written.items():
        print(f"{path}: {rows:,} images")
