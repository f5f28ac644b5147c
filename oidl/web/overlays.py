"""Pictures of masks, drawn from the archives. Imported by the first request for one, because it takes 30 MB."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from oidl.errors import MetadataError
from oidl.export.masks import MaskReader
from oidl.imaging.boxes import Transform
from oidl.imaging.masks import Mask
from oidl.imaging.overlay import draw_masks, overlay_transform
from oidl.state.annotation_rows import Segmentation
from oidl.web.colours import Colour

_MAX_PIXELS = 16_000_000  # of one mask; published ones have at most 2.6 million
_KEPT = 64


class MaskedFile(NamedTuple):
    """A file with masks: how it was made, the colours of classes, and where the archives of each subset are."""

    subset: str
    transform: Transform
    masks: tuple[Segmentation, ...]
    colours: dict[str, Colour]
    directories: dict[str, Path]


class Overlays:
    """Draws one picture at a time; keeps the last ones, and the index of each archive that it has read."""

    def __init__(self) -> None:
        self._reader: tuple[object, MaskReader] | None = None
        self._kept: OrderedDict[object, bytes] = OrderedDict()

    def draw(self, file: MaskedFile) -> bytes | None:
        """The masks in a file as a PNG; None if no mask can be read."""
        archives = _archives(file.directories)
        key = archives, file.transform, file.masks
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self._reader is None or self._reader[0] != archives:  # a run has fetched more of them
            if self._reader is not None:
                self._reader[1].close()
            self._reader = archives, MaskReader(file.directories, _MAX_PIXELS)
        transform = overlay_transform(file.transform)
        found: list[tuple[Mask, Colour]] = []
        try:
            for each in file.masks:
                mask = self._reader[1].read(file.subset, each, transform)
                if isinstance(mask, Mask):
                    found.append((mask, file.colours[each.label_name]))
        except (MetadataError, KeyError, MemoryError):  # a damaged archive; a subset that is in no list
            return None
        if not found:
            return None
        body = self._kept[key] = draw_masks(found, transform.width, transform.height)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return body


def _archives(directories: Mapping[str, Path]) -> tuple[tuple[str, int, int], ...]:
    """The archives that are there now, each with its size and time."""
    found = []
    for directory in directories.values():
        for path in sorted(directory.glob("*.zip")):
            try:
                status = os.stat(path)
            except OSError:
                continue
            found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)
