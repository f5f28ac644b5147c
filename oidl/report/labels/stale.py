"""What an earlier export left that the one which takes its place does not write: of other subsets, of other kinds.

Only names that the format itself gives, for subsets that the database has, and only where `images.meta`
says that an export was there before: what else lies in that directory is the user's, and is not replaced either.
"""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from oidl.errors import UsageError, disk_error


@dataclass(frozen=True, slots=True)
class Names:
    """What a format writes for a `{subset}`, perhaps for each `{kind}` of annotation: files, and links to pictures."""

    files: tuple[str, ...]
    links: tuple[str, ...] = ()

    def at(self, dest: Path, subsets: Collection[str], kinds: Collection[str]) -> dict[Path, bool]:
        """The paths below `dest`, and whether each is a link."""
        return {
            dest / name.format(subset=subset, kind=kind): is_link
            for names, is_link in ((self.files, False), (self.links, True))
            for name in names
            for subset in subsets
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
