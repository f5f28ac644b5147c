"""Removes what a killed run left; only below directories that are oidl's own."""

import shutil
from contextlib import suppress
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Removes `path`, a directory with all in it or a file, if it is there; a link is removed, not followed."""
    with suppress(FileNotFoundError):
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
