"""Removes a rendition: rows first, then files, then directories that are empty; and what a run says of a lost one.

A kill in between leaves files that no row names, and their paths in `removed_file`: the same call again finishes.
Synchronous: it is the whole work of a command, which holds the writer lock.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oidl.errors import disk_error
from oidl.hints import command
from oidl.settings import Layout, Settings
from oidl.state.connection import StateConnection
from oidl.state.homes import read_homes
from oidl.state.load import loaded_subsets
from oidl.state.removal import end_removal, files_are_gone, files_to_remove, take_rows
from oidl.state.translate import translating_sqlite_errors
from oidl.state.verify import known_renditions
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.layout import actual_path, subset_directory
from oidl.storage.ownership import OwnFiles
from oidl.storage.sweep import remove_tree

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Removed:
    """How many files were removed, and how many bytes they had on the disk; `others` are recorded, but not ours."""

    files: int
    bytes: int
    others: int = 0
    other: str = ""


def remove_files(
    db: StateConnection,
    layout: Layout,
    subsets: Collection[str],
    name: str,
    directory: str,
    say: Callable[[int], None] = lambda files: None,
) -> Removed:
    """Removes all files of the rendition `name`, and it; `say` is told how many are gone after each page.

    What rows name and no run can have written stays where it is. Raises `DiskError` if a file cannot be removed; what
    is removed until then stays so.
    """
    files = size_bytes = others = 0
    other = ""
    with translating_sqlite_errors(db.path):
        own = OwnFiles(read_homes(db, layout), subsets)
        while True:
            take_rows(db, name, _PAGE)
            page = files_to_remove(db, name, _PAGE)
            if not page:
                break
            for file in page:
                if not own.has(*file):
                    others, other = others + 1, other or file.path
                    continue
                freed = _remove(actual_path(layout, file.path))
                files += freed is not None
                size_bytes += freed or 0
            files_are_gone(db, page)
            say(files)
        end_removal(db, name)
    for subset in subsets:
        home = subset_directory(layout, subset, directory)
        remove_tree(home / PART_DIRECTORY)
        _remove_empty(home)
    return Removed(files, size_bytes, others, other)


def lost_remarks(db: StateConnection, settings: Settings) -> Iterator[str]:
    """What people should know of renditions that have files, by their rows, and no directory."""
    subsets = loaded_subsets(db)
    wanted = {rendition.name for rendition in settings.every}
    for rendition, files in known_renditions(db):
        homes = [subset_directory(settings.layout, subset, rendition.directory) for subset in subsets]
        if files and rendition.name in wanted and homes and not any(home.is_dir() for home in homes):
            yield (
                f"{files:,} files of {rendition.name} are missing, as {homes[0]} is not there: mount it; or, if they "
                f"are lost, run `mkdir {homes[0]}` and {command('verify', '--repair')} to make them again, or "
                f"{command('renditions remove', rendition.name)} to do without them"
            )


def _remove(path: Path) -> int | None:
    """The bytes of the file that was removed; None if there was none."""
    try:
        size_bytes = os.lstat(path).st_size
        os.unlink(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(path, error, "removed") from error
    _remove_if_empty(path.parent)
    return size_bytes


def _remove_empty(home: Path) -> None:
    """Removes `home` if there is nothing in it but empty directories, and those of them that are empty."""
    for directory, _, _ in os.walk(home, topdown=False):
        _remove_if_empty(Path(directory))


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()
