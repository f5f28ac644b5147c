"""Whether what a run is to write can fit, before anything is fetched."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from oidl.errors import DiskError
from oidl.model import Source
from oidl.progress.words import size
from oidl.settings import Settings
from oidl.state.counts import read_counts
from oidl.state.database import StateConnection
from oidl.state.estimate import mean_original_bytes
from oidl.storage.space import device, existing, free_bytes
from oidl.text import counted

_STILL_THERE = 0.8  # of the published images; the rest is gone and takes no room
_BYTES_PER_PIXEL = 0.1  # of a box, for renditions of which there are none yet; a JPEG at a low quality
# Of what has no published size; the mirror's are the mean of its 561 GB.
_BYTES_EACH = {Source.THUMBNAIL_300K: 60_000.0, Source.CVDF: 300_000.0}
_ENOUGH_FILES = 100  # to go by their mean size


def check_space(db: StateConnection, settings: Settings, images: int, free: Callable[[Path], int] = free_bytes) -> None:
    """Raises `DiskError` if the files of `images` more images cannot fit, even by a low estimate."""
    needed: defaultdict[int, float] = defaultdict(float)
    places: dict[int, Path] = {}
    for directory, bytes_each in _bytes_each(db, settings):
        place = existing(directory)
        places.setdefault(device(place), place)
        needed[device(place)] += bytes_each * images * _STILL_THERE
    for number, place in places.items():
        room = free(place) - settings.limits.min_free_bytes
        if needed[number] > room:
            raise DiskError(
                f"{counted(images, 'image')} would take about {size(int(needed[number]))} at {place}, "
                f"and {size(max(room, 0))} may be used there",
                hint="free some space, choose fewer images (--subset, --limit), or use --no-check-space to fill it",
            )


def _bytes_each(db: StateConnection, settings: Settings) -> list[tuple[Path, float]]:
    """Where each rendition goes, and how large a file of it is."""
    files = read_counts(db).files
    each = []
    for rendition in settings.wanted:
        count, total = files.get(rendition.name, (0, 0))
        if count >= _ENOUGH_FILES:
            bytes_each = total / count
        elif rendition.box_size is not None:
            bytes_each = rendition.box_size**2 * _BYTES_PER_PIXEL
        elif settings.originals.sources[0] in _BYTES_EACH:
            bytes_each = _BYTES_EACH[settings.originals.sources[0]]
        else:
            bytes_each = mean_original_bytes(db, settings.selection.subsets)
        each.append((settings.root_dir / rendition.directory, bytes_each))
    return each
