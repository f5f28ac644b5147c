"""The Open Images dataset, downloaded, verified and resized.

`oidl` is a program first: `oidl run` brings the images and their metadata to
disk, `oidl status` and `oidl export-csv` read what it knows of them. What it
knows is one SQLite file, and that file is a public interface (`oidl help schema`).

The folders are the things the program is about: `dataset` is what Open Images
publishes, `state` what became of each image, `net` one transfer, `imaging` one
picture, `storage` one file, `pipeline` all of them at once, `progress` and
`report` what people see, `web` the same in a browser, `cli` what they type,
`demo` a small Open Images on loopback to try it all on. `oidl.open` reads a
root directory from Python.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidl.library.root import Root

__all__ = ["__version__", "open"]

__version__ = "0.1.0"


def open(root_dir: Path | str, *, state_db: Path | str | None = None) -> "Root":
    """A root directory, to be read: its images with boxes and attribution, its counts, its database by SQL.

    `state_db` is where the database is, if that is not in the root. Raises `oidl.errors.UsageError` if there is none.
    """
    from oidl.library.root import Root  # slow; `oidl --help` needs none of it

    return Root(root_dir, state_db=state_db)
