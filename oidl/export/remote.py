"""Images whose only copy is in an object store: exports and packs leave them out, and say where they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oidl.state.connection import StateConnection
from oidl.state.uploads import remote_shards
from oidl.storage.shards.files import shard_size
from oidl.storage.shards.place import place_of

COPY_BACK = "copy these shards back, with the same paths below the root directory"


@dataclass(frozen=True, slots=True)
class RemoteImages:
    """The object store that has each shard of which there is no copy on this machine, by the path of the shard."""

    stores: Mapping[str, str]

    def store(self, recorded: str) -> str | None:
        """The store with the image at `recorded`, a value of `file.path`; None if its file or shard is not remote."""
        place = place_of(recorded) if self.stores else None
        return self.stores.get(place.shard) if place else None


def read_remote_images(db: StateConnection, root_dir: Path) -> RemoteImages:
    """Those of the root at `root_dir`; a shard that was copied back is not among them. Raises `DiskError`."""
    absent = [each for each in remote_shards(db) if shard_size(root_dir / each.path) != each.bytes]
    return RemoteImages({each.path: each.url.removesuffix(f"/{each.path}") for each in absent})
