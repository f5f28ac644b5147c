"""How much room there is, filesystem by filesystem."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def filesystems(directories: Iterable[Path]) -> dict[int, Path]:
    """One of `directories`, or the nearest parent that exists, for each filesystem that they lie on."""
    found: dict[int, Path] = {}
    for directory in directories:
        place = existing(directory)
        found.setdefault(device(place), place)
    return found


def existing(directory: Path) -> Path:
    """`directory`, or its nearest parent that exists."""
    return next(place for place in (directory, *directory.parents) if place.exists())


def device(place: Path) -> int:
    """The number of the filesystem of an existing `place`."""
    return os.stat(place).st_dev


def free_bytes(place: Path) -> int:
    """What may still be written on the filesystem of `place`."""
    return shutil.disk_usage(place).free
