"""Lists the files below a directory, one directory at a time, so that any number of them fits in memory."""

import os
from collections.abc import Collection, Generator
from dataclasses import dataclass
from pathlib import Path

from oidl.storage.atomic import PART_DIRECTORY


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or link, or a directory that cannot be read (`problem` says why); `parts` is its path below `home`."""

    path: str
    parts: tuple[str, ...]
    problem: str = ""


def files_below(home: Path, others: Collection[str] = ()) -> Generator[Entry, None, None]:
    """Yields every entry below `home`, without following links or entering its temporary directory or `others`."""
    pending: list[tuple[str, tuple[str, ...]]] = [(str(home), ())]
    while pending:
        directory, parts = pending.pop()
        try:
            entries = os.scandir(directory)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            yield Entry(directory, parts, error.strerror or str(error))
            continue
        with entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield Entry(entry.path, (*parts, entry.name))
                elif entry.path not in others and (parts or entry.name != PART_DIRECTORY):
                    pending.append((entry.path, (*parts, entry.name)))
