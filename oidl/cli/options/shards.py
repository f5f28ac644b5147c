"""Options: whether images are kept as files or in shards."""

from dataclasses import dataclass
from typing import Annotated

from oidl.cli.options.groups import IMAGING, in_section
from oidl.cli.options.types import AT_LEAST_ONE, BYTES, one_of
from oidl.model import ShardLimits, StoreKind
from oidl.storage.shards.tfrecord import checksum_function

_LIMITS = ShardLimits()


@dataclass(frozen=True, kw_only=True)
@in_section(IMAGING)
class ShardOptions:
    """Shards."""

    output_format: Annotated[StoreKind, one_of(StoreKind)] = StoreKind.FILES
    """Keep images as `files`, or many in each shard: `webdataset` or `tfrecord`; see `oidl help shards`."""

    shard_size: Annotated[int, BYTES, AT_LEAST_ONE] = _LIMITS.bytes
    """Begin another shard after about this many bytes."""

    shard_samples: Annotated[int, AT_LEAST_ONE] = _LIMITS.samples
    """Begin another shard after this many images."""

    def store(self) -> StoreKind:
        """What keeps the images. Raises `UsageError` if a package that it needs is not installed."""
        if self.output_format is StoreKind.TFRECORD:
            checksum_function()
        return self.output_format

    def settings(self) -> ShardLimits:
        """When a shard is full."""
        return ShardLimits(self.shard_samples, self.shard_size)
