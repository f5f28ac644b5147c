"""Options: whether images are kept as files or in shards."""

from dataclasses import dataclass
from typing import Annotated

from oidl.cli.options.groups import IMAGING, in_section
from oidl.cli.options.types import AT_LEAST_ONE, BYTES, one_of
from oidl.errors import UsageError
from oidl.model import ShardSettings, StoreKind
from oidl.storage.remote import RemoteStore
from oidl.storage.shards.tfrecord import checksum_function

_LIMITS = ShardSettings()
_MOST_COPIED = 5_000_000_000  # S3 copies an object of 5 GiB at most in one request; a shard may be one image longer


@dataclass(frozen=True, kw_only=True)
@in_section(IMAGING)
class ShardOptions:
    """Shards."""

    output_format: Annotated[StoreKind | None, one_of(StoreKind)] = None
    """Keep images as `files`, or in shards: `webdataset`, `tfrecord`. Default: `files`; `webdataset` on a cluster."""

    shard_size: Annotated[int, BYTES, AT_LEAST_ONE] = _LIMITS.bytes
    """Begin another shard after about this many bytes."""

    shard_samples: Annotated[int, AT_LEAST_ONE] = _LIMITS.samples
    """Begin another shard after this many images."""

    remote: str | None = None
    """Upload complete shards to an object store: `s3://bucket/prefix`, `gs://…`, `az://…`; see `oidl help shards`."""

    keep_local: bool = _LIMITS.keep_local
    """Keep the local copy of shards that are uploaded."""

    def store(self, *, on_cluster: bool = False) -> StoreKind:
        """What keeps the images. Raises `UsageError` if a package that it needs is not installed."""
        if self.output_format is StoreKind.TFRECORD:
            checksum_function()
        return self.output_format or (StoreKind.WEBDATASET if on_cluster else StoreKind.FILES)

    def settings(self, store: StoreKind, *, on_cluster: bool = False) -> ShardSettings:
        """The shards of the run, if `store` is one. Raises `UsageError` for an option that cannot be used."""
        if store is StoreKind.FILES and (only := self._only_for_shards()):
            raise UsageError(f"{only} is for shards", hint="add --output-format webdataset or tfrecord")
        if self.remote is not None:
            RemoteStore(self.remote)
        elif not self.keep_local:
            raise UsageError("--no-keep-local is for shards that are uploaded", hint="add --remote s3://bucket/prefix")
        if on_cluster and not self.keep_local and self.shard_size > _MOST_COPIED:
            raise UsageError(
                "--shard-size: on a cluster with --no-keep-local, shards have 5 GB at most, because object stores copy "
                "no larger objects",
                hint="use 1G or less: a node that dies takes its open shards with it",
            )
        return ShardSettings(self.shard_samples, self.shard_size, self.remote, self.keep_local)

    def _only_for_shards(self) -> str:
        """The first option that was given, and has no meaning for files."""
        if self.remote is not None:
            return "--remote"
        if self.shard_size != _LIMITS.bytes:
            return "--shard-size"
        return "--shard-samples" if self.shard_samples != _LIMITS.samples else ""
