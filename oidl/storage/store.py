"""Where the bytes of images go, whatever form they are kept in."""

from collections.abc import Iterator
from typing import Protocol

from oidl.model import Job, Rendition, Source


class Store(Protocol):
    """Keeps the renditions of images. Its methods are called from the validators' threads."""

    def put(
        self,
        job: Job,
        rendition: Rendition,
        body: bytes,
        source: Source,
        *,
        suffix: str | None = None,
        unless_at: str | None = None,
    ) -> str:
        """Keeps `body`, which came from `source`, as `rendition` of an image; returns what `file.path` records.

        The body is durable no later than `Durability` says, and whole when this returns. `suffix` replaces that of the
        published URL. Nothing is written if `unless_at`, where the body was read from, is the place itself. Raises
        `DiskError` if the body cannot be kept; then nothing is there.
        """
        ...

    def find_originals(self, job: Job) -> Iterator[tuple[str, bytes]]:
        """What may be the original of an image, by its length: where it is, and its bytes."""
        ...

    def has_originals(self, subset: str) -> bool:
        """Whether there may be originals of `subset` that no row knows of."""
        ...
