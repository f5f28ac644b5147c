"""The root directory while a command writes to it: created, locked, and removed again if it stays empty."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from oidl.errors import OidlError, UsageError, disk_error
from oidl.settings import Settings
from oidl.state.database import remove_unused
from oidl.state.lock import writer_lock


@dataclass(slots=True)
class LockedRoot:
    """A root while its lock is held. With `is_kept`, it stays even if it has nothing but a plan."""

    is_kept: bool = False


@contextmanager
def locked_root(settings: Settings) -> Iterator[LockedRoot]:
    """Creates the directories of a root, and holds the writer lock.

    A new root in which nothing was loaded, and for which no byte was fetched, is removed at the end unless it
    `is_kept`: it would have nothing but a plan. Raises as `writer_lock` does, and `UsageError` or `DiskError` if a
    directory cannot be created.
    """
    is_new = not settings.state_db.exists()
    made = [each for directory in (settings.root_dir, settings.state_db.parent) for each in _make(directory)]
    try:
        with writer_lock(settings.state_db):
            root = LockedRoot()
            try:
                yield root
            finally:
                with suppress(OidlError, OSError):  # the error that ended the command matters more
                    has_parts = any(part.stat().st_size for part in settings.root_dir.glob("*.part"))
                    if is_new and not root.is_kept and not has_parts:
                        remove_unused(settings.state_db)
    finally:
        for directory in reversed(made):
            with suppress(OSError):  # it is not empty
                directory.rmdir()


def _make(directory: Path) -> list[Path]:
    """Creates `directory`; returns the directories that did not exist before, parents first."""
    absent = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{directory} is not a directory", hint="choose another --root-dir") from error
    except OSError as error:
        raise disk_error(directory, error, "made") from error
    return list(reversed(absent))
