"""Which images of a shard are lost: by the length of its file, and by the checksums of their samples."""

from collections.abc import Sequence
from pathlib import Path

from oidl.state.shards import Sample, Shard
from oidl.storage.shards.files import Range, damaged_ranges, shard_size


def lost_images(path: Path, shard: Shard, samples: Sequence[Sample]) -> list[str]:
    """The ImageIDs of those of `samples` that are not whole in the file of `shard` at `path`. Raises `DiskError`.

    Checksums are compared in a stale shard only: that is about to be copied, and would hand its damage on.
    """
    size = shard_size(path)
    by_range = {Range(each.at, each.bytes): each for each in samples}
    lost = {each for each in by_range if each.at + each.bytes > size}
    if shard.state == "stale" and size:
        checksums = {each: sample.crc32 for each, sample in by_range.items() if sample.crc32 is not None}
        lost |= damaged_ranges(path, checksums)
    return sorted(by_range[each].image_id for each in lost)
