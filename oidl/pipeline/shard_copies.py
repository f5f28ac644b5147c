"""The rows of a shard whose images are about to be copied to a new one, one after the other."""

from collections.abc import Callable, Sequence
from itertools import accumulate

from oidl.model import OpenShard, Rendition, StoreKind
from oidl.state.connection import StateConnection
from oidl.state.shards import Sample, Shard, unsealed_shard
from oidl.storage.shards.place import Place, place_of


def new_places(samples: Sequence[Sample]) -> list[int]:
    """Where each of `samples` begins if they lie one after the other, and where the last one ends, in bytes."""
    return list(accumulate((each.bytes for each in samples), initial=0))


def are_adjacent(samples: Sequence[Sample]) -> bool:
    """Whether nothing lies before or between `samples`."""
    return new_places(samples)[:-1] == [each.at for each in samples]


AddShard = Callable[[Rendition, str, str, str], OpenShard]
"""Adds a row for a shard: the arguments are those of `open_shard`."""


def new_copy(
    db: StateConnection, shard: Shard, samples: Sequence[Sample], add_shard: AddShard
) -> tuple[Shard, list[Sample]]:
    """A new row for a copy of `shard`, and its `samples` as they will be in it."""
    rendition = Rendition(shard.rendition, "", store=StoreKind(shard.format))
    opened = add_shard(rendition, shard.split, shard.directory, shard.path.rpartition("/")[0])
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
