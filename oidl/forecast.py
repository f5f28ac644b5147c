"""What a run is about to do, as one frozen value: made before the run begins, or instead of it for a dry run.

Sizes are in bytes. A value that is unknown until an image list is loaded is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

GUESSED_BYTES_PER_S = 20_000_000
GUESSED_IMAGES_PER_S = 40
"""The assumed download speed, whichever is slower, if no run has measured it yet."""


@dataclass(frozen=True, slots=True)
class Share:
    """A number of images to get, and the bytes to fetch for them.

    `local` of them are made from originals on disk, which needs no download; `again` of them are done, but lack a file.
    """

    images: int
    bytes: float | None
    local: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True)
class FilesToFetch:
    """Files of one kind with their size, exact or approximate; `unknown` more files have an unknown size."""

    name: str
    bytes: int = 0
    is_exact: bool = True
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """Roughly how many bytes are needed on the filesystem of `place`, and how many may be used there."""

    place: Path
    needed: int
    usable: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """The images by subset (None if their number is unknown) and by class, the files, and the space they need.

    `limit` is how many images may still be added before the overall limit is reached, None if there is none. With
    `is_most` the images are selected by something that is not loaded yet, so there may be fewer; with `is_exact` their
    sizes are the published ones. `learned_pace` is in images per second.
    """

    subsets: Mapping[str, Share | None] = field(default_factory=dict)
    classes: Mapping[str, Share] = field(default_factory=dict)
    limit: int | None = None
    is_most: bool = False
    is_exact: bool = True
    lists: FilesToFetch | None = None
    annotations: tuple[FilesToFetch, ...] = ()
    rooms: tuple[Room, ...] = ()
    learned_pace: float | None = None

    @property
    def available(self) -> int | None:
        """How many images there are to choose from; None if unknown."""
        counts = [share.images if share else None for share in self.subsets.values()]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def images(self) -> int | None:
        """How many of them the run will get; None if unknown."""
        available = self.available
        if available is None:
            return self.limit
        return available if self.limit is None else min(available, self.limit)

    @property
    def local(self) -> int:
        """How many of those are made from originals on disk."""
        return round(self._part * sum(share.local for share in self.subsets.values() if share))

    @property
    def bytes(self) -> float | None:
        """How many bytes of images the run will fetch; None if unknown."""
        sizes = [share.bytes if share else None for share in self.subsets.values()]
        known = [size for size in sizes if size is not None]
        return self._part * sum(known) if len(known) == len(sizes) else None

    @property
    def file_bytes(self) -> int:
        """How many bytes of lists and annotations the run will fetch, as far as their sizes are known."""
        return sum(each.bytes for each in (*self.annotations, *([self.lists] if self.lists else [])))

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to fetch and nothing to make."""
        return self.images == 0 and not self.annotations and not self.lists

    @property
    def seconds(self) -> float | None:
        """How long the run will take at the learned pace, otherwise at the assumed one; None if unknown."""
        images, size = self.images, self.bytes
        if images is None:
            return None
        if self.learned_pace:
            images_s = images / self.learned_pace
        else:
            images_s = max(images / GUESSED_IMAGES_PER_S, (size or 0) / GUESSED_BYTES_PER_S)
        return images_s + self.file_bytes / GUESSED_BYTES_PER_S

    @property
    def _part(self) -> float:
        """The share of the images that a limit leaves."""
        available, images = self.available, self.images
        return images / available if available and images is not None else 1.0
