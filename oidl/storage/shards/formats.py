"""The formats of shards that runs write, by what keeps the images of a rendition."""

from oidl.model import StoreKind
from oidl.storage.shards.record import ShardFormat
from oidl.storage.shards.tar import WEBDATASET
from oidl.storage.shards.tfrecord import TFRECORD

SHARD_FORMATS: dict[StoreKind, ShardFormat] = {StoreKind.WEBDATASET: WEBDATASET, StoreKind.TFRECORD: TFRECORD}
"""Those that can be written sample by sample."""
