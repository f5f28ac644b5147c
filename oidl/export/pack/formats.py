"""The formats of shards, by their names for `--format`: one line each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from oidl.model import Rendition
from oidl.storage.shards.parquet import ROW_GROUP_ORIGINALS, ROW_GROUP_SAMPLES, ParquetWriter, require_pyarrow
from oidl.storage.shards.record import ShardFormat
from oidl.storage.shards.sealing import RecordWriter, ShardFile, ShardWriter
from oidl.storage.shards.tar import WEBDATASET
from oidl.storage.shards.tfrecord import TFRECORD, checksum_function


def _needs_nothing() -> None:
    """The `require` of a format that needs no optional library."""


@dataclass(frozen=True, slots=True)
class PackFormat:
    """A format of shards: `open` begins one with images of a rendition.

    `shard_bytes` is the size of a shard if no other is given, `overhead_bytes` about what a sample has in addition to
    its image. `require` raises `UsageError` if a library is missing. `has_label_map`: its readers map classes to
    numbers by `label_map.pbtxt`. `has_records`: samples have places, which DALI can read an index of. Hugging Face's
    library reads those with `is_read_by_datasets`. `is_table`: a sample is a row, and every fact a
    column.
    """

    name: str
    suffix: str
    shard_bytes: int
    open: Callable[[ShardFile, Rendition], ShardWriter]
    require: Callable[[], object] = _needs_nothing
    overhead_bytes: int = 1000
    has_label_map: bool = False
    has_records: bool = True
    is_read_by_datasets: bool = True
    is_table: bool = False

    def file_name(self, split: str, number: int, total: int) -> str:
        """The name of a shard, like `train-00003-of-00042.tar`.

        TFRecord has it too: TFDS prefers `train.tfrecord-00003-of-00042`, but reads files in its own directories only,
        and everything else chooses files by their suffix.
        """
        return f"{split}-{number:05d}-of-{total:05d}.{self.suffix}"

    def pattern(self, split: str) -> str:
        """The names of all shards of a split, with `*`."""
        return f"{split}-*.{self.suffix}"


def _records(form: ShardFormat, file: ShardFile, rendition: Rendition) -> ShardWriter:
    return RecordWriter(file, form)


def _parquet(file: ShardFile, rendition: Rendition) -> ShardWriter:
    return ParquetWriter(file, ROW_GROUP_SAMPLES if rendition.mode else ROW_GROUP_ORIGINALS)


FORMATS: dict[str, PackFormat] = {
    each.name: each
    for each in (
        PackFormat("webdataset", "tar", 10**9, partial(_records, WEBDATASET), overhead_bytes=2500),
        PackFormat(
            "tfrecord",
            "tfrecord",
            150 * 10**6,
            partial(_records, TFRECORD),
            require=checksum_function,
            has_label_map=True,
            is_read_by_datasets=False,
        ),
        PackFormat(
            "parquet",
            "parquet",
            500 * 10**6,
            _parquet,
            require=require_pyarrow,
            has_records=False,
            is_table=True,
        ),
    )
}
