"""Estimates the disk space that a run needs, before anything is written, and checks whether it can fit at all."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from oidl.dataset.published import Version
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

_THUMBNAIL_BYTES = 60_000.0  # on average
_AVAILABLE = 0.8  # of the published images, for a low estimate; the rest is gone and takes no space
# Of the box, for renditions without files so far: JPEGs of the default quality, and of a low one.
_BYTES_PER_PIXEL, _LEAST_BYTES_PER_PIXEL = 0.2, 0.1
_ENOUGH_FILES = 100  # from this number on, their mean size is used


def copy_bytes(version: Version, source: Source) -> float | None:
    """About how large an image from `source` is; None for originals, which have published sizes."""
    if source == Source.THUMBNAIL_300K:
        return _THUMBNAIL_BYTES
    mirror = version.mirrors.get(source)
    return float(mirror.mean_bytes) if mirror else None


def check_space(
    db: StateConnection,
    settings: Settings,
    version: Version,
    files: Mapping[str, int],
    free: Callable[[Path], int] = free_bytes,
) -> None:
    """Raises `DiskError` if this many new `files` (by rendition) cannot fit, even by a low estimate."""
    images = max(files.values(), default=0)
    if not images:
        return
    each = _bytes_each(db, settings, version, _LEAST_BYTES_PER_PIXEL)
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
    version: Version,
    files: Mapping[str, int],
    others: int,
    free: Callable[[Path], int] = free_bytes,
) -> tuple[Room, ...]:
    """The space that a run needs on each filesystem for `files` (by rendition), and `others` bytes in the root."""
    each = _bytes_each(db, settings, version, _BYTES_PER_PIXEL)
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
    db: StateConnection, settings: Settings, version: Version, per_pixel: float
) -> Iterator[tuple[str, Path, float]]:
    """The name of each rendition, its directory, and the approximate size of one file."""
    files = read_counts(db).files
    original_bytes = copy_bytes(version, settings.originals.sources[0])
    for rendition in settings.required:
        count, total = files.get(rendition.name, (0, 0))
        if count >= _ENOUGH_FILES:
            bytes_each = total / count
        elif rendition.box_size is not None:
            bytes_each = rendition.box_size**2 * per_pixel
        elif original_bytes is not None:
            bytes_each = original_bytes
        else:
            # Without a list in the database, the catalogue knows it.
            bytes_each = mean_original_bytes(db, settings.selection.subsets) or version.mean_original_bytes or 0.0
        yield rendition.name, settings.root_dir / rendition.directory, bytes_each
