"""What a format of shards offers that are written sample by sample."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from oidl.model.sample import Sample


class Record(NamedTuple):
    """The bytes of one sample in a shard; the image begins at `body_at` of them."""

    data: bytes
    body_at: int


@dataclass(frozen=True, slots=True)
class ShardFormat:
    """A format whose shards are records, one after the other, and then `end`.

    So a shard can be cut off after any record, and records can be copied from one shard to another. `flaw` says in a
    few words what is wrong with a record of this sample whose image has these bytes, "" if it is whole.
    """

    name: str
    suffix: str
    record: Callable[[Sample], Record]
    flaw: Callable[[bytes, str, slice], str]
    end: bytes = b""
