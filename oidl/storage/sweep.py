"""Removes what a killed run left; only below directories that are oidl's own."""

import shutil
from contextlib import suppress
from pathlib import Path


def remove_tree(directory: Path) -> None:
    """Removes `directory` and all in it, if it is there; a link is removed, not followed."""
    if directory.is_symlink():
        directory.unlink()
        return
    with suppress(FileNotFoundError):
        shutil.rmtree(directory)
