"""What a run is about to do, as one frozen value: made before it begins, and for a dry run instead of it.

Sizes are bytes. What is not known before an image list is loaded is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

GUESSED_BYTES_PER_S = 20_000_000
GUESSED_IMAGES_PER_S = 40
"""How fast images come, whichever is slower, where no run has learned it yet."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many images that are to be had, and so many bytes to fetch for them.

    `local` of them are made from originals on disk, for which nothing is fetched; `again` are done, and lack something.
    """

    images: int
    bytes: float | None
    local: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True)
class FilesToFetch:
    """Files of one kind: so many bytes, exactly or about; `unknown` files of unknown size come on top."""

    name: str
    bytes: int = 0
    is_exact: bool = True
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """About how many bytes are needed on the filesystem of `place`, and how many may be used there."""

    place: Path
    needed: int
    usable: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Images by subset (None where their number is not known) and by class, and all that goes with them.

    `limit` is how many images are missing to the limit of all of them, None if there is none. With `is_most` images
    are chosen by something that is not loaded yet, so that there may be fewer; with `is_exact` their bytes are the
    published ones. `learned_pace` is in images a second.
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
        """How many images there are to take from; None if that is not known."""
        counts = [share.images if share else None for share in self.subsets.values()]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def images(self) -> int | None:
        """How many of them are taken; None if that is not known."""
        available = self.available
        if available is None:
            return self.limit
        return available if self.limit is None else min(available, self.limit)

    @property
    def local(self) -> int:
        """How many of these are made from originals on disk."""
        return round(self._part * sum(share.local for share in self.subsets.values() if share))

    @property
    def bytes(self) -> float | None:
        """How many bytes of images are to be fetched; None if that is not known."""
        sizes = [share.bytes if share else None for share in self.subsets.values()]
        known = [size for size in sizes if size is not None]
        return self._part * sum(known) if len(known) == len(sizes) else None

    @property
    def file_bytes(self) -> int:
        """How many bytes of lists and annotations are to be fetched, as far as their sizes are known."""
        return sum(each.bytes for each in (*self.annotations, *([self.lists] if self.lists else [])))

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to fetch and nothing to make."""
        return self.images == 0 and not self.annotations and not self.lists

    @property
    def seconds(self) -> float | None:
        """How long it takes, at the pace that was learned or the guessed one; None if that is not known."""
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
