"""Decides which recorded paths are files of ours. Pure.

`file.path` is text, and its database may come from another person or may have been edited. The file that it names is
read, shown, copied or deleted only if a run could have written it: it must be in a directory of its rendition, and have
the name of its image. The place of an image in a shard is ours if the shard is in such a directory, and has the name of
its subset and a number; the offset is only a number.
"""

from collections.abc import Collection, Iterable

from oidl.model import Rendition
from oidl.settings import Layout
from oidl.storage.layout import is_image_id, name_of, recorded_path, subset_directory
from oidl.storage.shards.place import place_of, shard_subset


class OwnFiles:
    """The paths that files of the renditions in `homes` can have, each with the layout that it was written in."""

    def __init__(self, homes: Iterable[tuple[Rendition, Layout]], subsets: Collection[str]) -> None:
        self._renditions: dict[tuple[str, str], set[Rendition]] = {}
        self._shards: set[tuple[str, str, str]] = set()  # rendition, directory, subset
        for rendition, layout in homes:
            for subset in subsets:
                home = recorded_path(layout, subset_directory(layout, subset, rendition.directory))
                self._renditions.setdefault((rendition.name, home), set()).add(rendition)
                self._shards.add((rendition.name, home, subset))

    def has(self, image_id: str, rendition: str, recorded: str) -> bool:
        """Whether `recorded`, as in `file.path`, can be the file of this rendition of this image."""
        if place := place_of(recorded):
            return self.has_shard(rendition, place.shard)
        directory, _, name = recorded.rpartition("/")
        parent, _, prefix = directory.rpartition("/")
        for home, parts in ((parent, (prefix, name)), (directory, (name,))):
            for each in self._renditions.get((rendition, home), ()):
                found = name_of(each, parts)
                if found is not None and (found == image_id or not is_image_id(found)):
                    return True
        return False

    def has_shard(self, rendition: str, recorded: str) -> bool:
        """Whether `recorded`, as in `shard.path`, can be a shard of this rendition."""
        directory, _, name = recorded.rpartition("/")
        return (rendition, directory, shard_subset(name)) in self._shards
