"""Removes leftovers of killed runs, only below directories that belong to oidl."""

import shutil
from contextlib import suppress
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Removes `path`, a file or a directory with its contents, if it exists; a link is removed, not followed."""
    with suppress(FileNotFoundError):
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
