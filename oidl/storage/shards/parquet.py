"""Parquet: a row for each image, as Hugging Face `datasets` and its viewer read it best.

The column `image` is a struct of bytes and path, which `datasets` decodes by the metadata key `huggingface`. It is not
compressed, because images are already. Other columns are compressed by snappy. There is an index of the pages, and
pages are cut by their contents, so that a changed data set is uploaded in parts. Row groups are small enough for the
Hub's viewer and for random access.
"""

import json
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any

from oidl.errors import UsageError
from oidl.hints import install
from oidl.model.sample import ANNOTATIONS, FACTS, Sample, SampleBox, SampleLabel
from oidl.storage.shards.sealing import ShardFile

ROW_GROUP_SAMPLES = 1000
ROW_GROUP_ORIGINALS = 100
"""How many rows a group has at most; fewer of originals, which are large."""

_ROW_GROUP_BYTES = 100_000_000
_CHUNKS = {"min_chunk_size": 256 << 10, "max_chunk_size": 1 << 20, "norm_level": 0}
_NUMBER = "number"  # it belongs to a label map, which Parquet has not
_INT, _FLAG, _FLOAT, _TEXT = "int32", "int8", "float32", "string"
_TYPES: dict[type, str] = {int: _INT, float: _FLOAT, str: _TEXT}


def require_pyarrow() -> tuple[ModuleType, ModuleType]:
    """The modules `pyarrow` and `pyarrow.parquet`. Raises `UsageError` if they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs the package pyarrow, which is not installed",
            hint=install("parquet"),
        ) from error
    return pyarrow, pyarrow.parquet


def _fields(kind: type[SampleBox] | type[SampleLabel]) -> dict[str, str]:
    """The fields of a box or label, and their types."""
    types = {name: _TYPES[type_] for name, type_ in kind.__annotations__.items() if name != _NUMBER}
    return {name: _FLAG if name.startswith("is_") else type_ for name, type_ in types.items()}


_COLUMNS = {name: _TYPES[kind] for name, kind in FACTS if name != ANNOTATIONS}
_LISTS = {"boxes": _fields(SampleBox), "labels": _fields(SampleLabel)}


def _features() -> str:
    """The columns as `datasets` describes them."""

    def values(types: dict[str, str]) -> dict[str, Any]:
        return {name: {"dtype": dtype, "_type": "Value"} for name, dtype in types.items()}

    lists = {name: {"feature": values(types), "_type": "List"} for name, types in _LISTS.items()}
    return json.dumps({"info": {"features": {"image": {"_type": "Image"}, **values(_COLUMNS), **lists}}})


def _schema(arrow: ModuleType) -> Any:
    def typed(types: dict[str, str]) -> list[Any]:
        return [arrow.field(name, getattr(arrow, kind)()) for name, kind in types.items()]

    image = arrow.field("image", arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())]))
    lists = [arrow.field(name, arrow.list_(arrow.struct(typed(types)))) for name, types in _LISTS.items()]
    return arrow.schema([image, *typed(_COLUMNS), *lists], metadata={"huggingface": _features()})


@dataclass(slots=True)
class ParquetWriter:
    """Writes samples into a Parquet file, with `group_samples` of them in a row group at most."""

    file: ShardFile
    group_samples: int
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _bytes: int = 0
    _writer: Any = None

    def __post_init__(self) -> None:
        arrow, parquet = require_pyarrow()
        schema = _schema(arrow)
        compressed = [name for name in _leaves() if not name.startswith("image.")]
        self._writer = parquet.ParquetWriter(
            self.file,
            schema,
            compression={name: "snappy" if name in compressed else "none" for name in _leaves()},
            use_dictionary=compressed,
            write_page_index=True,
            use_content_defined_chunking=_CHUNKS,
        )

    def add(self, sample: Sample) -> None:
        """As in `ShardWriter`; a row has no place of its own."""
        facts = sample.facts
        self._rows.append(
            {
                "image": {"bytes": sample.body, "path": f"{sample.key}.{sample.suffix}"},
                **{name: getattr(facts, name) for name in _COLUMNS},
                "boxes": [asdict(box) for box in sample.boxes],
                "labels": [asdict(label) for label in sample.labels],
            }
        )
        self._bytes += len(sample.body)
        if len(self._rows) >= self.group_samples or self._bytes >= _ROW_GROUP_BYTES:
            self._flush()

    def end(self) -> None:
        """As in `ShardWriter`."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        arrow, _ = require_pyarrow()
        batch = arrow.RecordBatch.from_pylist(self._rows, schema=self._writer.schema)
        self._writer.write_batch(batch, row_group_size=self.group_samples)
        self._rows, self._bytes = [], 0


def _leaves() -> list[str]:
    """The paths of all columns in the file."""
    lists = [f"{name}.list.element.{leaf}" for name, types in _LISTS.items() for leaf in types]
    return ["image.bytes", "image.path", *_COLUMNS, *lists]
