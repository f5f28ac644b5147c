"""Removes a rendition, or images because of their licence: first the rows, then the files, then empty directories.

Also reports lost renditions.

Shards of the rendition go when they have no images any more. A kill in between leaves files without rows, and their
paths in `removed_file`: the same call again finishes the work. Synchronous: it is the whole work of a command, which
holds the writer lock.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from oidl.errors import disk_error
from oidl.hints import command
from oidl.model import LicenseFilter
from oidl.settings import Layout, Settings
from oidl.state.connection import StateConnection
from oidl.state.homes import read_homes
from oidl.state.license_removal import all_files_to_remove, remove_licensed_rows
from oidl.state.load import loaded_subsets
from oidl.state.removal import RemovedFile, end_removal, files_are_gone, files_to_remove, remove_rows
from oidl.state.shards import drop_shards, forget_removed, removed_shards
from oidl.state.translate import translating_sqlite_errors
from oidl.state.uploads import has_remote_shards
from oidl.state.verify import known_renditions
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.layout import actual_path, subset_directory
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.files import remove_shard
from oidl.storage.shards.place import place_of
from oidl.storage.sweep import remove_tree

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Removed:
    """The number of removed files and their bytes on the disk; `others` are recorded but not ours, `other` is one.

    `images` are those that were removed because of their licence.
    """

    files: int
    bytes: int
    others: int = 0
    other: str = ""
    images: int = 0


def remove_files(
    db: StateConnection,
    layout: Layout,
    subsets: Collection[str],
    name: str,
    directory: str,
    say: Callable[[int], None] = lambda files: None,
) -> Removed:
    """Removes the rendition `name` with all its files; calls `say` with the number of removed files after each page.

    Files in rows that no run can have written stay. Raises `DiskError` if a file cannot be removed; the files removed
    before that stay removed.
    """
    files = size_bytes = others = 0
    other = ""
    with translating_sqlite_errors(db.path):
        own = OwnFiles(read_homes(db, layout), subsets)
        while True:
            remove_rows(db, name, _PAGE)
            page = files_to_remove(db, name, _PAGE)
            if not page:
                break
            deleted = _delete(db, layout, own, page)
            files, size_bytes = files + deleted.files, size_bytes + deleted.bytes
            others, other = others + deleted.others, other or deleted.other
            say(files)
        size_bytes += _remove_shards(db, layout, own, name)
        end_removal(db, name)
    for subset in subsets:
        home = subset_directory(layout, subset, directory)
        remove_tree(home / PART_DIRECTORY)
        _remove_empty(home)
    return Removed(files, size_bytes, others, other)


def remove_licensed(
    db: StateConnection, layout: Layout, words: Sequence[LicenseFilter], say: Callable[[int], None] = lambda files: None
) -> Removed:
    """Removes all files of the images whose last licence check matches one of `words`, in all renditions.

    First the rows, then the files: the same call again finishes an interrupted one. Images in shards of runs go from
    the disk when the next run copies the others to new shards. Raises as `remove_files` does.
    """
    total, after = Removed(0, 0), ""
    with translating_sqlite_errors(db.path):
        subsets = loaded_subsets(db)
        own = OwnFiles(read_homes(db, layout), subsets)
        is_over = False
        while not is_over:
            rows = remove_licensed_rows(db, words, after, _PAGE)
            after, is_over = rows.after, not rows.images
            total = replace(total, images=total.images + rows.images)
            while page := all_files_to_remove(db, _PAGE):
                deleted = _delete(db, layout, own, page)
                total = replace(
                    total,
                    files=total.files + deleted.files,
                    bytes=total.bytes + deleted.bytes,
                    others=total.others + deleted.others,
                    other=total.other or deleted.other,
                )
                say(total.files)
    return total


def _delete(db: StateConnection, layout: Layout, own: OwnFiles, page: list[RemovedFile]) -> Removed:
    """Deletes the files of a page, and then forgets them."""
    files = size_bytes = others = 0
    other = ""
    for file in page:
        if not own.has(*file):
            others, other = others + 1, other or file.path
            continue
        # An image in a shard is gone with its row, and the space with its shard.
        freed = 0 if place_of(file.path) else _remove(actual_path(layout, file.path))
        files += freed is not None
        size_bytes += freed or 0
    files_are_gone(db, page)
    return Removed(files, size_bytes, others, other)


def lost_remarks(db: StateConnection, settings: Settings) -> Iterator[str]:
    """Messages about renditions that have files, according to their rows, but no directory."""
    subsets = loaded_subsets(db)
    used = {rendition.name for rendition in settings.all_renditions}
    for rendition, files in known_renditions(db):
        homes = [subset_directory(settings.layout, subset, rendition.directory) for subset in subsets]
        is_lost = files and rendition.name in used and homes and not any(home.is_dir() for home in homes)
        if is_lost and not has_remote_shards(db, rendition.name):
            yield (
                f"{files:,} files of {rendition.name} are missing, because {homes[0]} does not exist: mount it; or, if "
                f"they are lost, run `mkdir {homes[0]}` and {command('verify', '--repair')} to make them again, or "
                f"{command('renditions remove', rendition.name)} to do without them"
            )


def _remove_shards(db: StateConnection, layout: Layout, own: OwnFiles, name: str) -> int:
    """Removes the shards of a rendition without images; returns their bytes."""
    drop_shards(db, name)
    size_bytes = 0
    for rendition, path in removed_shards(db):
        if rendition == name:
            if own.has_shard(name, path):
                size_bytes += remove_shard(actual_path(layout, path)) or 0
            forget_removed(db, [path])
    return size_bytes


def _remove(path: Path) -> int | None:
    """Removes a file; returns its bytes, None if there was none."""
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
    """Removes all empty directories below `home`, and `home` itself if it is then empty."""
    for directory, _, _ in os.walk(home, topdown=False):
        _remove_if_empty(Path(directory))


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()
