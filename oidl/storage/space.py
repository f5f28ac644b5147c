"""Free space of filesystems."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def filesystems(directories: Iterable[Path]) -> dict[int, Path]:
    """For each filesystem of `directories`, by device number, one of them or its nearest existing parent."""
    by_device: dict[int, Path] = {}
    for directory in directories:
        place = existing(directory)
        by_device.setdefault(device(place), place)
    return by_device


def existing(directory: Path) -> Path:
    """`directory`, or its nearest parent that exists."""
    return next(place for place in (directory, *directory.parents) if place.exists())


def device(place: Path) -> int:
    """The device number of the filesystem of an existing `place`."""
    return os.stat(place).st_dev


def free_bytes(place: Path) -> int:
    """The bytes that may still be written on the filesystem of `place`."""
    return shutil.disk_usage(place).free
