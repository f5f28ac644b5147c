"""What an earlier export left that the one which takes its place does not write: of other subsets, of other kinds.

Only names that the format itself gives, for subsets that the database has, and only where `images.meta`
says that an export was there before: what else lies in that directory is the user's, and is not replaced either.
"""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from oidl.errors import UsageError, disk_error
from oidl.export.format import Format


def paths_of(form: Format, dest: Path, splits: Collection[str], kinds: Collection[str]) -> dict[Path, bool]:
    """What `form` writes below `dest`, and whether each path is a link to a directory of images."""
    return {
        dest / name.format(split=split, kind=kind): is_link
        for names, is_link in ((form.files, False), (form.links, True))
        for name in names
        for split in splits
        for kind in kinds
    }


def refuse_others(paths: Iterable[Path]) -> None:
    """Raises `UsageError` if something is at one of `paths`, where no export was before."""
    for path in paths:
        if os.path.lexists(path):
            raise UsageError(f"{path} is there, and not of an earlier export", hint="name another --dest")


def remove_stale(possible: dict[Path, bool], written: Collection[Path]) -> None:
    """Removes those of the `possible` paths that were not `written`. Raises `DiskError`.

    A link goes, and not what it leads to; what is something else than it should be stays.
    """
    for path, is_link in possible.items():
        if path in written:
            continue
        try:
            if path.is_symlink() or (path.is_file() and not is_link):
                path.unlink()
        except OSError as error:
            raise disk_error(path, error) from error
