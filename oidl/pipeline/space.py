"""Estimates the disk space that a run needs, before anything is written, and checks whether it can fit at all."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from oidl.errors import DiskError
from oidl.forecast import Room
from oidl.model import Source
from oidl.progress.format import size
from oidl.settings import Settings
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.estimate import mean_original_bytes
from oidl.storage.space import device, existing, free_bytes
from oidl.text import counted

BYTES_EACH = {Source.THUMBNAIL_300K: 60_000.0, Source.CVDF: 300_000.0}
"""The approximate size of images without a published size; the mirror's value is the mean of its 561 GB."""

_AVAILABLE = 0.8  # of the published images, for a low estimate; the rest is gone and takes no space
# Of the box, for renditions without files so far: JPEGs of the default quality, and of a low one.
_BYTES_PER_PIXEL, _LEAST_BYTES_PER_PIXEL = 0.2, 0.1
_ENOUGH_FILES = 100  # from this number on, their mean size is used


def check_space(
    db: StateConnection, settings: Settings, files: Mapping[str, int], free: Callable[[Path], int] = free_bytes
) -> None:
    """Raises `DiskError` if this many new `files` (by rendition) cannot fit, even by a low estimate."""
    images = max(files.values(), default=0)
    if not images:
        return
    each = _bytes_each(db, settings, _LEAST_BYTES_PER_PIXEL, None)
    needed = [(directory, bytes_each * files[name] * _AVAILABLE) for name, directory, bytes_each in each]
    for room in _rooms(needed, settings, free):
        if room.needed > room.usable:
            raise DiskError(
                f"{counted(images, 'image')} would take about {size(room.needed)} at {room.place}, "
                f"but only {size(max(room.usable, 0))} may be used there",
                hint="free some space, choose fewer images (--subset, --limit), or use --no-check-space to fill it",
            )


def likely_rooms(
    db: StateConnection,
    settings: Settings,
    files: Mapping[str, int],
    mean_bytes: float | None,
    others: int,
    free: Callable[[Path], int] = free_bytes,
) -> tuple[Room, ...]:
    """The space that a run needs on each filesystem for `files` (by rendition), and `others` bytes in the root.

    `mean_bytes` is the approximate size of an original if no list is loaded.
    """
    each = _bytes_each(db, settings, _BYTES_PER_PIXEL, mean_bytes)
    needed = [(directory, bytes_each * files[name]) for name, directory, bytes_each in each]
    return tuple(_rooms([*needed, (settings.root_dir, float(others))], settings, free))


def _rooms(
    needed: list[tuple[Path, float]], settings: Settings, free: Callable[[Path], int] = free_bytes
) -> Iterator[Room]:
    places: dict[int, Path] = {}
    sums: defaultdict[int, float] = defaultdict(float)
    for directory, size_bytes in needed:
        place = existing(directory)
        places.setdefault(device(place), place)
        sums[device(place)] += size_bytes
    for number, place in places.items():
        yield Room(place, int(sums[number]), free(place) - settings.limits.min_free_bytes)


def _bytes_each(
    db: StateConnection, settings: Settings, per_pixel: float, mean_bytes: float | None
) -> Iterator[tuple[str, Path, float]]:
    """The name of each rendition, its directory, and the approximate size of one file."""
    files = read_counts(db).files
    for rendition in settings.wanted:
        count, total = files.get(rendition.name, (0, 0))
        if count >= _ENOUGH_FILES:
            bytes_each = total / count
        elif rendition.box_size is not None:
            bytes_each = rendition.box_size**2 * per_pixel
        elif settings.originals.sources[0] in BYTES_EACH:
            bytes_each = BYTES_EACH[settings.originals.sources[0]]
        else:
            bytes_each = mean_original_bytes(db, settings.selection.subsets) or mean_bytes or 0.0
        yield rendition.name, settings.root_dir / rendition.directory, bytes_each
