"""Replaces entries of a directory all together.

The new entries are written into a temporary directory inside it, so on the same filesystem, and moved when all of them
are whole and on the disk: first the earlier ones out, then the new ones in, in the order of their names. So earlier and
new entries are never mixed: a kill leaves the earlier ones, the new ones, or a part of either. `.oidl-export` lists the
names that were written; everything else in the directory belongs to the user.
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
    """A new directory to fill with entries called `names`, which replace those of the previous export.

    Not all of `names` need to be written; the one that readers open first must be last. An exception leaves the
    directory unchanged. Raises `UsageError` if an entry with one of these names was not written by an export,
    `DiskError` if something cannot be written.
    """
    before = _noted(directory)
    for name in names:
        if name not in before and os.path.lexists(directory / name):
            raise UsageError(
                f"{directory / name} exists and is not from an earlier export",
                hint="choose another --dest, or move it away",
            )
    with _no_empty_directory(directory), part_of(directory / "export") as part, _blaming(directory):
        new, old = part / "new", part / "old"
        for temporary in (part, new, old):
            temporary.mkdir()
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
def _no_empty_directory(directory: Path) -> Iterator[None]:
    """After an exception, `directory` and those above it that do not exist yet are removed again, if they are empty."""
    new = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        yield
    except BaseException:
        with suppress(OSError):  # something is in it
            for each in new:
                each.rmdir()
        raise


@contextmanager
def _blaming(directory: Path) -> Iterator[None]:
    """Names `directory` in errors, not the temporary directory inside it."""
    try:
        yield
    except OSError as error:
        raise disk_error(directory, error) from error


def _move(moves: Iterable[tuple[Path, Path]]) -> None:
    """Moves all of them, or none if one cannot be moved."""
    moved: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            os.rename(source, target)
            moved.append((source, target))
    except OSError:
        for source, target in reversed(moved):
            with suppress(OSError):
                os.rename(target, source)
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
