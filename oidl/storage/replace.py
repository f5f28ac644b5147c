"""Entries of a directory that take the place of earlier ones all together.

They are written into a temporary directory inside it, so on the same filesystem, and moved when all of them are whole
and on the disk: first the earlier ones out, then the new ones in, in the order of their names. So at no
instant is anything of the one beside anything of the other: a kill leaves the earlier ones, the new ones, or a part of
one of them. `.oidl-export` lists the names that were written; everything else in the directory is the user's.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from oidl.errors import UsageError, disk_error
from oidl.storage.atomic import atomic_text, part_of
from oidl.storage.durability import sync_filesystems

NOTE = ".oidl-export"


@contextmanager
def replaced_entries(directory: Path, names: Sequence[str]) -> Iterator[Path]:
    """A new directory to fill with entries called `names`, which take the place of those that were written before.

    Not all of `names` need to be written; of those that are, the one that readers open first comes last. An exception
    leaves what was there. Raises `UsageError` if an entry of one of these names was not written here,
    `DiskError` if something cannot be written.
    """
    before = _noted(directory)
    for name in names:
        if name not in before and os.path.lexists(directory / name):
            raise UsageError(
                f"{directory / name} is there, and not from an earlier export",
                hint="choose another --dest, or move it away",
            )
    with part_of(directory / "export") as part, _at(directory):
        new, old = part / "new", part / "old"
        for each in (part, new, old):
            each.mkdir()
        yield new
        sync_filesystems([part])
        written = [name for name in names if os.path.lexists(new / name)]
        leaving = [name for name in reversed(before) if os.path.lexists(directory / name)]
        _note(directory, dict.fromkeys([*before, *written]))
        _move(
            [
                *((directory / name, old / name) for name in leaving),
                *((new / name, directory / name) for name in written),
            ]
        )
        _note(directory, written)


@contextmanager
def _at(directory: Path) -> Iterator[None]:
    """Names `directory` in errors, not the temporary one in it."""
    try:
        yield
    except OSError as error:
        raise disk_error(directory, error) from error


def _move(moves: Iterable[tuple[Path, Path]]) -> None:
    """Moves all of them, or, if one cannot be moved, none."""
    moved: list[tuple[Path, Path]] = []
    try:
        for source, goal in moves:
            os.rename(source, goal)
            moved.append((source, goal))
    except OSError:
        for source, goal in reversed(moved):
            with suppress(OSError):
                os.rename(goal, source)
        raise


def _noted(directory: Path) -> list[str]:
    """The names that earlier exports wrote, in order."""
    try:
        names = (directory / NOTE).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [name for name in dict.fromkeys(names) if name == Path(name).name and name not in ("", "..")]


def _note(directory: Path, names: Iterable[str]) -> None:
    with atomic_text(directory / NOTE) as file:
        file.writelines(f"{name}\n" for name in names)
