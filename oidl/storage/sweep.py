"""Removes leftovers of killed runs, only below directories that belong to oidl."""

import errno
import shutil
from contextlib import suppress
from pathlib import Path

_TRIES = 10


def remove_tree(path: Path) -> None:
    """Removes `path`, a file or a directory with its contents, if it exists; a link is removed, not followed."""
    with suppress(FileNotFoundError):
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)


def remove_from_writers(path: Path) -> None:
    """As `remove_tree`, but if it is a directory, others may be creating files in it now.

    It is renamed first, so that they cannot find it; files that were being created then are removed too.
    Raises `OSError` if that fails.
    """
    gone = path.with_name(f"{path.name}.gone")
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            path.rename(gone)
            path = gone
    for left in reversed(range(_TRIES)):
        try:
            return remove_tree(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not left:
                raise
