"""The interface of what keeps the bytes of images."""

from collections.abc import Callable, Iterator
from typing import Protocol

from oidl.model import Job, Member, Rendition, Source
from oidl.model.sample import Sample


class Store(Protocol):
    """Keeps the renditions of images. The threads of the validators call its methods."""

    def put(
        self,
        job: Job,
        rendition: Rendition,
        body: bytes,
        source: Source,
        sample: Callable[[str], Sample],
        *,
        suffix: str | None = None,
        unless_at: str | None = None,
    ) -> tuple[str, Member | None]:
        """Keeps `body`, which came from `source`, as `rendition` of an image.

        Returns the value for `file.path`, and where its sample is if it is in a shard: `sample` makes one whose image
        has the suffix that it is called with. The body is whole when this returns, and durable when `Durability` says
        so. `suffix` replaces that of the published URL. Nothing is written if the body was read from its own place,
        `unless_at`. Raises `DiskError` if the body cannot be kept; then there is no file.
        """
        ...

    def find_originals(self, job: Job) -> Iterator[tuple[str, bytes]]:
        """Files whose length is that of the image's original: path and bytes of each."""
        ...

    def has_originals(self, subset: str) -> bool:
        """Whether there may be originals of `subset` that are not recorded in the database."""
        ...
