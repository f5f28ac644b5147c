"""The rows of a shard whose images are about to be copied to a new one, one after the other."""

from collections.abc import Callable, Sequence
from itertools import accumulate

from oidl.model import Rendition, StoreKind
from oidl.state.connection import StateConnection
from oidl.state.shards import Sample, Shard, open_shard, unsealed_shard
from oidl.storage.shards.place import Place, place_of


def new_places(samples: Sequence[Sample]) -> list[int]:
    """Where each of `samples` begins if they lie one after the other, and where the last one ends, in bytes."""
    return list(accumulate((each.bytes for each in samples), initial=0))


def are_adjacent(samples: Sequence[Sample]) -> bool:
    """Whether nothing lies before or between `samples`."""
    return new_places(samples)[:-1] == [each.at for each in samples]


def new_copy(
    db: StateConnection, shard: Shard, samples: Sequence[Sample], is_taken: Callable[[str], bool]
) -> tuple[Shard, list[Sample]]:
    """A new row for a copy of `shard`, and its `samples` as they will be in it; `is_taken` as for `open_shard`."""
    rendition = Rendition(shard.rendition, "", store=StoreKind(shard.format))
    home = shard.path.rpartition("/")[0]
    opened = open_shard(db, rendition, shard.split, shard.directory, home, is_taken=is_taken)
    target = unsealed_shard(db, opened.shard_id)
    assert target
    moved = [
        each._replace(place=place, at=at, path=_moved_path(each, target.path, at))
        for place, (each, at) in enumerate(zip(samples, new_places(samples), strict=False))
    ]
    return target, moved


def _moved_path(sample: Sample, path: str, at: int) -> str:
    place = place_of(sample.path)
    assert place
    return str(Place(path, at + place.at - sample.at))
