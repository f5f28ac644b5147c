"""The store of a worker: a file for each image, or shards, as each rendition says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oidl.imaging.formats import sniff
from oidl.model import Job, Member, Rendition, Source, StoreKind
from oidl.model.sample import Sample
from oidl.node.shards import Shards
from oidl.storage.files import Files
from oidl.storage.shards.place import format_suffix


@dataclass(frozen=True, slots=True)
class Stores:
    """The `Store` of both kinds of renditions."""

    files: Files
    shards: Shards

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
        """As in `Store`."""
        if rendition.store is StoreKind.FILES:
            return self.files.put(job, rendition, body, source, sample, suffix=suffix, unless_at=unless_at)
        return self.shards.append(rendition, sample(_suffix(rendition, body)))

    def find_originals(self, job: Job) -> Iterator[tuple[str, bytes]]:
        """As in `Store`."""
        return self.files.find_originals(job)

    def has_originals(self, subset: str) -> bool:
        """As in `Store`."""
        return self.files.has_originals(subset)


def _suffix(rendition: Rendition, body: bytes) -> str:
    """The suffix of an image in a shard: that of its bytes, because training code looks no further."""
    kind = rendition.format if rendition.mode else sniff(body) or "jpg"
    return format_suffix(kind)
