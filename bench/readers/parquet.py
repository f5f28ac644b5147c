"""Parquet shards as pyarrow, DuckDB and polars read them; Hugging Face `datasets` is with the other shards."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.shards import ShardTally, shards_of


def _facts(rows: Iterable[Mapping[str, Any]]) -> Facts:
    from PIL import Image

    tally = ShardTally()
    for row in rows:
        image = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
        tally.sample(image.size, row, row["boxes"], len(row["labels"]))
    return tally.facts()


def pyarrow(home: Path) -> Facts:
    """`pyarrow.dataset`, batch by batch."""
    import pyarrow.dataset

    found = pyarrow.dataset.dataset(shards_of(home, "parquet"))
    return _facts(row for batch in found.to_batches() for row in batch.to_pylist())


def duckdb(home: Path) -> Facts:
    """`SELECT` from the files."""
    import duckdb

    found = duckdb.sql(f"SELECT * FROM read_parquet('{home}/*.parquet')")
    return _facts(dict(zip(found.columns, row, strict=True)) for row in found.fetchall())


def polars(home: Path) -> Facts:
    """`read_parquet`."""
    import polars

    return _facts(polars.read_parquet(home / "*.parquet").iter_rows(named=True))
