"""The files below a directory, one directory at a time, however many there are."""

import os
from collections.abc import Collection, Generator
from dataclasses import dataclass
from pathlib import Path

from oidl.storage.atomic import PART_DIRECTORY


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is no directory (or one that cannot be read: `problem` says why), and its path below `home`."""

    path: str
    parts: tuple[str, ...]
    problem: str = ""


def files_below(home: Path, others: Collection[str] = ()) -> Generator[Entry, None, None]:
    """Every entry below `home`; links are not followed, `home`'s temporary directory and `others` not entered."""
    left: list[tuple[str, tuple[str, ...]]] = [(str(home), ())]
    while left:
        directory, parts = left.pop()
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
                    left.append((entry.path, (*parts, entry.name)))
